package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/recall"
)

const (
	// heartbeatEvery is that of the stores.
	heartbeatEvery = 200 * time.Millisecond
	// sessionAge is SESSION_COOKIE_AGE as Django presets it.
	sessionAge = 14 * 24 * time.Hour
)

// policy is the preset one.
var policy = auth.Policy{Age: sessionAge}

// flushEvery is how often a realm writes last-seen times.
const flushEvery = 30 * time.Second

// scene is what is simulated. Rates are those of the whole fleet, a second.
type scene struct {
	// sessions in use; the simulation follows so many of them (followed), and
	// what it counts stands for all.
	sessions, followed int
	// rate is how many checks a second a session makes in the mean. Sessions
	// differ: the logarithms of their rates are normal with deviation skew. Each
	// makes its checks at random moments of its own.
	rate, skew float64
	nodes      int
	// entries is POSTERN_RECALL_ENTRIES, for the sessions, not the followed.
	entries int
	balance balancing
	ends    float64 // sessions that end; each is followed by another
	changes float64 // users whose news comes but whose session goes on
	warm    time.Duration
	measure time.Duration
	events  []event // in the order of their times
	seed    uint64
}

// event is what happens to the fleet at a time after the warming up.
type event struct {
	at time.Duration
	do func(context.Context, *world) error
}

// counts is what a fleet did while it was measured.
type counts struct {
	scene   scene
	checks  uint64
	reads   uint64 // of the store
	touches uint64 // last-seen times written
	news    uint64 // told by the store
	heard   uint64 // by all nodes
	evicted uint64
	busiest uint64 // checks of the busiest node
	// readsBySecond are those of the followed sessions.
	readsBySecond []uint64
}

func (c counts) hitRate() float64 { return 1 - float64(c.reads)/float64(c.checks) }

// perSecond is what the whole fleet does a second of what was counted of the
// followed sessions.
func (c counts) perSecond(n uint64) float64 {
	return float64(n) / c.scene.measure.Seconds() * c.scale()
}

// newsPerNode is how much news a node hears a second.
func (c counts) newsPerNode() float64 {
	return float64(c.heard) / c.scene.measure.Seconds() / float64(c.scene.nodes)
}

// unevenness is how much more the busiest node has to do than the mean.
func (c counts) unevenness() float64 {
	return float64(c.busiest) * float64(c.scene.nodes) / float64(c.checks)
}

// world is a fleet at work.
type world struct {
	scene    scene
	random   *rand.Rand
	began    time.Time
	now      time.Time
	store    *store
	hashing  *password.Hashing
	nodes    []*node
	balancer balancer
	clients  []client
	choose   chooser
	deaf     bool // no news and no heartbeat reach the nodes
	news     uint64
}

// client is a followed session and who makes its checks.
type client struct {
	key  string
	id   auth.SessionID
	made int // sessions before this one
}

// node is one Postern.
type node struct {
	realm  *auth.Realm
	memory *recall.Memory
	// heartbeat is that of the store, for memory.
	heartbeat func(time.Time)
	up        bool
	checks    uint64
	before    recall.Stats // when the measuring began
	// What former memories did since then, before a restart.
	heard, evicted uint64
}

// simulate runs a scene.
func simulate(ctx context.Context, s scene) (counts, error) {
	w, err := newWorld(ctx, s)
	if err != nil {
		return counts{}, fmt.Errorf("make the fleet: %w", err)
	}
	if err := w.run(ctx, w.began.Add(s.warm)); err != nil {
		return counts{}, err
	}
	w.forget()
	c := counts{scene: s}
	begin, events := w.now, s.events
	for second := range int(s.measure / time.Second) {
		at := time.Duration(second) * time.Second
		for len(events) > 0 && events[0].at <= at {
			if err := events[0].do(ctx, w); err != nil {
				return counts{}, err
			}
			events = events[1:]
		}
		before := w.store.reads
		if err := w.run(ctx, begin.Add(at+time.Second)); err != nil {
			return counts{}, err
		}
		c.readsBySecond = append(c.readsBySecond, w.store.reads-before)
	}
	w.count(&c)
	return c, nil
}

func newWorld(ctx context.Context, s scene) (*world, error) {
	hashing, err := password.New(password.Options{Algorithm: password.MD5})
	if err != nil {
		return nil, err
	}
	w := &world{
		scene: s, random: rand.New(rand.NewPCG(s.seed, 1)), hashing: hashing,
		began: time.Unix(1_800_000_000, 0),
	}
	w.now = w.began
	w.store = newStore(w.began)
	w.balancer = s.balance.make(w.random)
	for range s.nodes {
		n := &node{up: true}
		if err := w.boot(ctx, n); err != nil {
			return nil, err
		}
		w.nodes = append(w.nodes, n)
	}
	w.turn()
	w.choose = newChooser(ratesOf(s))
	w.clients = make([]client, s.followed)
	for i := range w.clients {
		w.login(i)
	}
	return w, nil
}

