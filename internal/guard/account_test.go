package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tenAMinute is the rate of these tests: 6 s between two attempts.
var tenAMinute = Rate{Attempts: 10, Per: time.Minute}

// siege is an account throttle with a clock that the test moves.
type siege struct {
	*AccountThrottle
	now time.Time
}

func newSiege(r Rate) *siege {
	s := &siege{now: time.Unix(1_800_000_000, 0)}
	s.AccountThrottle = NewAccountThrottle(r, func() time.Time { return s.now })
	return s
}

func (s *siege) try(account string, from netip.Addr) time.Duration {
	return s.Take(AccountAttempt{Account: account, Address: from})
}

// exhaust guesses from addresses of its own until the plain rate is used up.
func (s *siege) exhaust(t *testing.T, account string) {
	t.Helper()
	for i := range tenAMinute.Attempts {
		if wait := s.try(account, bot(i)); wait != 0 {
			t.Fatalf("guess %d waits %s", i+1, wait)
		}
	}
}

// bot is the nth address of a botnet, each in a network of its own.
func bot(n int) netip.Addr {
	var a [16]byte
	binary.BigEndian.PutUint32(a[:], 0x20010000+uint32(n))
	return netip.AddrFrom16(a)
}

var (
	home = netip.MustParseAddr("192.0.2.1")
	away = netip.MustParseAddr("198.51.100.1")
)

func TestAccountThrottle_UnrecognisedClientsShareOneRate(t *testing.T) {
	for _, account := range []string{"owner", "nobody"} {
		s := newSiege(tenAMinute)
		s.LoggedIn("owner", home)
		s.exhaust(t, account)
		if wait := s.try(account, away); wait != 6*time.Second {
			t.Errorf("%s: the eleventh address waits %s, want 6 s", account, wait)
		}
		if wait := s.try("another", away); wait != 0 {
			t.Errorf("%s: another account waits %s", account, wait)
		}
	}
}

func TestAccountThrottle_RecognisedDeviceHasItsOwnRate(t *testing.T) {
	session := AccountAttempt{Account: "owner", Address: away, Session: "a session of the owner"}
	for name, test := range map[string]struct {
		before  func(s *siege)
		attempt AccountAttempt
		known   bool
	}{
		"the address of a login":          {func(s *siege) { s.LoggedIn("owner", home) }, AccountAttempt{Account: "owner", Address: home}, true},
		"a live session":                  {func(*siege) {}, session, true},
		"an unrecognised client":          {func(*siege) {}, AccountAttempt{Account: "owner", Address: home}, false},
		"the address of another's login":  {func(s *siege) { s.LoggedIn("attacker", home) }, AccountAttempt{Account: "owner", Address: home}, false},
		"the address of a login long ago": {func(s *siege) { s.LoggedIn("owner", home); s.now = s.now.Add(deviceAge) }, AccountAttempt{Account: "owner", Address: home}, false},
		"a login before eight others": {func(s *siege) {
			s.LoggedIn("owner", home)
			for i := range devicesOfAccount {
				s.LoggedIn("owner", bot(1000+i))
			}
		}, AccountAttempt{Account: "owner", Address: home}, false},
		"an address of a stored session": {func(*siege) {}, AccountAttempt{Account: "owner", Address: home,
			Addresses: func(context.Context) ([]netip.Addr, error) { return []netip.Addr{away, home}, nil }}, true},
		"an address of no stored session": {func(*siege) {}, AccountAttempt{Account: "owner", Address: home,
			Addresses: func(context.Context) ([]netip.Addr, error) { return []netip.Addr{away}, nil }}, false},
	} {
		s := newSiege(tenAMinute)
		test.before(s)
		s.exhaust(t, "owner")
		passed := 0
		for range 2 * tenAMinute.Attempts {
			if s.Take(test.attempt) == 0 {
				passed++
			}
		}
		if want := map[bool]int{true: tenAMinute.Attempts, false: 0}[test.known]; passed != want {
			t.Errorf("%s: %d passed, want %d", name, passed, want)
		}
	}
}

