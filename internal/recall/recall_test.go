package recall

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// fixture is a memory that hears, with a clock that stands still.
type fixture struct {
	*Memory
	heartbeat func(time.Time)
	now       time.Time
}

func newFixture(capacity int) *fixture {
	f := &fixture{now: time.Unix(1_800_000_000, 0)}
	f.Memory = New(capacity, func() time.Time { return f.now })
	f.heartbeat = f.Listen("the store")
	f.heartbeat(f.now)
	return f
}

func (f *fixture) pass(d time.Duration) {
	f.now = f.now.Add(d)
	f.heartbeat(f.now)
}

func (f *fixture) remember(session int, user int64) *auth.Known {
	k := &auth.Known{SessionID: modelID(session), UserID: user}
	f.Remember(k, f.Mark(), f.now)
	return k
}

func (f *fixture) recalls(session int) bool { return f.Recall(modelID(session), f.now) != nil }

func TestNewsForgetsWhatItIsAboutAndNothingElse(t *testing.T) {
	for _, test := range []struct {
		name   string
		news   auth.News
		remain [3]bool // session 0 of user 1, session 1 of user 1, session 2 of user 2
	}{
		{"a session ended", auth.News{Session: modelID(0)}, [3]bool{false, true, true}},
		{"a session that nobody remembers ended", auth.News{Session: modelID(9)}, [3]bool{true, true, true}},
		{"a user changed", auth.News{User: 1}, [3]bool{false, false, true}},
		{"both", auth.News{User: 2, Session: modelID(1)}, [3]bool{true, false, false}},
		{"everything", auth.News{}, [3]bool{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(64)
			f.remember(0, 1)
			f.remember(1, 1)
			f.remember(2, 2)
			f.Hear(test.news)
			for i, want := range test.remain {
				if got := f.recalls(i); got != want {
					t.Errorf("session %d: recalled is %v", i, got)
				}
			}
			f.remember(0, 1)
			if !f.recalls(0) {
				t.Error("what is read after the news is not remembered")
			}
		})
	}
}

func TestWhatWasReadWhileNewsCameIsNotRemembered(t *testing.T) {
	for name, news := range map[string]auth.News{
		"of the session": {Session: modelID(0)}, "of the user": {User: 1}, "of everything": {},
	} {
		f := newFixture(64)
		mark := f.Mark()
		f.Hear(news)
		f.Remember(&auth.Known{SessionID: modelID(0), UserID: 1}, mark, f.now)
		if f.recalls(0) {
			t.Errorf("news %s: recalled", name)
		}
	}
}

func TestSilenceStopsTheMemoryAndAHeartbeatBringsItBack(t *testing.T) {
	f := newFixture(64)
	f.remember(0, 1)
	f.now = f.now.Add(MaxSilence)
	if !f.recalls(0) || !f.Hearing(f.now) {
		t.Error("not recalled though the heartbeat is not too old")
	}
	f.now = f.now.Add(1)
	if f.recalls(0) || f.Hearing(f.now) {
		t.Error("recalled after too long a silence")
	}
	f.heartbeat(f.now.Add(-2 * MaxSilence)) // late, and older than the last one
	if f.recalls(0) {
		t.Error("a heartbeat that began long ago counts as new")
	}
	f.pass(0)
	if !f.recalls(0) {
		t.Error("the heartbeat came back, the memory did not")
	}
}

func TestNothingIsRecalledBeforeTheFirstHeartbeat(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, sources := range []int{0, 1, 2} {
		m := New(64, func() time.Time { return now })
		for range sources {
			m.Listen("a store")
		}
		m.Remember(&auth.Known{SessionID: modelID(0), UserID: 1}, m.Mark(), now)
		if m.Recall(modelID(0), now) != nil {
			t.Errorf("%d sources: recalled", sources)
		}
	}
}

func TestTheSilenceOfOneSourceIsEnough(t *testing.T) {
	f := newFixture(64)
	other := f.Listen("the other")
	f.remember(0, 1)
	if f.recalls(0) {
		t.Error("recalled though one source was never heard")
	}
	if got := f.Deaf(f.now); len(got) != 1 || got[0] != "the other" {
		t.Errorf("deaf to %q", got)
	}
	other(f.now)
	if !f.recalls(0) || len(f.Deaf(f.now)) != 0 {
		t.Error("not recalled though both are heard")
	}
	f.pass(MaxSilence + 1) // the first one is heard, the other is not
	if f.recalls(0) || f.Hearing(f.now) {
		t.Error("recalled in the silence of one source")
	}
}

