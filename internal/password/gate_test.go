package password

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// occupy takes a place of the gate until the returned function is called.
func occupy(t *testing.T, g *Gate) (leave func()) {
	t.Helper()
	gone := make(chan struct{})
	left := make(chan struct{})
	go func() {
		defer close(left)
		if err := g.Do(context.Background(), someone, func() { <-gone }); err != nil {
			t.Errorf("occupy a place: %v", err)
		}
	}()
	synctest.Wait()
	return func() { close(gone); <-left }
}

func nothing() {}

var someone = netip.MustParseAddr("192.0.2.1")

func TestTheGateAdmitsAsManyAsItHasWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 3, Queue: 100, Wait: time.Hour})
		var mu sync.Mutex
		var inside, most, done int
		for range 20 {
			go func() {
				err := g.Do(t.Context(), someone, func() {
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					time.Sleep(time.Second) // the clock of the bubble
					mu.Lock()
					inside--
					done++
					mu.Unlock()
				})
				if err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most != 3 || done != 20 {
			t.Errorf("at most %d inside and %d done, want 3 and 20", most, done)
		}
	})
}

func TestTheGateRefusesAtOnceWhenItsQueueIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 2, Wait: time.Hour})
		leave := occupy(t, g)
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- g.Do(t.Context(), someone, nothing) }()
		}
		synctest.Wait()
		start := time.Now()
		err := g.Do(t.Context(), someone, func() { t.Error("work was run") })
		if !errors.Is(err, ErrBusy) || time.Since(start) != 0 {
			t.Errorf("Do = %v after %v, want ErrBusy at once", err, time.Since(start))
		}
		leave()
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("one of the queue: %v", err)
			}
		}
		if err := g.Do(t.Context(), someone, nothing); err != nil {
			t.Errorf("after the queue: %v", err)
		}
	})
}

func TestTheGateGivesUpWhenTheWaitIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 1, Wait: 3 * time.Second})
		leave := occupy(t, g)
		for range 2 { // the second shows that the first left the queue
			start := time.Now()
			err := g.Do(t.Context(), someone, func() { t.Error("work was run") })
			if !errors.Is(err, ErrBusy) || time.Since(start) != 3*time.Second {
				t.Errorf("Do = %v after %v, want ErrBusy after 3s", err, time.Since(start))
			}
		}
		leave()
		if err := g.Do(t.Context(), someone, nothing); err != nil {
			t.Errorf("with a free place: %v", err)
		}
	})
}

func TestTheGateLetsGoOfACallerWhoIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 1, Wait: time.Hour})
		leave := occupy(t, g)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			err := g.Do(ctx, someone, func() { t.Error("work was run") })
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("Do = %v after %v", err, time.Since(start))
			}
			cancel()
		}
		leave()
	})
}

func TestACallerWhoIsGoneBeforeGetsNoPlace(t *testing.T) {
	t.Parallel()
	g := NewGate(GateOptions{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Do(ctx, someone, func() { t.Error("work was run") }); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v", err)
	}
	if err := g.Do(t.Context(), someone, nothing); err != nil {
		t.Errorf("the place was kept: %v", err)
	}
}

// A caller may go at the very moment a place comes free: then work must not
// run, or must have run; the place comes back either way.
func TestAPlaceIsNeverLostToACallerWhoGoesAsItComesFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 1, Wait: time.Hour})
		for range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			leave := occupy(t, g)
			result, ran := make(chan error, 1), false
			go func() { result <- g.Do(ctx, someone, func() { ran = true }) }()
			synctest.Wait()
			go cancel()
			leave()
			if err := <-result; ran != (err == nil) {
				t.Fatalf("Do = %v, work was run: %v", err, ran)
			}
			cancel()
		}
		if err := g.Do(t.Context(), someone, nothing); err != nil {
			t.Errorf("a place was lost: %v", err)
		}
	})
}

func TestThePlaceComesBackWhenWorkPanicsOrEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	g := NewGate(GateOptions{Workers: 1, Queue: 1, Wait: time.Millisecond})
	func() {
		defer func() {
			if recovered := recover(); recovered != "boom" {
				t.Errorf("recovered %v: the panic is the caller's", recovered)
			}
		}()
		_ = g.Do(t.Context(), someone, func() { panic("boom") })
	}()
	if err := g.Do(t.Context(), someone, nothing); err != nil {
		t.Errorf("after a panic: %v", err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { _ = g.Do(t.Context(), someone, runtime.Goexit) })
	wait.Wait()
	if err := g.Do(t.Context(), someone, nothing); err != nil {
		t.Errorf("after Goexit: %v", err)
	}
}

func TestThoseWhoWaitAreServedInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 10, Wait: time.Hour})
		leave := occupy(t, g)
		var served []int
		for i := range 5 {
			go func() {
				if err := g.Do(t.Context(), someone, func() { served = append(served, i) }); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		if !slices.Equal(served, []int{0, 1, 2, 3, 4}) {
			t.Errorf("served %v", served)
		}
	})
}

func TestAGateHasDefaults(t *testing.T) {
	t.Parallel()
	for _, o := range []GateOptions{{}, {Workers: -1, Queue: -1, Wait: -1}} {
		g := NewGate(o)
		if g.workers != runtime.GOMAXPROCS(0) || g.queue != 256 || g.wait != 5*time.Second {
			t.Errorf("NewGate(%+v) = %d workers, %d in the queue, %v", o, g.workers, g.queue, g.wait)
		}
	}
}