func TestAccountThrottle_LooksUpSessionsOnceAMinuteAndOnlyWhenRefused(t *testing.T) {
	s := newSiege(tenAMinute)
	asked := 0
	var fails error
	try := func(i int) {
		s.Take(AccountAttempt{Account: "owner", Address: bot(i), Addresses: func(context.Context) ([]netip.Addr, error) { asked++; return nil, fails }})
	}
	for i := range tenAMinute.Attempts {
		try(i)
	}
	if asked != 0 {
		t.Errorf("asked %d times while the rate lasts", asked)
	}
	fails = errors.New("the store is away")
	try(100)
	fails = nil
	if asked != 1 {
		t.Errorf("asked %d times for the first who is refused", asked)
	}
	for i := range 1000 {
		try(200 + i)
	}
	if asked != 2 {
		t.Errorf("asked %d times in a moment, want once after the one that failed", asked)
	}
	s.now = s.now.Add(lookupEvery)
	for i := range 100 {
		try(2000 + i)
	}
	if asked != 3 {
		t.Errorf("asked %d times, want once more a minute later", asked)
	}
}

// The look-ups for other names leave those for the owner what they need.
func TestAccountThrottle_FloodOfOtherNamesLeavesTheOwnerRecognised(t *testing.T) {
	s := newSiege(tenAMinute)
	none := func(context.Context) ([]netip.Addr, error) { return nil, nil }
	for name := range maxLooked + 100 {
		s.lookUp(&AccountAttempt{Account: fmt.Sprint(name), Address: home, Addresses: none}, s.client(fmt.Sprint(name), home).account)
	}
	if n := len(s.lookups.looked); n != maxLooked {
		t.Errorf("%d accounts are remembered as looked up, want %d", n, maxLooked)
	}
	s.exhaust(t, "owner")
	owner := AccountAttempt{Account: "owner", Address: home, Addresses: func(context.Context) ([]netip.Addr, error) { return []netip.Addr{home}, nil }}
	if wait := s.Take(owner); wait != 0 {
		t.Errorf("the owner's own address waits %s", wait)
	}
}

// blockedLookups are look-ups that go on until they are released.
type blockedLookups struct {
	begun, release chan struct{}
	asked          atomic.Int32
}

func (b *blockedLookups) look(context.Context) ([]netip.Addr, error) {
	b.asked.Add(1)
	b.begun <- struct{}{}
	<-b.release
	return []netip.Addr{home}, nil
}

func newBlockedLookups() *blockedLookups {
	return &blockedLookups{begun: make(chan struct{}, 100), release: make(chan struct{})}
}

func TestAccountThrottle_ClientsWaitForTheSameLookup(t *testing.T) {
	s, b := newSiege(tenAMinute), newBlockedLookups()
	s.lookups.wait = time.Hour
	s.exhaust(t, "owner")
	var wg sync.WaitGroup
	var recognised atomic.Int32
	for range 5 {
		wg.Go(func() {
			if s.Take(AccountAttempt{Account: "owner", Address: home, Addresses: b.look}) == 0 {
				recognised.Add(1)
			}
		})
	}
	<-b.begun
	close(b.release)
	wg.Wait()
	if recognised.Load() != 5 || b.asked.Load() != 1 {
		t.Errorf("%d of 5 clients were recognised after %d look-ups, want one", recognised.Load(), b.asked.Load())
	}
}

func TestAccountThrottle_LookupsAtOnceAreBounded(t *testing.T) {
	s, b := newSiege(tenAMinute), newBlockedLookups()
	s.lookups.wait = time.Hour
	var wg sync.WaitGroup
	for i := range maxLookups {
		name := fmt.Sprint(i)
		s.exhaust(t, name)
		wg.Go(func() { s.Take(AccountAttempt{Account: name, Address: home, Addresses: b.look}) })
	}
	for range maxLookups {
		<-b.begun
	}
	s.lookups.wait = time.Millisecond // which the others have read
	s.exhaust(t, "another")
	if wait := s.Take(AccountAttempt{Account: "another", Address: home, Addresses: b.look}); wait == 0 || b.asked.Load() != maxLookups {
		t.Errorf("waits %s after %d look-ups, want to be unrecognised after %d", wait, b.asked.Load(), maxLookups)
	}
	close(b.release)
	wg.Wait()
	s.lookups.wait = time.Hour
	if wait := s.Take(AccountAttempt{Account: "another", Address: bot(99), Addresses: b.look}); wait == 0 || b.asked.Load() != maxLookups+1 {
		t.Errorf("%d look-ups, want the one that found no place to be tried again", b.asked.Load())
	}
}