// boot starts a node with nothing in its memory.
func (w *world) boot(ctx context.Context, n *node) (err error) {
	if n.memory != nil {
		former := n.memory.Stats()
		n.heard += former.Heard - n.before.Heard
		n.evicted += former.Evicted - n.before.Evicted
		n.before = recall.Stats{}
	}
	share := float64(w.scene.followed) / float64(w.scene.sessions)
	n.memory = recall.New(int(math.Ceil(float64(w.scene.entries)*share)), func() time.Time { return w.now })
	n.heartbeat = n.memory.Listen("the store")
	n.realm, err = auth.New(ctx, auth.Options{
		Users: w.store, Sessions: w.store, Hashing: w.hashing, SecretKeys: []string{secretKey},
		Policy: policy, Memory: n.memory, Now: func() time.Time { return w.now },
	})
	return err
}

// turn tells the balancer which nodes are up.
func (w *world) turn() {
	var up []int
	for i, n := range w.nodes {
		if n.up {
			up = append(up, i)
		}
	}
	w.balancer.turn(up)
}

// login gives client i a new session.
func (w *world) login(i int) {
	c := &w.clients[i]
	text := strconv.FormatUint(uint64(i), 36) + "x" + strconv.Itoa(c.made)
	c.key = strings.Repeat("0", auth.KeyLength-len(text)) + text
	c.id = auth.IDOf(c.key)
	c.made++
	w.store.begin(c.id, userOf(i), w.now, sessionAge)
}

// userOf is the user of client i: each has one of its own.
func userOf(i int) int64 { return int64(i) + 1 }

// run lets time pass until the end.
func (w *world) run(ctx context.Context, end time.Time) error {
	checks := w.scene.rate * float64(w.scene.followed)
	all := checks + w.scene.ends + w.scene.changes
	for {
		next := w.now.Add(time.Duration(w.random.ExpFloat64() / all * float64(time.Second)))
		if next.After(end) {
			// A Poisson process has no memory: the rest of the wait may be drawn anew.
			w.pass(ctx, end)
			return ctx.Err()
		}
		w.pass(ctx, next)
		switch what := w.random.Float64() * all; {
		case what < checks:
			if err := w.check(ctx); err != nil {
				return err
			}
		case what < checks+w.scene.ends:
			w.end()
		default:
			w.change()
		}
	}
}

// pass moves the clock, with what nodes do by the clock: all hear the
// heartbeat, and each writes last-seen times when it is its turn.
func (w *world) pass(ctx context.Context, to time.Time) {
	from, until := w.now.Sub(w.began), to.Sub(w.began)
	w.now = to
	if from == 0 || from/heartbeatEvery != until/heartbeatEvery {
		w.beat()
	}
	turn := flushEvery / time.Duration(len(w.nodes))
	for i := from/turn + 1; i <= until/turn; i++ {
		_ = w.nodes[int(i)%len(w.nodes)].realm.Flush(ctx) // the store never fails
	}
}

func (w *world) beat() {
	if w.deaf {
		return
	}
	for _, n := range w.nodes {
		n.heartbeat(w.now)
	}
}

// check is a request of one of the clients.
func (w *world) check(ctx context.Context) error {
	i := w.choose.pick(w.random)
	c := &w.clients[i]
	n := w.nodes[w.balancer.pick(binary.BigEndian.Uint64(c.id[24:]))]
	n.checks++
	if _, err := n.realm.Check(ctx, c.key); err != nil {
		return fmt.Errorf("check session %d: %w", i, err)
	}
	return nil
}

// end ends a session of the fleet, which is seldom one of those followed.
func (w *world) end() {
	i := w.random.IntN(w.scene.sessions)
	if i >= len(w.clients) {
		w.tell(auth.News{Session: w.stranger()})
		return
	}
	w.endOf(i)
}

// endOf ends the session of client i, who begins another.
func (w *world) endOf(i int) {
	delete(w.store.sessions, w.clients[i].id)
	w.tell(auth.News{Session: w.clients[i].id})
	w.login(i)
}

// change changes a user of the fleet.
func (w *world) change() {
	w.tell(auth.News{User: userOf(w.random.IntN(w.scene.sessions))})
}

// stranger is a session that is not followed.
func (w *world) stranger() auth.SessionID {
	var id auth.SessionID
	for at := 0; at < len(id); at += 8 {
		binary.LittleEndian.PutUint64(id[at:], w.random.Uint64())
	}
	return id
}

// tell has every node that is up hear the news.
func (w *world) tell(n auth.News) {
	w.news++
	if w.deaf {
		return
	}
	for _, node := range w.nodes {
		if node.up {
			node.memory.Hear(n)
		}
	}
}

// tellEverything has every node forget all it remembers.
func (w *world) tellEverything() { w.tell(auth.News{}) }

func (w *world) checks() uint64 {
	var sum uint64
	for _, n := range w.nodes {
		sum += n.checks
	}
	return sum
}

// forget lets the counting begin.
func (w *world) forget() {
	w.store.reads, w.store.touches, w.news = 0, 0, 0
	for _, n := range w.nodes {
		n.checks, n.heard, n.evicted, n.before = 0, 0, 0, n.memory.Stats()
	}
}

func (w *world) count(c *counts) {
	c.reads, c.touches, c.news, c.checks = w.store.reads, w.store.touches, w.news, w.checks()
	for _, n := range w.nodes {
		s := n.memory.Stats()
		c.heard += n.heard + s.Heard - n.before.Heard
		c.evicted += n.evicted + s.Evicted - n.before.Evicted
		c.busiest = max(c.busiest, n.checks)
	}
}
