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

// passTime has the store's lines believe that a time has passed: all times
// that a key holds move back, and its end with them.
const passTime = `
local arrival, taken, lots, full, draw = cmsgpack.unpack(redis.call('GET', KEYS[1]) or cmsgpack.pack(0, {}, {}, 0, 0))
local d = tonumber(ARGV[1])
for _, place in ipairs(taken) do place[3] = place[3] - d end
if draw > 0 then draw = draw - d end
local left = redis.call('PTTL', KEYS[1]) - d / 1000
redis.call('DEL', KEYS[1])
if left > 0 then redis.call('SET', KEYS[1], cmsgpack.pack(arrival - d, taken, lots, full, draw), 'PX', string.format('%.0f', math.ceil(left))) end
return 0`

// strangers are those who try at one account, at the store and at a throttle
// of one process that is the model.
type strangers struct {
	t      *testing.T
	server *redistest.Server
	store  *Store
	key    string
	rules  Line
	model  *guard.AccountThrottle
	began  time.Time
	passed time.Duration // that passTime told of
}

// newStrangers begin with a rate of attempts in a time, the rules of which are
// those that the model has.
func newStrangers(t *testing.T, server *redistest.Server, store *Store, key string, r guard.Rate) *strangers {
	s := &strangers{t: t, server: server, store: store, key: key, began: time.Now()}
	now := func() time.Time { return time.Unix(1_800_000_000, 0).Add(time.Since(s.began) + s.passed) }
	s.model = guard.NewAccountThrottle(r, now)
	rules := guard.NewAccountThrottle(r, now)
	rules.Share(func(_, _, _ string, r guard.LineRules, _ bool) (time.Duration, bool, bool) {
		s.rules = Line{Interval: r.Interval, Burst: r.Burst, Ahead: r.Ahead, Grace: r.Grace, Places: r.Places, Share: r.Share, Seed: "seed"}
		return 0, true, true
	}, nil)
	rules.Take(guard.AccountAttempt{Account: "a", Address: netip.IPv4Unspecified()})
	return s
}

// try asks as a node does: first without a wish for a place.
func (s *strangers) try(device, network int) time.Duration {
	s.t.Helper()
	for _, queue := range []bool{false, true} {
		wait, settled, err := s.store.TakeTurn(s.t.Context(), s.key, fmt.Sprint("device-", device), fmt.Sprint("network-", network), s.rules, queue)
		if err != nil {
			s.t.Fatal(err)
		}
		if settled {
			return wait
		}
	}
	s.t.Fatal("who wants a place is not settled")
	return 0
}

func (s *strangers) pass(d time.Duration) {
	s.t.Helper()
	d = d.Truncate(time.Microsecond)
	s.passed += d
	s.server.Do(s.t, "EVAL", passTime, "1", throttlePrefix+s.key, fmt.Sprint(d.Microseconds()))
}

// clear is a margin in which the slowness of a machine can't matter.
const clear = 5 * time.Second

// TestTheLineOfAllNodesIsThatOfOne as long as nobody has to draw lots, which
// are others in each process.
func TestTheLineOfAllNodesIsThatOfOne(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	for round := range 12 {
		random := rand.New(rand.NewPCG(2, uint64(round)))
		s := newStrangers(t, server, store, fmt.Sprint("round", round), guard.Rate{Attempts: 1 + random.IntN(5), Per: time.Duration(1+random.IntN(4)) * time.Minute})
		devices := min(s.rules.Places-1, 12)
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

// TestAFloodGetsTheRateAndWhoComesBackGetsIn through any store: a botnet takes
// all the turns it can, and one more comes back after each wait it is told.
func TestAFloodGetsTheRateAndWhoComesBackGetsIn(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newStrangers(t, server, store, "flooded", guard.Rate{Attempts: 10, Per: time.Minute})
	const bots = 400
	let, owner := 0, time.Duration(-1)
	for wave := range 3 {
		for bot := range bots {
			if s.try(bot, bot) == 0 {
				let++
			}
		}
		if wave == 1 {
			owner = s.try(bots, bots)
			if owner == 0 {
				t.Fatal("the owner does not wait: there is no flood")
			}
		}
		s.pass(s.rules.Interval)
	}
	got := false
	waited, turns := time.Duration(0), 0
	for ; !got && turns < 60; turns++ {
		s.pass(owner + time.Millisecond)
		waited += owner
		// The flood is first, always.
		for bot := range 40 {
			if s.try((turns*40+bot)%bots, (turns*40+bot)%bots) == 0 {
				let++
			}
		}
		owner = s.try(bots, bots)
		got = owner == 0
	}
	if !got {
		t.Errorf("the owner waited %d times, %s in all, and did not get in", turns, waited)
	}
	elapsed := time.Since(s.began) + s.passed
	if most := 10 + int((s.rules.Grace+elapsed)/s.rules.Interval) + 1; let > most {
		t.Errorf("%d guesses got through in %s, want at most %d", let, elapsed, most)
	}
	if size := number(t, server, "MEMORY", "USAGE", throttlePrefix+s.key); size > 64<<10 {
		t.Errorf("the line takes %d bytes", size)
	}
	if ttl := number(t, server, "PTTL", throttlePrefix+s.key); ttl <= 0 || time.Duration(ttl)*time.Millisecond > s.rules.Ahead*2+s.rules.Grace+s.rules.Burst {
		t.Errorf("the line is kept for %d ms", ttl)
	}
}

// TestAPlaceIsUsedOnce: whoever was let through on it has none any more.
func TestAPlaceIsUsedOnce(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newStrangers(t, server, store, "once", guard.Rate{Attempts: 1, Per: time.Minute})
	if wait := s.try(1, 1); wait != 0 {
		t.Fatalf("the first waits %s", wait)
	}
	wait := s.try(2, 2)
	if wait <= 0 {
		t.Fatal("the second does not wait")
	}
	s.pass(wait + s.rules.Interval)
	if wait := s.try(2, 2); wait != 0 {
		t.Errorf("who comes for a place waits %s", wait)
	}
	passed := 0
	for range 5 {
		if s.try(2, 2) == 0 {
			passed++
		}
	}
	if passed > 1 { // the rate, which had recovered
		t.Errorf("%d passed on a place that was used", passed)
	}
}

// TestOneNetworkHoldsItsShareOfALine: the rest of it draw lots, and a stranger
// from elsewhere finds a place.
func TestOneNetworkHoldsItsShareOfALine(t *testing.T) {
	server := redistest.Start(t)
	store := openAt(t, server.URL(), openUsers(t, nil), Options{})
	s := newStrangers(t, server, store, "share", guard.Rate{Attempts: 1, Per: time.Minute})
	s.try(0, 0)
	var longest time.Duration
	draws := 0
	for device := 1; device <= s.rules.Share+5; device++ {
		wait := s.try(device, 1)
		if device <= s.rules.Share && wait < longest+s.rules.Interval/2 {
			t.Errorf("device %d of one network waits %s after one that waits %s: it has no place of its own", device, wait, longest)
		}
		if device > s.rules.Share && (wait-longest).Abs() < s.rules.Interval/2 {
			draws++
		}
		longest = max(longest, wait)
	}
	if draws != 5 {
		t.Errorf("%d of 5 draw lots at the end of the line", draws)
	}
	if wait := s.try(100, 2); wait < longest+s.rules.Interval/2 {
		t.Errorf("a stranger from elsewhere waits %s, want a place behind %s", wait, longest)
	}
}
