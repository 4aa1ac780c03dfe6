package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}) }

// queueUp starts a Do that waits and returns where its error will be.
func queueUp(t *testing.T, g *Gate, from netip.Addr, work func()) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- g.Do(context.Background(), from, work) }()
	synctest.Wait()
	return result
}

func TestAFlooderDoesNotKeepOthersWaitingBehindIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 100, Wait: time.Hour})
		leave := occupy(t, g)
		var served []string
		for range 50 {
			queueUp(t, g, address(1), func() { served = append(served, "flooder") })
		}
		for i := range 3 {
			queueUp(t, g, address(2+i), func() { served = append(served, fmt.Sprint(i)) })
		}
		leave()
		synctest.Wait()
		if got, want := served[:8], []string{"flooder", "0", "1", "2", "flooder", "flooder", "flooder", "flooder"}; !slices.Equal(got, want) {
			t.Errorf("served %v, want %v", got, want)
		}
		if len(served) != 53 {
			t.Errorf("%d served", len(served))
		}
	})
}

func TestWhoFillsTheQueueMakesRoomForWhoDoesNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 3, Wait: time.Hour})
		leave := occupy(t, g)
		var flood []<-chan error
		for range 3 {
			flood = append(flood, queueUp(t, g, address(1), nothing))
		}
		newcomer := queueUp(t, g, address(2), nothing)
		select {
		case err := <-flood[2]:
			if !errors.Is(err, ErrBusy) {
				t.Errorf("who came last: %v", err)
			}
		default:
			t.Error("who came last still waits")
		}
		// With two lines of two and one nobody is so much longer that it must yield.
		if err := <-queueUp(t, g, address(2), nothing); !errors.Is(err, ErrBusy) {
			t.Errorf("a second of the newcomer's: %v", err)
		}
		if err := <-queueUp(t, g, address(1), nothing); !errors.Is(err, ErrBusy) {
			t.Errorf("a fourth of the flooder's: %v", err)
		}
		leave()
		for _, result := range []<-chan error{flood[0], flood[1], newcomer} {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		if s := g.Stats(); s.Admitted != 4 || s.Refused != 3 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnIPv6NeighbourhoodIsOneAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
	} {
		if got := neighbourhood(netip.MustParseAddr(test.a)) == neighbourhood(netip.MustParseAddr(test.b)); got != test.same {
			t.Errorf("%s and %s: same is %v", test.a, test.b, got)
		}
	}
	if neighbourhood(netip.Addr{}) != (netip.Addr{}) {
		t.Error("the operator has a neighbourhood")
	}
}

func TestTheGateCountsWhatItDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Workers: 1, Queue: 2, Wait: 3 * time.Second})
		leave := occupy(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- g.Do(ctx, address(1), nothing) }()
		expired := queueUp(t, g, address(1), nothing)
		if err := g.Do(t.Context(), address(1), nothing); !errors.Is(err, ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		if s := g.Stats(); s != (GateStats{Workers: 1, Queue: 2, Busy: 1, Waiting: 2, Admitted: 1, Refused: 1}) {
			t.Errorf("%+v", s)
		}
		cancel()
		<-gone
		<-expired
		late := queueUp(t, g, address(1), nothing)
		time.Sleep(2 * time.Second)
		leave()
		<-late
		synctest.Wait()
		if s := g.Stats(); s != (GateStats{Workers: 1, Queue: 2, Admitted: 2, Refused: 1, Expired: 1, Abandoned: 1}) {
			t.Errorf("%+v", s)
		}
	})
}

// TestTheGateKeepsItsBoundsWhateverComes sends jobs from several addresses
// that come, run and go away at random times.
func TestTheGateKeepsItsBoundsWhateverComes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		workers, queue := rapid.IntRange(1, 3).Draw(r, "workers"), rapid.IntRange(1, 6).Draw(r, "queue")
		type call struct {
			at, runs, patience time.Duration
			from               int
		}
		calls := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) call {
			ms := func(name string, most int) time.Duration {
				return time.Duration(rapid.IntRange(0, most).Draw(r, name)) * time.Millisecond
			}
			return call{ms("at", 100), ms("runs", 20), ms("patience", 60), rapid.IntRange(1, 4).Draw(r, "from")}
		}), 1, 40).Draw(r, "calls")
		failed := ""
		fail := func(format string, args ...any) { failed = fmt.Sprintf(format, args...) }
		synctest.Test(t, func(*testing.T) {
			g := NewGate(GateOptions{Workers: workers, Queue: queue, Wait: 30 * time.Millisecond})
			var inside, ran, refused atomic.Int64
			var all sync.WaitGroup
			for _, c := range calls {
				all.Go(func() {
					time.Sleep(c.at)
					ctx, cancel := context.WithTimeout(context.Background(), c.patience)
					defer cancel()
					times := 0
					err := g.Do(ctx, address(c.from), func() {
						times++
						if inside.Add(1) > int64(workers) {
							fail("more than %d inside", workers)
						}
						time.Sleep(c.runs)
						inside.Add(-1)
					})
					if (err == nil) != (times == 1) || times > 1 {
						fail("Do = %v, work was run %d times", err, times)
					}
					if err == nil {
						ran.Add(1)
					} else {
						refused.Add(1)
					}
					if s := g.Stats(); s.Waiting > queue || s.Busy > workers {
						fail("%+v", s)
					}
				})
			}
			all.Wait()
			synctest.Wait()
			s := g.Stats()
			// Who is gone before Do begins is not counted.
			if s.Busy != 0 || s.Waiting != 0 || s.Admitted != uint64(ran.Load()) || s.Refused+s.Expired+s.Abandoned > uint64(refused.Load()) {
				fail("at the end %+v, %d ran, %d did not", s, ran.Load(), refused.Load())
			}
			if len(g.lines) != 0 || len(g.turns) != 0 {
				fail("%d lines, %d turns are left", len(g.lines), len(g.turns))
			}
		})
		if failed != "" {
			r.Fatal(failed)
		}
	})
}