func TestAccountThrottle_NewDeviceIsAdmittedAfterItsWait(t *testing.T) {
	for name, flood := range map[string]func(i int) netip.Addr{
		"one address":    func(int) netip.Addr { return bot(0) },
		"a hundred bots": func(i int) netip.Addr { return bot(i % 100) },
		"a /48 of one host": func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, byte(i >> 8), byte(i)})
		},
	} {
		s := newSiege(tenAMinute)
		guesses := func() {
			for i := range 500 {
				s.try("owner", flood(i))
			}
		}
		guesses()
		guesses()
		wait := s.try("owner", home)
		if wait == 0 || wait > longestWait {
			t.Errorf("%s: told to wait %s", name, wait)
			continue
		}
		for end := s.now.Add(wait); s.now.Before(end); {
			if early := s.try("owner", home); early != end.Sub(s.now) {
				t.Fatalf("%s: came early and was told %s, want %s", name, early, end.Sub(s.now))
			}
			s.now = s.now.Add(min(time.Second, end.Sub(s.now)))
			guesses()
		}
		if wait := s.try("owner", home); wait != 0 {
			t.Errorf("%s: came when told and has to wait another %s", name, wait)
		}
		if wait := s.try("owner", home); wait == 0 {
			t.Errorf("%s: one slot let two attempts through", name)
		}
	}
}

// A full list promises nothing, says when to try again, and keeps what it has
// promised; a recognised device goes on as always.
func TestAccountThrottle_FullWaitlistPromisesNothing(t *testing.T) {
	s := newSiege(tenAMinute)
	s.LoggedIn("owner", home)
	s.exhaust(t, "owner")
	promised := s.try("owner", away)
	due := s.now.Add(promised)
	for i := range 1000 {
		s.try("owner", bot(i))
	}
	if n := len(s.waitlists.lists[s.client("owner", home).account]); n != maxSlots {
		t.Errorf("%d slots, want %d", n, maxSlots)
	}
	again := s.try("owner", bot(5000))
	if again <= 0 || again > tenAMinute.Per {
		t.Errorf("told to try again in %s", again)
	}
	for range 3 {
		if wait := s.Take(AccountAttempt{Account: "owner", Address: home}); wait != 0 {
			t.Errorf("the recognised device waits %s", wait)
		}
	}
	s.now = due
	if wait := s.try("owner", away); wait != 0 {
		t.Errorf("came for its slot and waits %s", wait)
	}
}

func TestAccountThrottle_OneNetworkHoldsItsShareOfAWaitlist(t *testing.T) {
	s := newSiege(tenAMinute)
	s.exhaust(t, "owner")
	first := s.try("owner", netip.MustParseAddr("2001:db8:1::1"))
	for i := range 1000 {
		s.try("owner", netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 2, byte(i >> 8), byte(i)}))
	}
	if n := len(s.waitlists.lists[s.client("owner", home).account]); n != maxSlots/networkShare {
		t.Errorf("one network holds %d slots, want %d", n, maxSlots/networkShare)
	}
	if again := s.try("owner", netip.MustParseAddr("2001:db8:3::1")); again != first {
		t.Errorf("another of its addresses is told %s, want %s: when the first of its slots is due", again, first)
	}
	if wait := s.try("owner", away); wait != time.Duration(1+maxSlots/networkShare)*6*time.Second {
		t.Errorf("an address of another network waits %s", wait)
	}
}

