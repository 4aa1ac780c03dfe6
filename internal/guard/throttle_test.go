package guard

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestThrottle_BurstThenRate(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	throttle := NewThrottle(Rate{Attempts: 10, Per: time.Minute}, func() time.Time { return now })
	for i := range 10 {
		if wait := throttle.Take("a"); wait != 0 {
			t.Fatalf("attempt %d has to wait %s", i+1, wait)
		}
	}
	if wait := throttle.Take("a"); wait != 6*time.Second {
		t.Errorf("the eleventh waits %s, want 6 s", wait)
	}
	if wait := throttle.Take("b"); wait != 0 {
		t.Errorf("another key waits %s", wait)
	}
	now = now.Add(6 * time.Second)
	if wait := throttle.Take("a"); wait != 0 {
		t.Errorf("after the wait: %s", wait)
	}
	if wait := throttle.Take("a"); wait != 6*time.Second {
		t.Errorf("right after it: %s", wait)
	}
	now = now.Add(time.Hour)
	for i := range 10 {
		if wait := throttle.Take("a"); wait != 0 {
			t.Fatalf("attempt %d of the next burst has to wait %s", i+1, wait)
		}
	}
}

func TestThrottle_OffNeverRefuses(t *testing.T) {
	throttle := NewThrottle(Rate{}, time.Now)
	for range 1000 {
		if throttle.Take("a") != 0 {
			t.Fatal("refused")
		}
	}
}

func TestThrottle_WaitIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{Attempts: rapid.IntRange(1, 20).Draw(t, "attempts"), Per: time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second}
		start := time.Unix(1_800_000_000, 0)
		now := start
		throttle := NewThrottle(rate, func() time.Time { return now })
		passed := 0
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Millisecond)
			wait := throttle.Take("a")
			if wait > 0 && rapid.Bool().Draw(t, "patient") {
				now = now.Add(wait)
				if wait = throttle.Take("a"); wait != 0 {
					t.Fatalf("waited as told and was refused for another %s", wait)
				}
			}
			if wait == 0 {
				passed++
			}
			interval := rate.Per / time.Duration(rate.Attempts)
			if most := rate.Attempts + int(now.Sub(start)/interval); passed > most {
				t.Fatalf("%d passed in %s, want at most %d", passed, now.Sub(start), most)
			}
		}
	})
}

// A clock that steps back makes no wait longer, one that stands still none
// shorter, and one that steps forward lets no more through than the rate.
func TestThrottle_ClockSteps(t *testing.T) {
	for _, rate := range []Rate{{60, time.Minute}, {1, time.Second}, {1, 24 * time.Hour}, {1_000_000, time.Second}, {10, time.Minute}} {
		interval := max(1, rate.Per/time.Duration(rate.Attempts))
		for _, step := range []time.Duration{-100 * 365 * 24 * time.Hour, -time.Hour, -time.Second, -1, 0} {
			now := time.Unix(1_800_000_000, 0)
			throttle := NewThrottle(rate, func() time.Time { return now })
			throttle.Take("some")
			for range rate.Attempts {
				throttle.Take("all")
			}
			now = now.Add(step)
			if wait := throttle.Take("some"); wait > interval || rate.Attempts > 1 && wait > 0 {
				t.Errorf("%v, step %s: one attempt was made, and the next waits %s", rate, step, wait)
			}
			if wait := throttle.Take("all"); wait != interval {
				t.Errorf("%v, step %s: all attempts were made, and the next waits %s, want %s", rate, step, wait, interval)
			}
			if wait := throttle.Take("new"); wait != 0 {
				t.Errorf("%v, step %s: the first attempt of a key waits %s", rate, step, wait)
			}
			now = now.Add(interval)
			if wait := throttle.Take("all"); wait != 0 {
				t.Errorf("%v, step %s: came when told and waits %s", rate, step, wait)
			}
		}
	}
	now := time.Unix(1_800_000_000, 0)
	throttle := NewThrottle(tenAMinute, func() time.Time { return now })
	for range 2 {
		now = now.Add(100 * 365 * 24 * time.Hour)
		passed := 0
		for range 50 {
			if throttle.Take("key") == 0 {
				passed++
			}
		}
		if passed != tenAMinute.Attempts {
			t.Errorf("%d passed after a step forward, want %d", passed, tenAMinute.Attempts)
		}
	}
}

// No flood of other keys resets a count, and the memory is bounded all the same.
func TestThrottle_FloodOfOtherKeysResetsNoCount(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	throttle := NewThrottle(Rate{Attempts: 2, Per: time.Hour}, func() time.Time { return now })
	throttle.Take("key")
	throttle.Take("key")
	late := make(map[string]int)
	for i := range throttleShards * maxThrottled * 5 / 4 {
		throttle.Take(fmt.Sprint(i))
		if i > throttleShards*maxThrottled*6/5 {
			late[fmt.Sprint(i)] = 1
		}
	}
	for i := range throttle.shards {
		if n := len(throttle.shards[i].next); n != maxThrottled {
			t.Errorf("shard %d keeps %d keys", i, n)
		}
	}
	if wait := throttle.Take("key"); wait != 30*time.Minute {
		t.Errorf("after the flood the key waits %s, want 30 min", wait)
	}
	for key := range late {
		first, second := throttle.Take(key), throttle.Take(key)
		if first == 0 && second == 0 {
			t.Fatalf("three attempts passed under %s, which came when no room was left", key)
		}
	}
	// Once the counts have decayed, every key has one of its own again.
	now = now.Add(time.Hour)
	for i := range 1000 {
		key := fmt.Sprint("after", i)
		first, second, third := throttle.Take(key), throttle.Take(key), throttle.Take(key)
		if first != 0 || second != 0 || third == 0 {
			t.Fatalf("%s does not get its rate after the flood", key)
		}
	}
}

func TestThrottle_IsExactInParallel(t *testing.T) {
	now := time.Now()
	throttle := NewThrottle(Rate{Attempts: 50, Per: time.Hour}, func() time.Time { return now })
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if throttle.Take("a") == 0 {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != 50 {
		t.Errorf("%d passed, want 50", passed.Load())
	}
}

func TestAnIPv6SubscriberIsOneKey(t *testing.T) {
	key := func(s string) string { return AddressKey(netip.MustParseAddr(s)) }
	if key("2001:db8::1") != key("2001:db8::ffff:1") || key("2001:db8::1") == key("2001:db8:0:1::1") {
		t.Error("IPv6 addresses are not held together by their /64")
	}
	if key("192.0.2.1") == key("192.0.2.2") {
		t.Error("two IPv4 addresses are one")
	}
}

func BenchmarkThrottle(b *testing.B) {
	throttle := NewThrottle(Rate{Attempts: 10, Per: time.Minute}, time.Now)
	b.ReportAllocs()
	for b.Loop() {
		throttle.Take("192.0.2.1")
	}
}
