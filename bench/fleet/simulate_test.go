package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// small is the usual fleet, of which few sessions are followed.
func small(nodes int, balance balancing) scene {
	s := usual
	s.followed, s.nodes, s.balance = 1000, nodes, balance
	// Whole spans of recall.MaxAge, from between two: what was first read when all
	// began comes back in waves.
	s.warm, s.measure = 90*time.Second, 122*time.Second
	return s
}

func mustSimulate(t *testing.T, s scene) counts {
	t.Helper()
	c, err := simulate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// near fails unless got is want, give or take.
func near(t *testing.T, what string, got, want, give float64) {
	t.Helper()
	if !(math.Abs(got-want) <= give) {
		t.Errorf("%s: %.4g, want %.4g ± %.4g", what, got, want, give)
	}
}

func TestBalancedAtRandomTheHitRateFallsWithNodesAsTheFormulaSays(t *testing.T) {
	t.Parallel()
	for skew, sizes := range [][]int{{1, 16}, {1, 4, 64}} {
		last := 1.0
		for _, nodes := range sizes {
			s := small(nodes, atRandom)
			s.skew = float64(skew)
			c := mustSimulate(t, s)
			want := expectedHitRate(ratesOf(s), nodes, lifetime(s.ends+s.changes, s.sessions))
			near(t, "hit rate", c.hitRate(), want, 0.02)
			if c.hitRate() > last-0.05 {
				t.Errorf("%d nodes recall %.3f, fewer recalled %.3f", nodes, c.hitRate(), last)
			}
			last = c.hitRate()
		}
	}
}

func TestSessionsThatKeepTheirNodeAreRecalledAtAnyNumberOfNodes(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 64} {
		s := small(nodes, byModulo)
		c := mustSimulate(t, s)
		near(t, "hit rate", c.hitRate(), expectedHitRate(ratesOf(s), 1, lifetime(s.ends+s.changes, s.sessions)), 0.02)
	}
}

func TestLastSeenIsWrittenEveryFiveMinutesOrMoreOftenByManyNodes(t *testing.T) {
	t.Parallel()
	s := small(8, byModulo)
	// Long enough for the sessions, which all begin at once, to fall out of step.
	s.warm, s.measure = 20*time.Minute, 30*time.Minute
	c := mustSimulate(t, s)
	want := expectedTouches(ratesOf(s)) * c.scale()
	near(t, "rows a second", c.perSecond(c.touches), want, 0.03*want)
	// A node learns only by reading that another has written.
	s.balance, s.warm, s.measure = atRandom, 10*time.Minute, 10*time.Minute
	if c := mustSimulate(t, s); c.perSecond(c.touches) < 1.5*want || c.perSecond(c.touches) > 3*want {
		t.Errorf("balanced at random, %.0f rows a second instead of %.0f", c.perSecond(c.touches), want)
	}
}

func TestTheHitRateDependsOnSessionsOnlyByTheirRates(t *testing.T) {
	t.Parallel()
	s := small(4, atRandom)
	few := mustSimulate(t, s)
	s.followed *= 3
	near(t, "hit rate of three times the sessions", mustSimulate(t, s).hitRate(), few.hitRate(), 0.02)
}

func TestABoundedRingKeepsSessionsAndSparesTheBusiestNode(t *testing.T) {
	t.Parallel()
	s := small(16, byRing)
	bounded := mustSimulate(t, s)
	s.balance = byModulo
	free := mustSimulate(t, s)
	s.balance = atRandom
	random := mustSimulate(t, s)
	if bounded.unevenness() > ringBound+0.02 || free.unevenness() < ringBound {
		t.Errorf("the busiest node has %.2f of the mean to do, %.2f without a bound", bounded.unevenness(), free.unevenness())
	}
	if bounded.hitRate() > free.hitRate()+0.01 || bounded.hitRate() < random.hitRate()+0.3 {
		t.Errorf("hit rates: bounded %.3f, free %.3f, random %.3f", bounded.hitRate(), free.hitRate(), random.hitRate())
	}
}

func TestEveryNodeHearsEveryPieceOfNewsOnce(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3, 24} {
		s := small(nodes, atRandom)
		s.ends, s.changes = 60, 20
		c := mustSimulate(t, s)
		if c.heard != c.news*uint64(nodes) {
			t.Errorf("%d nodes heard %d, told were %d", nodes, c.heard, c.news)
		}
		// The news of a node is that of the fleet, however many share it.
		near(t, "news a second at a node", c.newsPerNode(), 80, 6)
	}
}

func TestNewsAboutOthersForgetsWhatSharesItsPlaceAsTheFormulaSays(t *testing.T) {
	t.Parallel()
	s := small(1, byModulo)
	s.sessions, s.entries = 100_000_000, 1_000_000_000
	for _, rates := range [][2]float64{{3000, 0}, {0, 3000}, {2500, 2500}} {
		s.ends, s.changes = rates[0], rates[1]
		want := expectedHitRate(ratesOf(s), 1, lifetime(rates[0]+rates[1], s.sessions))
		near(t, "hit rate", mustSimulate(t, s).hitRate(), want, 0.025)
	}
}

func TestAMemoryThatIsTooSmallEvicts(t *testing.T) {
	t.Parallel()
	s := small(4, byModulo)
	enough := mustSimulate(t, s)
	s.entries = s.sessions / s.nodes / 4
	c := mustSimulate(t, s)
	if c.evicted < c.checks/10 || c.hitRate() > enough.hitRate()-0.2 {
		t.Errorf("a quarter of the places: %d of %d checks evict, recalled are %.3f instead of %.3f", c.evicted, c.checks, c.hitRate(), enough.hitRate())
	}
	if enough.evicted > enough.checks/20 {
		t.Errorf("with room enough, %d of %d checks evict", enough.evicted, enough.checks)
	}
}

