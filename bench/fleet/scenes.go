package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// usual is the fleet of the tables: a million sessions in use that make
// 100,000 checks a second. With the deviation 1 the busiest tenth of the
// sessions makes four tenths of the checks.
var usual = scene{
	sessions: 1_000_000, followed: 10_000, rate: 0.1, skew: 1,
	entries: 2_000_000, ends: 35, changes: 5,
	warm: 210 * time.Second, measure: 122 * time.Second, seed: 1,
}

// sizes are the numbers of nodes of the tables.
var sizes = []int{1, 2, 4, 8, 16, 64, 256}

// together simulates scenes, as many at a time as there are processors. Each
// has its own clock and numbers, so that the order changes nothing.
func together(ctx context.Context, scenes []scene) ([]counts, error) {
	results, errs := make([]counts, len(scenes)), make([]error, len(scenes))
	var work sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, s := range scenes {
		work.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			results[i], errs[i] = simulate(ctx, s)
		})
	}
	work.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("simulate %d nodes, %s: %w", scenes[i].nodes, scenes[i].balance.name, err)
		}
	}
	return results, nil
}

// simulated makes the tables of the simulation.
func simulated(ctx context.Context, followed int) ([]table, error) {
	base := usual
	base.followed = followed
	var tables []table
	for _, make := range []func(context.Context, scene) (table, error){nodesTable, newsTable, memoryTable, eventsTable} {
		t, err := make(ctx, base)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// nodesTable is the hit rate and the news by number of nodes.
func nodesTable(ctx context.Context, base scene) (table, error) {
	var scenes []scene
	for _, balance := range allBalances {
		for _, nodes := range sizes {
			s := base
			s.nodes, s.balance = nodes, balance
			scenes = append(scenes, s)
		}
	}
	results, err := together(ctx, scenes)
	if err != nil {
		return table{}, err
	}
	var b strings.Builder
	b.WriteString("| balancing | nodes | recalled | by the formula | store reads/s | of each node | last-seen rows/s | busiest node | news/s a node hears | in all |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range results {
		reads := c.perSecond(c.reads)
		nodes := float64(c.scene.nodes)
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %.2f | %s | %s |\n",
			c.scene.balance.name, c.scene.nodes, percent(c.hitRate()), c.scene.formula(),
			amount(reads), amount(reads/nodes), amount(c.perSecond(c.touches)), c.unevenness(),
			amount(c.newsPerNode()), amount(c.newsPerNode()*nodes))
	}
	return table{"nodes", b.String()}, nil
}

// formula is the hit rate to expect; "" where a session moves between nodes in
// a way that no formula here covers.
func (s scene) formula() string {
	nodes := 1
	switch s.balance.name {
	case atRandom.name:
		nodes = s.nodes
	case byRing.name:
		return ""
	}
	return percent(expectedHitRate(ratesOf(s), nodes, lifetime(s.ends+s.changes, s.sessions)))
}

// newsTable is what news about others costs, whose places are shared.
func newsTable(ctx context.Context, base scene) (table, error) {
	var scenes []scene
	for _, news := range []float64{0, 10, 100, 300, 1000, 3000, 10_000} {
		s := base
		s.nodes, s.balance = 2, byModulo
		// So many sessions that hardly any news is about one of those followed:
		// what is lost is lost to the places they share.
		s.sessions, s.entries = 100_000_000, 200_000_000
		s.ends, s.changes = news, 0
		scenes = append(scenes, s)
	}
	results, err := together(ctx, scenes)
	if err != nil {
		return table{}, err
	}
	var b strings.Builder
	b.WriteString("| news/s | recalled | by the formula | an entry lives, s | reads for each with no news |\n|--:|--:|--:|--:|--:|\n")
	none := 1 - results[0].hitRate()
	for _, c := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %.1f | %.2f |\n", amount(c.scene.ends), percent(c.hitRate()), c.scene.formula(),
			lifetime(c.scene.ends, c.scene.sessions), (1-c.hitRate())/none)
	}
	return table{"news", b.String()}, nil
}

// memoryTable is what becomes of the hit rate when memory is too small.
func memoryTable(ctx context.Context, base scene) (table, error) {
	var scenes []scene
	for _, part := range []float64{2, 1, 0.75, 0.5, 0.25, 0.1} {
		s := base
		s.nodes, s.balance = 4, byModulo
		s.entries = int(part * float64(s.sessions) / float64(s.nodes))
		scenes = append(scenes, s)
	}
	results, err := together(ctx, scenes)
	if err != nil {
		return table{}, err
	}
	var b strings.Builder
	b.WriteString("| `POSTERN_RECALL_ENTRIES`, for each session in use at the node | recalled | store reads/s | evicted/s |\n|--:|--:|--:|--:|\n")
	for _, c := range results {
		fmt.Fprintf(&b, "| %.2f | %s | %s | %s |\n", float64(c.scene.entries*c.scene.nodes)/float64(c.scene.sessions),
			percent(c.hitRate()), amount(c.perSecond(c.reads)), amount(c.perSecond(c.evicted)))
	}
	return table{"memory", b.String()}, nil
}

