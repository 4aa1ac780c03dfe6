package redisstore

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// passTime has the store's wait list believe that a time has passed: all times
// that the key holds move back, and its end with them. Less than no time is a
// clock that steps back.
const passTime = `
local arrival, slots, last = cmsgpack.unpack(redis.call('GET', KEYS[1]) or cmsgpack.pack(0, {}, 0))
local d = tonumber(ARGV[1])
for _, slot in ipairs(slots) do slot[3] = slot[3] - d end
local left = redis.call('PTTL', KEYS[1]) - d / 1000
redis.call('DEL', KEYS[1])
if left > 0 then redis.call('SET', KEYS[1], cmsgpack.pack(arrival - d, slots, last - d), 'PX', string.format('%.0f', math.ceil(left))) end
return 0`

// clients are those who try at one account, at the store and at a throttle
// of one process that is the model.
type clients struct {
	t      *testing.T
	server *redistest.Server
	store  *Store
	key    string
	rules  Waitlist
	model  *guard.AccountThrottle
	began  time.Time
	passed time.Duration // that passTime told of
}

// newClients begin with a rate of attempts in a time, the rules of which are
// those that the model has.
func newClients(t *testing.T, server *redistest.Server, store *Store, key string, r guard.Rate) *clients {
	s := &clients{t: t, server: server, store: store, key: key, began: time.Now()}
	now := func() time.Time { return time.Unix(1_800_000_000, 0).Add(time.Since(s.began) + s.passed) }
	s.model = guard.NewAccountThrottle(r, now)
	rules := guard.NewAccountThrottle(r, now)
	rules.Share(func(_, _, _ string, r guard.WaitlistRules, _ bool) (time.Duration, bool, bool) {
		s.rules = Waitlist(r)
		return 0, true, true
	}, nil)
	rules.Take(guard.AccountAttempt{Account: "a", Address: netip.IPv4Unspecified()})
	return s
}

// try asks as a node does: first without a wish for a slot.
func (s *clients) try(device, network int) time.Duration {
	s.t.Helper()
	for _, queue := range []bool{false, true} {
		wait, settled, err := s.store.TakeSlot(s.t.Context(), s.key, fmt.Sprint("device-", device), fmt.Sprint("network-", network), s.rules, queue)
		if err != nil {
			s.t.Fatal(err)
		}
		if settled {
			return wait
		}
	}
	s.t.Fatal("a client that wants a slot is not settled")
	return 0
}

func (s *clients) pass(d time.Duration) {
	s.t.Helper()
	d = d.Truncate(time.Microsecond)
	s.passed += d
	s.server.Do(s.t, "EVAL", passTime, "1", throttlePrefix+s.key, fmt.Sprint(d.Microseconds()))
}

// clear is a margin in which the slowness of a machine can't matter.
const clear = 5 * time.Second

// The wait list of all nodes is that of one process.
func TestWaitlist_IsThatOfOneProcess(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	for round := range 12 {
		random := rand.New(rand.NewPCG(2, uint64(round)))
		s := newClients(t, server, store, fmt.Sprint("round", round), guard.Rate{Attempts: 1 + random.IntN(5), Per: time.Duration(1+random.IntN(4)) * time.Minute})
		const devices = 12
		var due []time.Duration     // when somebody's wait ends
		slowest := time.Duration(0) // how far the clocks of both can be apart when they count
		for step := range 120 {
			switch random.IntN(6) {
			case 0:
				s.pass(time.Duration(random.Int64N(int64(2 * s.rules.Interval))))
			case 1:
				s.pass(s.rules.Grace / 3)
			}
			// Not near a moment at which the answer changes.
			for moved := true; moved; {
				moved = false
				now := time.Since(s.began) + s.passed
				for _, at := range due {
					if (at - now).Abs() < clear {
						s.pass(2*clear + at - now)
						moved = true
						break
					}
				}
			}
			n := random.IntN(devices)
			address := netip.AddrFrom4([4]byte{10, byte(n), 0, 1}) // a network each
			asked := time.Now()
			want := s.model.Take(guard.AccountAttempt{Account: "a", Address: address})
			got := s.try(n, n)
			slowest = max(slowest, time.Since(asked))
			if (got == 0) != (want == 0) || (got-want).Abs() > time.Second+slowest {
				t.Fatalf("round %d, step %d: device %d waits %s, want %s", round, step, n, got, want)
			}
			now := time.Since(s.began) + s.passed
			due = append(due, now+want, now+want+s.rules.Grace, now+s.rules.Interval)
			due = due[max(0, len(due)-3*devices):]
		}
	}
}

