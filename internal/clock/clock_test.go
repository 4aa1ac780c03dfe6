package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAge_CountsSleepAndDoubtsASetClock(t *testing.T) {
	then := Reading{Monotonic: int64(time.Hour), Wall: time.Now().UnixNano()}
	for name, test := range map[string]struct {
		monotonic, wall, want time.Duration
	}{
		"the same moment":                        {0, 0, 0},
		"awake":                                  {time.Second, time.Second, time.Second},
		"awake for an hour":                      {time.Hour, time.Hour, time.Hour},
		"slewed":                                 {time.Second, 1080 * time.Millisecond, 1080 * time.Millisecond},
		"slewed the other way":                   {time.Second, 920 * time.Millisecond, time.Second},
		"a short sleep":                          {time.Second, 1200 * time.Millisecond, 1200 * time.Millisecond},
		"a sleep":                                {10 * time.Millisecond, 8 * time.Hour, Unknown},
		"the clock was set on":                   {10 * time.Millisecond, time.Second, Unknown},
		"the clock was set back":                 {10 * time.Millisecond, -time.Hour, Unknown},
		"a sleep, and the clock is set on":       {10 * time.Millisecond, 9 * time.Hour, Unknown},
		"a sleep of an hour, set back by two":    {10 * time.Millisecond, -time.Hour, Unknown},
		"a sleep, set back to a second after it": {10 * time.Millisecond, time.Second, Unknown},
	} {
		now := Reading{Monotonic: then.Monotonic + int64(test.monotonic), Wall: then.Wall + int64(test.wall)}
		if got := then.Age(now); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Without a set clock the age is never less than what has passed, sleep included.
func TestAge_IsNeverTooYoung(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		awake, slept := time.Duration(random.Int64N(int64(2*time.Second))), time.Duration(random.Int64N(int64(2*time.Second)))
		then := Reading{Monotonic: random.Int64N(1 << 50), Wall: random.Int64N(1 << 60)}
		now := Reading{Monotonic: then.Monotonic + int64(awake), Wall: then.Wall + int64(awake+slept)}
		if age := then.Age(now); age < awake+slept {
			t.Fatalf("awake %s, slept %s: age %s", awake, slept, age)
		}
	}
}

func TestAge_OfTimesWithoutAMonotonicReading(t *testing.T) {
	then := time.Unix(1_800_000_000, 0)
	if age := Age(then, then.Add(time.Hour)); age != time.Hour {
		t.Errorf("age %s, want an hour", age)
	}
}
