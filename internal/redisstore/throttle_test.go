package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// theory is the algorithm in plain words: the time of the next arrival.
type theory struct{ interval, burst, arrival time.Duration }

func (g *theory) wait(now time.Duration) time.Duration {
	return max(g.arrival, now) - now - g.burst
}

func (g *theory) take(now time.Duration) time.Duration {
	if wait := g.wait(now); wait > 0 {
		return wait
	}
	g.arrival = max(g.arrival, now) + g.interval
	return 0
}

// number is what a command answers that answers one.
func number(t *testing.T, server *redistest.Server, command ...string) int64 {
	t.Helper()
	var answer struct{ Value int64 }
	if err := json.Unmarshal([]byte(server.Do(t, command...)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Value
}

func TestTheServerCountsAsTheAlgorithmSays(t *testing.T) {
	server := redistest.Start(t)
	s := openAt(t, server.URL(), openUsers(t, nil), Options{})
	for round := range 20 {
		random := rand.New(rand.NewPCG(1, uint64(round)))
		key := "round" + strconv.Itoa(round)
		interval := time.Duration(5+random.IntN(3600)) * time.Second
		model := theory{interval: interval, burst: interval * time.Duration(random.IntN(20))}
		began, passed := time.Now(), time.Duration(0)
		slowest := time.Duration(0) // how far the clocks of both can be apart when they count
		// Time passes by moving the arrival, the one thing that is kept.
		pause := func(d time.Duration) {
			passed += d
			if number(t, server, "EXISTS", throttlePrefix+key) == 1 {
				server.Do(t, "DECRBY", throttlePrefix+key, strconv.FormatInt(d.Microseconds(), 10))
			}
		}
		for step := range 60 {
			if random.IntN(3) == 0 {
				pause(time.Duration(random.Int64N(int64(2 * interval))).Truncate(time.Microsecond))
			}
			if wait := model.wait(time.Since(began) + passed); wait.Abs() < 5*time.Second {
				pause(10 * time.Second) // not to ask while a slow machine can make the difference
			}
			asked := time.Now()
			want := model.take(asked.Sub(began) + passed)
			got, err := s.Take(t.Context(), key, model.interval, model.burst)
			if err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(asked))
			if (got == 0) != (want == 0) || (got-want).Abs() > time.Second+slowest {
				t.Fatalf("round %d, step %d: wait %s, want %s", round, step, got, want)
			}
		}
	}
}

// The server's clock steps back: nobody waits longer than for one interval.
func TestThrottle_ClockStepsBack(t *testing.T) {
	server := redistest.Start(t)
	s := openAt(t, server.URL(), openUsers(t, nil), Options{})
	take := func() time.Duration {
		wait, err := s.Take(t.Context(), "key", time.Minute, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	take()
	for _, step := range []time.Duration{time.Second, time.Hour, 10 * 365 * 24 * time.Hour} {
		server.Do(t, "INCRBY", throttlePrefix+"key", strconv.FormatInt(step.Microseconds(), 10))
		if wait := take(); wait > time.Minute {
			t.Errorf("step %s: waits %s", step, wait)
		}
	}
}

func TestACountGoesWhenNothingIsLeftToWaitFor(t *testing.T) {
	server := redistest.Start(t)
	s := openAt(t, server.URL(), openUsers(t, nil), Options{})
	for range 3 {
		if _, err := s.Take(t.Context(), "key", time.Minute, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if left := number(t, server, "PTTL", throttlePrefix+"key"); left <= 150_000 || left > 180_001 {
		t.Errorf("three attempts, a minute apart, are kept for %d ms", left)
	}
	for range 3 {
		if _, err := s.Take(t.Context(), "short", time.Millisecond, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	redistest.Eventually(t, "the count is gone", func() bool { return number(t, server, "EXISTS", throttlePrefix+"short") == 0 })
}

func TestNodesOfAClusterCountTogether(t *testing.T) {
	cluster := redistest.StartCluster(t)
	const nodes, keys, burst = 3, 20, 10
	var stores [nodes]*Store
	for i := range stores {
		stores[i] = openAt(t, cluster.URL(), openUsers(t, nil), Options{})
	}
	var passed [keys]atomic.Int32
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			for range burst {
				for k := range keys { // in slots of many masters
					wait, err := s.Take(context.Background(), fmt.Sprint(k), time.Hour, (burst-1)*time.Hour)
					if err != nil {
						t.Error(err)
					} else if wait == 0 {
						passed[k].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for k := range passed {
		if n := passed[k].Load(); n != burst {
			t.Errorf("key %d: %d passed on three nodes, want %d", k, n, burst)
		}
	}
}

func TestAServerThatHangsIsAwayWhenTheTimeIsOver(t *testing.T) {
	server := redistest.Start(t)
	s := openAt(t, server.URL(), openUsers(t, nil), Options{})
	if _, err := s.Take(t.Context(), "key", time.Hour, time.Hour); err != nil {
		t.Fatal(err)
	}
	server.Pause(t)
	defer server.Continue(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Take(ctx, "key", time.Hour, time.Hour); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