// A botnet that takes all the turns it can gets the rate, and one more client
// is let through when its slot is due, though the list is full.
func TestWaitlist_FloodGetsTheRateAndAPromiseIsKept(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newClients(t, server, store, "flooded", guard.Rate{Attempts: 10, Per: time.Minute})
	const bots = 300
	passed := 0
	flood := func(bots int) {
		for bot := range bots {
			if s.try(bot, bot) == 0 {
				passed++
			}
		}
	}
	flood(30)
	wait := s.try(bots, bots)
	if wait <= 0 {
		t.Fatal("the owner does not wait: there is no flood")
	}
	flood(bots)
	if again := s.try(bots+1, bots+1); again <= 0 || again > time.Minute {
		t.Errorf("without a slot a client is told to try again in %s", again)
	}
	s.pass(wait / 2)
	flood(40)
	if again := s.try(bots, bots); again <= 0 || again > wait/2+time.Millisecond {
		t.Errorf("told %s, and half of that later %s", wait, again)
	}
	s.pass(wait/2 + time.Millisecond)
	flood(40)
	if again := s.try(bots, bots); again != 0 {
		t.Errorf("came when told and waits %s", again)
	}
	elapsed := time.Since(s.began) + s.passed
	if most := 10 + int((s.rules.Grace+elapsed)/s.rules.Interval) + 1; passed > most {
		t.Errorf("%d guesses got through in %s, want at most %d", passed, elapsed, most)
	}
	if size := number(t, server, "MEMORY", "USAGE", throttlePrefix+s.key); size > 64<<10 {
		t.Errorf("the wait list takes %d bytes", size)
	}
	if ttl := number(t, server, "PTTL", throttlePrefix+s.key); ttl <= 0 || time.Duration(ttl)*time.Millisecond > s.rules.Ahead+s.rules.Grace+s.rules.Burst {
		t.Errorf("the wait list is kept for %d ms", ttl)
	}
}

func TestWaitlist_SlotIsUsedOnce(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newClients(t, server, store, "once", guard.Rate{Attempts: 1, Per: time.Minute})
	if wait := s.try(1, 1); wait != 0 {
		t.Fatalf("the first waits %s", wait)
	}
	wait := s.try(2, 2)
	if wait <= 0 {
		t.Fatal("the second does not wait")
	}
	s.pass(wait + s.rules.Interval)
	if wait := s.try(2, 2); wait != 0 {
		t.Errorf("a client that comes for its slot waits %s", wait)
	}
	passed := 0
	for range 5 {
		if s.try(2, 2) == 0 {
			passed++
		}
	}
	if passed > 1 { // the rate, which had recovered
		t.Errorf("%d passed on a slot that was used", passed)
	}
}

func TestWaitlist_OneNetworkHoldsItsShare(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newClients(t, server, store, "share", guard.Rate{Attempts: 1, Per: time.Minute})
	s.try(0, 0)
	var first, last time.Duration
	for device := 1; device <= s.rules.Share+5; device++ {
		wait := s.try(device, 1)
		switch {
		case device == 1:
			first, last = wait, wait
		case device <= s.rules.Share:
			if wait < last+s.rules.Interval/2 {
				t.Errorf("device %d of one network waits %s after one that waits %s: it has no slot of its own", device, wait, last)
			}
			last = wait
		case wait > first: // it has the time of the first, less what has passed
			t.Errorf("device %d of one network is told %s, want %s or less: when the first of its slots is due", device, wait, first)
		}
	}
	if wait := s.try(100, 2); wait < last+s.rules.Interval/2 {
		t.Errorf("a client from elsewhere waits %s, want a slot behind %s", wait, last)
	}
}

// The server's clock steps back: no wait is longer than it was, and a promise
// is kept.
func TestWaitlist_ClockStepsBack(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newClients(t, server, store, "clock", guard.Rate{Attempts: 1, Per: time.Minute})
	s.try(1, 1)
	wait := s.try(2, 2)
	for _, step := range []time.Duration{time.Second, time.Hour, 10 * 365 * 24 * time.Hour} {
		s.pass(-step)
		if again := s.try(2, 2); again <= 0 || again > wait {
			t.Errorf("step %s: told %s, then %s", step, wait, again)
		}
		if again := s.try(3, 3); again <= 0 || again > 2*wait+time.Second {
			t.Errorf("step %s: the next is told %s", step, again)
		}
		if ttl := time.Duration(number(t, server, "PTTL", throttlePrefix+s.key)) * time.Millisecond; ttl > 2*wait+s.rules.Grace+time.Second {
			t.Errorf("step %s: the wait list is kept for %s", step, ttl)
		}
	}
	s.pass(wait + time.Millisecond)
	if again := s.try(2, 2); again != 0 {
		t.Errorf("came when told and waits %s", again)
	}
	s.pass(10 * 365 * 24 * time.Hour)
	if wait := s.try(4, 4); wait != 0 {
		t.Errorf("after a step forward the first waits %s", wait)
	}
}