// outage keeps the news from all nodes for so long.
func outage(begin, length time.Duration) []event {
	return []event{
		{begin, func(_ context.Context, w *world) error { w.deaf = true; return nil }},
		{begin + length, func(_ context.Context, w *world) error { w.hearAgain(); return nil }},
	}
}

// restart takes node 0 away and brings it back with nothing in its memory.
func restart(begin, length time.Duration) []event {
	return []event{
		{begin, func(_ context.Context, w *world) error {
			w.nodes[0].up = false
			w.turn()
			return nil
		}},
		{begin + length, func(ctx context.Context, w *world) error {
			w.nodes[0].up = true
			w.turn()
			return w.boot(ctx, w.nodes[0])
		}},
	}
}

// sweep tells the news of so many sessions that nobody uses any more.
func sweep(at time.Duration, sessions int) []event {
	return []event{{at, func(_ context.Context, w *world) error {
		for range sessions {
			w.tell(auth.News{Session: w.stranger()})
		}
		return nil
	}}}
}

const (
	eventBegin  = 10 * time.Second
	eventLength = 10 * time.Second
)

// happening is what may happen to a fleet, and the ways to balance it is tried with.
type happening struct {
	name     string
	balances []balancing
	events   []event
}

var (
	allBalances = []balancing{atRandom, byModulo, byRing}
	happenings  = []happening{
		{"no news for 10 s, to any node", allBalances, outage(eventBegin, eventLength)},
		{"one of 16 nodes away for 10 s", allBalances, restart(eventBegin, eventLength)},
		{"10,000 expired sessions swept at once", []balancing{byRing}, sweep(eventBegin, 10_000)},
		{"260,000 swept at once", []balancing{byRing}, sweep(eventBegin, 260_000)},
	}
)

// eventsTable is what the store has to bear when something happens.
func eventsTable(ctx context.Context, base scene) (table, error) {
	base.nodes, base.measure = 16, 120*time.Second
	var scenes []scene
	var names []string
	for _, h := range happenings {
		for _, balance := range h.balances {
			s := base
			s.balance, s.events = balance, h.events
			scenes, names = append(scenes, s), append(names, h.name)
		}
	}
	results, err := together(ctx, scenes)
	if err != nil {
		return table{}, err
	}
	var b strings.Builder
	b.WriteString("| what happens | balancing | reads/s before | at the peak | of all checks | half a minute later | a minute after the end |\n|---|---|--:|--:|--:|--:|--:|\n")
	for i, c := range results {
		e := c.echo()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", names[i], c.scene.balance.name,
			amount(e.before), amount(e.peak), percent(e.peak/(c.scene.rate*float64(c.scene.sessions))), amount(e.calm), amount(e.again))
	}
	return table{"events", b.String()}, nil
}

// echo is what an event did to the reads a second. What was read again at one
// time is too old at one time, recall.MaxAge later.
type echo struct{ before, peak, calm, again float64 }

func (c counts) echo() echo {
	end := eventBegin + eventLength
	return echo{
		before: c.readsBetween(0, eventBegin),
		peak:   c.peakBetween(eventBegin, end+20*time.Second),
		calm:   c.readsBetween(end+25*time.Second, end+35*time.Second),
		again:  c.peakBetween(end+40*time.Second, end+90*time.Second),
	}
}

// readsBetween is the mean of the whole fleet, a second.
func (c counts) readsBetween(from, to time.Duration) float64 {
	var sum uint64
	for _, n := range c.readsBySecond[int(from/time.Second):int(to/time.Second)] {
		sum += n
	}
	return c.scale() * float64(sum) / (to - from).Seconds()
}

// peakBetween is the most reads in any two seconds, as reads a second.
func (c counts) peakBetween(from, to time.Duration) float64 {
	var most uint64
	reads := c.readsBySecond[int(from/time.Second):int(to/time.Second)]
	for i := range len(reads) - 1 {
		most = max(most, reads[i]+reads[i+1])
	}
	return c.scale() * float64(most) / 2
}

// scale is for how many sessions each that is followed stands.
func (c counts) scale() float64 { return float64(c.scene.sessions) / float64(c.scene.followed) }

// hearAgain ends an outage as a store does that can't tell what it missed.
func (w *world) hearAgain() {
	w.deaf = false
	w.tellEverything()
	w.beat()
}
