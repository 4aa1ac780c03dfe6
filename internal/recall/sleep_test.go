package recall

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/clock"
)

// TestMemory_SleepStopsIt: after the machine has slept nothing is recalled
// before a heartbeat that began after the resume, though the monotonic clock
// says that the last one was just now.
func TestMemory_SleepStopsIt(t *testing.T) {
	f := newFixture(64)
	f.remember(0, 1)
	s := f.sources[0]
	// at is a moment so long after the heartbeat, and so much of it asleep.
	at := func(awake, asleep time.Duration) clock.Reading {
		return clock.Reading{Monotonic: int64(awake), Wall: f.now.UnixNano() + int64(awake+asleep)}
	}
	recalls := func(at clock.Reading) bool { return f.recall(modelID(0), at) != nil }
	for _, test := range []struct {
		awake, asleep time.Duration
		want          bool
	}{
		{0, 0, true},
		{MaxSilence, 0, true},
		{MaxSilence + 1, 0, false},
		{time.Millisecond, time.Minute, false},
		{0, MaxSilence, false},
		{0, 30 * 24 * time.Hour, false},
		{MaxSilence - clock.MaxDrift, clock.MaxDrift, true}, // a nap; in all no more than MaxSilence
		{MaxSilence, 1, false},
		{time.Millisecond, -time.Hour, false}, // the wall clock was set back: it may hide a sleep
	} {
		if got := recalls(at(test.awake, test.asleep)); got != test.want {
			t.Errorf("awake %s and asleep %s after the heartbeat: recalled is %v", test.awake, test.asleep, got)
		}
	}

	const slept = 8 * time.Hour
	resumed := at(time.Millisecond, slept)
	s.beat(at(500*time.Microsecond, 0)) // began before the sleep, and is noted after it
	if recalls(resumed) {
		t.Error("recalled after a heartbeat that began before the sleep")
	}
	s.beat(at(time.Millisecond, slept))
	if !recalls(at(2*time.Millisecond, slept)) {
		t.Error("not recalled after a heartbeat that began after the sleep")
	}
	s.beat(at(time.Millisecond, 0)) // late, and of the same monotonic time
	if !recalls(at(2*time.Millisecond, slept)) {
		t.Error("a heartbeat from before the sleep replaces one from after it")
	}
}