func TestWhatIsOldIsReadAgain(t *testing.T) {
	f := newFixture(64)
	f.remember(0, 1)
	f.pass(MaxAge)
	if !f.recalls(0) {
		t.Error("not recalled at the age limit")
	}
	f.pass(time.Second + 1) // it is counted in whole seconds
	if f.recalls(0) {
		t.Error("recalled beyond the age limit")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFixture(100)
	for i := range 100_000 {
		var id auth.SessionID
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
		binary.LittleEndian.PutUint64(id[8:], uint64(i+1))
		f.Remember(&auth.Known{SessionID: id, UserID: 1}, f.Mark(), f.now)
	}
	stats := f.Stats()
	if stats.Capacity != 104 || stats.Entries != stats.Capacity || stats.Evicted != 100_000-104 {
		t.Errorf("%+v", stats)
	}
	long := &auth.Known{SessionID: modelID(0), UserID: 1}
	f.Remember(long, f.Mark(), f.now)
	if !f.recalls(0) {
		t.Error("a new session finds no place")
	}
}

func TestASessionInUseIsNotEvictedByOthersThatAreSeenOnce(t *testing.T) {
	f := newFixture(ways) // one set: every session competes with every other
	f.remember(0, 1)
	for i := 1; i < 200; i++ {
		if !f.recalls(0) {
			t.Fatalf("gone after %d others", i)
		}
		f.remember(i, 1)
	}
}

func TestCountsAddUp(t *testing.T) {
	f := newFixture(64)
	f.remember(0, 1)
	f.recalls(0)
	f.recalls(0)
	f.recalls(1)
	f.remember(0, 1) // again
	if s := f.Stats(); s.Hits != 2 || s.Misses != 1 || s.Entries != 1 || s.Evicted != 0 || s.Heard != 0 {
		t.Errorf("%+v", s)
	}
	f.Hear(auth.News{Session: modelID(0)})
	if s := f.Stats(); s.Entries != 0 || s.Heard != 1 {
		t.Errorf("after the news: %+v", s)
	}
}

// TestManyAtOnce lets writers end sessions among many readers; once the
// end is acknowledged nobody may recall the session's former state.
func TestManyAtOnce(t *testing.T) {
	const (
		sessions = 64
		rounds   = 300
	)
	f := newFixture(32) // too small for all of them
	var stored [sessions]atomic.Int64
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; !stop.Load(); i = (i + 7) % sessions {
				least := stored[i].Load() / 2
				k := f.Recall(modelID(i), f.now)
				if k == nil {
					mark := f.Mark()
					version := stored[i].Load()
					f.Remember(&auth.Known{SessionID: modelID(i), UserID: version + 1}, mark, f.now)
					continue
				}
				if got := k.UserID / 2; got < least {
					t.Errorf("session %d: state %d, after %d was acknowledged", i, got, least)
					return
				}
			}
		})
	}
	// State n of a session is committed as 2n-1 and acknowledged as 2n; a user
	// id holds what was read, and one more, so that halving it gives n.
	for w := range 2 {
		writers.Go(func() {
			for range rounds {
				for i := w; i < sessions; i += 2 {
					stored[i].Add(1)
					f.Hear(auth.News{Session: modelID(i)})
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if s := f.Stats(); s.Hits == 0 {
		t.Error("nothing was ever recalled: the test has tested nothing")
	}
}

func BenchmarkRecall(b *testing.B) {
	for name, remembered := range map[string]int{"1000": 1000, "100000": 100_000} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(1 << 18)
			ids := make([]auth.SessionID, remembered)
			for i := range ids {
				binary.LittleEndian.PutUint64(ids[i][:], rand.Uint64())
				binary.LittleEndian.PutUint64(ids[i][8:], rand.Uint64())
				f.Remember(&auth.Known{SessionID: ids[i], UserID: int64(i + 1)}, f.Mark(), f.now)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(remembered); pb.Next(); i = (i + 7919) % remembered {
					f.Recall(ids[i], f.now)
				}
			})
			s := f.Stats()
			b.ReportMetric(100*float64(s.Hits)/float64(s.Hits+s.Misses), "%hits")
		})
	}
}