func TestWithoutNewsEveryCheckReadsAndThenOneOfEachSession(t *testing.T) {
	t.Parallel()
	s := small(8, byModulo)
	s.followed, s.measure, s.events = 3000, 110*time.Second, outage(eventBegin, eventLength)
	c := mustSimulate(t, s)
	all := s.rate * float64(s.sessions)
	// The last heartbeat holds for a second.
	near(t, "reads while deaf", c.readsBetween(eventBegin+2*time.Second, eventBegin+eventLength), all, 0.05*all)
	end := eventBegin + eventLength
	for _, after := range []time.Duration{0, 3 * time.Second, 10 * time.Second} {
		want := all * expectedReturn(ratesOf(s), 1, (after+time.Second).Seconds())
		near(t, "reads after the outage", c.readsBetween(end+after, end+after+2*time.Second), want, 0.1*all)
	}
	e := c.echo()
	if e.calm > e.before || e.again < 1.5*e.before || e.again > 0.5*all {
		t.Errorf("%.0f reads a second before, %.0f half a minute after the outage, %.0f when it is all too old", e.before, e.calm, e.again)
	}
}

func TestASweepForgetsTheShareOfPlacesItHits(t *testing.T) {
	t.Parallel()
	s := small(1, byModulo)
	s.followed, s.ends, s.changes, s.measure = 4000, 0, 0, 15*time.Second
	base := mustSimulate(t, s).readsBetween(eventBegin, eventBegin+2*time.Second)
	for _, swept := range []int{10_000, 100_000} {
		s.events = sweep(eventBegin, swept)
		c := mustSimulate(t, s)
		// Of the checks that were recalled, so many are read.
		all := s.rate * float64(s.sessions)
		want := base + (all-base)*(1-math.Exp(-float64(swept)/newsSlots))*expectedReturn(ratesOf(s), 1, 1)
		near(t, "reads after a sweep", c.readsBetween(eventBegin, eventBegin+2*time.Second), want, 0.1*all)
	}
}

func TestANodeThatRestartsMovesFewSessionsOnARing(t *testing.T) {
	t.Parallel()
	peaks := map[string]float64{}
	for _, balance := range []balancing{atRandom, byModulo, byRing} {
		s := small(16, balance)
		s.followed, s.measure, s.events = 2000, 110*time.Second, restart(eventBegin, eventLength)
		c := mustSimulate(t, s)
		e := c.echo()
		peaks[balance.name] = (e.peak - e.before) / (s.rate * float64(s.sessions))
		if c.heard >= c.news*16 || c.heard <= c.news*14 {
			t.Errorf("%s: %d pieces of news, 16 nodes of which one is away for a while heard %d", balance.name, c.news, c.heard)
		}
	}
	if peaks[byModulo.name] < 0.4 || peaks[byRing.name] > 0.15 || peaks[atRandom.name] > 0.15 {
		t.Errorf("the shares of all checks that become reads: %v", peaks)
	}
}

func TestAnEndedSessionIsRefusedByEveryNode(t *testing.T) {
	w, err := newWorld(t.Context(), small(5, atRandom))
	if err != nil {
		t.Fatal(err)
	}
	w.pass(t.Context(), w.now)
	for i := range 50 {
		key := w.clients[i].key
		for range 2 { // read, then recalled
			for n, node := range w.nodes {
				if _, err := node.realm.Check(t.Context(), key); err != nil {
					t.Fatalf("node %d: %v", n, err)
				}
			}
		}
		w.endOf(i)
		for n, node := range w.nodes {
			if _, err := node.realm.Check(t.Context(), key); !errors.Is(err, auth.ErrNoSession) {
				t.Errorf("node %d says %v to a session that has ended", n, err)
			}
		}
	}
	if hits := w.nodes[0].memory.Stats().Hits; hits < 50 {
		t.Errorf("only %d checks were recalled: nothing was tried", hits)
	}
}

func TestTheSameSeedGivesTheSameFigures(t *testing.T) {
	t.Parallel()
	s := small(8, byRing)
	s.measure = 30 * time.Second
	figures := func(s scene) counts {
		c := mustSimulate(t, s)
		c.scene = scene{} // its functions can't be compared
		return c
	}
	first := figures(s)
	if again := figures(s); !reflect.DeepEqual(first, again) {
		t.Errorf("%+v, and then %+v", first, again)
	}
	s.seed++
	if other := figures(s); reflect.DeepEqual(first, other) {
		t.Error("another seed gives the same figures")
	}
}

func TestASimulationEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := simulate(ctx, small(2, atRandom)); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	if _, err := together(ctx, []scene{small(2, atRandom)}); !errors.Is(err, context.Canceled) {
		t.Errorf("several end with %v", err)
	}
}

func TestRatesHaveTheMeanAndTheUnlikenessAskedFor(t *testing.T) {
	s := usual
	rates := ratesOf(s)
	var sum, busiest float64
	for i, rate := range rates {
		sum += rate
		if i >= len(rates)*9/10 { // they rise
			busiest += rate
		}
	}
	near(t, "mean", sum/float64(len(rates)), s.rate, 1e-9)
	// Φ(skew − the normal's 90th percentile).
	near(t, "share of the busiest tenth", busiest/sum, 0.389, 0.01)
}

func TestAChooserDrawsByWeight(t *testing.T) {
	weights := []float64{1, 2, 3, 10, 0.5}
	c := newChooser(weights)
	random := rand.New(rand.NewPCG(1, 1))
	drawn := make([]float64, len(weights))
	const draws = 200_000
	for range draws {
		drawn[c.pick(random)]++
	}
	for i, weight := range weights {
		near(t, "share", drawn[i]/draws, weight/16.5, 0.005)
	}
}