// When all slots are given, further accounts have the plain rate only. One
// network can't take them all.
func TestAccountThrottle_FloodOfOtherNamesBreaksNoPromise(t *testing.T) {
	s := newSiege(Rate{Attempts: 1, Per: time.Minute})
	s.waitlists.most = 1 << 10
	most := s.waitlists.most
	promise := func(account string, from netip.Addr) time.Time {
		s.try(account, bot(0))
		return s.now.Add(s.try(account, from))
	}
	due := promise("owner", home)
	flood := func(names int, network int) {
		for i := range names {
			name := fmt.Sprint("name", i)
			s.try(name, bot(network))
			s.try(name, bot(network))
		}
	}
	flood(most, 1)
	if n, share := s.waitlists.slots, most/networkShare; n != share+1 {
		t.Errorf("%d slots after the flood of one network, want %d", n, share+1)
	}
	if at := promise("second", away); at == s.now {
		t.Error("no slot after the flood of one network")
	}
	for network := range 2 * networkShare {
		flood(most/networkShare, 2+network)
	}
	if n := s.waitlists.slots; n != most {
		t.Errorf("%d slots, want all %d", n, most)
	}
	s.try("third", bot(0))
	if wait := s.try("third", home); wait != time.Minute {
		t.Errorf("without a slot told to come back in %s, want the wait of the plain rate", wait)
	}
	s.now = due
	if wait := s.try("owner", home); wait != 0 {
		t.Errorf("the owner came for the slot and waits %s", wait)
	}
	s.now = s.now.Add(slotGrace + time.Hour)
	s.try("later", home)
	if n := s.waitlists.slots; n != 0 || len(s.waitlists.lists) != 0 || len(s.waitlists.networks) != 0 {
		t.Errorf("%d slots, %d lists and %d networks when every grace is over", n, len(s.waitlists.lists), len(s.waitlists.networks))
	}
}

// A flood of other names gives no more guesses at an account: its count lasts
// as long as it would without, and so do counts that others share.
func TestAccountThrottle_FloodOfOtherNamesResetsNoCount(t *testing.T) {
	slow := Rate{Attempts: 3, Per: time.Hour}
	s := newSiege(slow)
	for range slow.Attempts {
		s.try("owner", home)
	}
	for i := range throttleShards * maxThrottled * 5 / 4 {
		s.unrecognised.Take(fmt.Sprint("name", i))
	}
	for i := range 20 {
		if wait := s.try("owner", bot(i)); wait == 0 {
			t.Fatal("the flood reset the owner's count")
		}
	}
	// An account that comes when no room is left is counted, too.
	passed := 0
	for i := range 20 {
		if s.try("second", bot(i)) == 0 {
			passed++
		}
	}
	if passed > slow.Attempts {
		t.Errorf("%d guesses passed at an account without a count of its own, want at most %d", passed, slow.Attempts)
	}
}

// Whatever the clock does, nobody waits longer than told, and a promise that is
// due is kept.
func TestAccountThrottle_ClockSteps(t *testing.T) {
	for _, step := range []time.Duration{-10 * 365 * 24 * time.Hour, -time.Hour, -time.Second, -1} {
		s := newSiege(tenAMinute)
		s.LoggedIn("owner", away)
		s.exhaust(t, "owner")
		wait := s.try("owner", home)
		s.now = s.now.Add(wait / 2).Add(step)
		if again := s.try("owner", home); again <= 0 || again > wait {
			t.Errorf("step %s: told %s, then %s", step, wait, again)
		}
		s.now = s.now.Add(wait)
		if again := s.try("owner", home); again != 0 {
			t.Errorf("step %s: came when told and waits %s", step, again)
		}
		if wait := s.Take(AccountAttempt{Account: "owner", Address: away}); wait != 0 {
			t.Errorf("step %s: the recognised device waits %s", step, wait)
		}
	}
	s := newSiege(tenAMinute)
	s.LoggedIn("owner", away)
	s.exhaust(t, "owner")
	s.try("owner", home)
	s.now = s.now.Add(10 * 365 * 24 * time.Hour)
	s.exhaust(t, "owner") // nobody waits, and nobody gets more than the rate
	if wait := s.try("owner", home); wait != 6*time.Second {
		t.Errorf("after a step forward: told %s, want 6 s", wait)
	}
	if wait := s.Take(AccountAttempt{Account: "owner", Address: away}); wait == 0 {
		t.Error("a device is recognised ten years later")
	}
}

func TestAccountThrottle_WaitIsShortAgainAfterAnAttack(t *testing.T) {
	s := newSiege(tenAMinute)
	for i := range 1000 {
		s.try("owner", bot(i))
	}
	s.now = s.now.Add(time.Hour)
	s.exhaust(t, "owner")
	if wait := s.try("owner", home); wait != 6*time.Second {
		t.Errorf("the eleventh waits %s, want 6 s", wait)
	}
}

func TestAccountThrottle_GuessesStayWithinTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{Attempts: rapid.IntRange(1, 20).Draw(t, "attempts"), Per: time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second}
		s := newSiege(rate)
		interval := rate.Per / time.Duration(rate.Attempts)
		bots := rapid.SampledFrom([]int{1, 5, 50, 400}).Draw(t, "bots")
		due := make(map[int]time.Time)
		var passed []time.Time
		for range rapid.IntRange(1, 30).Draw(t, "waves") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, int(3*interval)).Draw(t, "pause")))
			if rapid.IntRange(0, 4).Draw(t, "wait for a slot") == 0 {
				s.now = latest(s.now, due[rapid.IntRange(0, bots-1).Draw(t, "whose")])
			}
			for i := range bots {
				wait := s.try("owner", bot(i))
				if wait == 0 {
					passed = append(passed, s.now)
				}
				due[i] = s.now.Add(wait)
			}
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				most := rate.Attempts + int((slotGrace+passed[j].Sub(passed[i]))/interval)
				if n := j - i + 1; n > most {
					t.Fatalf("%d guesses in %s, want at most %d", n, passed[j].Sub(passed[i]), most)
				}
			}
		}
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestAccountThrottle_SlotIsKeptUntilItsGraceIsOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSiege(tenAMinute)
		slots := make(map[int]time.Time)
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "pause")) * time.Millisecond)
			i := rapid.IntRange(0, 60).Draw(t, "bot")
			wait := s.try("owner", bot(i))
			at, has := slots[i]
			inTime := has && !s.now.Before(at) && !s.now.After(at.Add(slotGrace))
			switch {
			case inTime && wait != 0:
				t.Fatalf("came %s after its time and has to wait %s", s.now.Sub(at), wait)
			case has && s.now.Before(at) && wait != at.Sub(s.now):
				t.Fatalf("told %s, but the slot is in %s", wait, at.Sub(s.now))
			}
			delete(slots, i)
			if wait > 0 {
				slots[i] = s.now.Add(wait)
			}
		}
	})
}

func TestAccountThrottle_MemoryIsBounded(t *testing.T) {
	s := newSiege(Rate{Attempts: 1, Per: time.Hour})
	for i := range 270_000 {
		name := fmt.Sprint(i)
		s.try(name, home)
		s.try(name, bot(i))
		s.LoggedIn(name, home)
	}
	if n := s.waitlists.slots; n == 0 || n > maxAllSlots || len(s.waitlists.lists) > n || len(s.waitlists.networks) > n {
		t.Errorf("%d slots in %d lists, of %d networks", n, len(s.waitlists.lists), len(s.waitlists.networks))
	}
	for i := range s.recognised.shards {
		if n := len(s.recognised.shards[i].accounts); n == 0 || n > maxDeviceAccounts {
			t.Errorf("shard %d knows the devices of %d accounts", i, n)
		}
	}
	for _, throttle := range []*Throttle{s.unrecognised, s.devices} {
		for i := range throttle.shards {
			if n := len(throttle.shards[i].next); n > maxThrottled {
				t.Errorf("shard %d of a throttle keeps %d keys", i, n)
			}
		}
	}
}

func TestAccountThrottle_WaitlistIsBoundedAtEveryRate(t *testing.T) {
	for _, rate := range []Rate{tenAMinute, {Attempts: 1_000_000, Per: time.Second}, {Attempts: 1, Per: 24 * time.Hour}} {
		s := newSiege(rate)
		for wave := range 40 {
			for i := range 2000 {
				s.try("owner", bot(wave*2000+i))
			}
			s.now = s.now.Add(s.waitlists.rules.Ahead / 3)
		}
		for _, list := range s.waitlists.lists {
			if len(list) > maxKept {
				t.Errorf("%v: %d slots", rate, len(list))
			}
			if !slices.IsSortedFunc(list, func(a, b slot) int { return int(a.at - b.at) }) {
				t.Errorf("%v: the slots are out of order", rate)
			}
		}
	}
}

func TestAccountThrottle_OffNeverRefuses(t *testing.T) {
	throttle := NewAccountThrottle(Rate{}, time.Now)
	throttle.LoggedIn("owner", home)
	for range 1000 {
		if throttle.Take(AccountAttempt{Account: "owner", Address: home}) != 0 {
			t.Fatal("refused")
		}
	}
}

func BenchmarkAccountThrottle(b *testing.B) {
	s := newSiege(tenAMinute)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.try("owner", bot(i%5000))
	}
}
