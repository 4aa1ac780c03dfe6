package guard

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
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

// exhaust guesses from addresses of its own until the strangers' rate is used up.
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

func TestStrangersShareTheRateOfAnAccount(t *testing.T) {
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

func TestAKnownDeviceHasARateOfItsOwn(t *testing.T) {
	session := AccountAttempt{Account: "owner", Address: away, Session: "a session of the owner"}
	for name, test := range map[string]struct {
		before  func(s *siege)
		attempt AccountAttempt
		known   bool
	}{
		"the address of a login":          {func(s *siege) { s.LoggedIn("owner", home) }, AccountAttempt{Account: "owner", Address: home}, true},
		"a live session":                  {func(*siege) {}, session, true},
		"a stranger":                      {func(*siege) {}, AccountAttempt{Account: "owner", Address: home}, false},
		"the address of another's login":  {func(s *siege) { s.LoggedIn("attacker", home) }, AccountAttempt{Account: "owner", Address: home}, false},
		"the address of a login long ago": {func(s *siege) { s.LoggedIn("owner", home); s.now = s.now.Add(deviceAge) }, AccountAttempt{Account: "owner", Address: home}, false},
		"a login before eight others": {func(s *siege) {
			s.LoggedIn("owner", home)
			for i := range devicesOfAccount {
				s.LoggedIn("owner", bot(1000+i))
			}
		}, AccountAttempt{Account: "owner", Address: home}, false},
		"an address of a stored session": {func(*siege) {}, AccountAttempt{Account: "owner", Address: home,
			Addresses: func() []netip.Addr { return []netip.Addr{away, home} }}, true},
		"an address of no stored session": {func(*siege) {}, AccountAttempt{Account: "owner", Address: home,
			Addresses: func() []netip.Addr { return []netip.Addr{away} }}, false},
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

func TestStoredSessionsAreAskedForSeldomAndOnlyUnderAttack(t *testing.T) {
	s := newSiege(tenAMinute)
	asked := 0
	try := func(account string, i int) {
		s.Take(AccountAttempt{Account: account, Address: bot(i), Addresses: func() []netip.Addr { asked++; return nil }})
	}
	for i := range tenAMinute.Attempts {
		try("owner", i)
	}
	if asked != 0 {
		t.Errorf("asked %d times while the rate lasts", asked)
	}
	for i := range 1000 {
		try("owner", i)
	}
	if asked != 1 {
		t.Errorf("asked %d times in a moment, want once", asked)
	}
	for account := range 10 * lookupRate {
		for i := range tenAMinute.Attempts + 1 {
			try(fmt.Sprint(account), i)
		}
	}
	if asked != lookupRate {
		t.Errorf("asked %d times for many accounts, want %d", asked, lookupRate)
	}
}

func TestAFreshDeviceGetsInAfterTheWaitItIsToldWhileTheFloodGoesOn(t *testing.T) {
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
		if wait == 0 || wait > longestLine {
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
			t.Errorf("%s: one place let two attempts through", name)
		}
	}
}

// With more bots than places a fresh device has the chance of each of them,
// however often they ask and however exactly they keep their times.
func TestADrawLetsAFreshDeviceInAmongAThousandBots(t *testing.T) {
	s := newSiege(tenAMinute)
	const bots = 1000
	flood := func() {
		for i := range bots {
			s.try("owner", bot(i))
		}
	}
	flood()
	flood()
	for rounds := range 300 { // the chance to miss them all is under 1e-17
		wait := s.try("owner", home)
		if wait == 0 {
			t.Logf("in after being told to wait %d times", rounds)
			return
		}
		if wait > 2*longestLine {
			t.Fatalf("told to wait %s", wait)
		}
		due := s.now.Add(wait)
		for s.now.Before(due) {
			s.now = s.now.Add(min(wait/3+1, due.Sub(s.now)))
			flood()
		}
	}
	t.Error("shut out")
}

func TestALineIsShortAgainAfterASiege(t *testing.T) {
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

func TestGuessesAtOneAccountStayWithinTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{Attempts: rapid.IntRange(1, 20).Draw(t, "attempts"), Per: time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second}
		s := newSiege(rate)
		interval := rate.Per / time.Duration(rate.Attempts)
		bots := rapid.SampledFrom([]int{1, 5, 50, 400}).Draw(t, "bots")
		due := make(map[int]time.Time)
		var passed []time.Time
		for range rapid.IntRange(1, 30).Draw(t, "waves") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, int(3*interval)).Draw(t, "pause")))
			if rapid.IntRange(0, 4).Draw(t, "wait for a place") == 0 {
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
				most := rate.Attempts + int((graceOfPlace+passed[j].Sub(passed[i]))/interval)
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

func TestWhoHasAPlaceGetsInOnTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSiege(tenAMinute)
		places := make(map[int]time.Time)
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "pause")) * time.Millisecond)
			i := rapid.IntRange(0, 60).Draw(t, "bot")
			wait := s.try("owner", bot(i))
			at, has := places[i]
			inTime := has && !s.now.Before(at) && !s.now.After(at.Add(graceOfPlace))
			switch {
			case inTime && wait != 0:
				t.Fatalf("came %s after its time and has to wait %s", s.now.Sub(at), wait)
			case has && s.now.Before(at) && wait != at.Sub(s.now):
				t.Fatalf("told %s, but the place is in %s", wait, at.Sub(s.now))
			}
			delete(places, i)
			if wait > 0 {
				places[i] = s.now.Add(wait)
			}
		}
	})
}

func TestAMillionAttemptsUnderRandomNamesFillNoMemory(t *testing.T) {
	s := newSiege(Rate{Attempts: 1, Per: time.Hour})
	for i := range 350_000 {
		name := fmt.Sprint(i)
		s.try(name, home)
		s.try(name, away)
		s.LoggedIn(name, home)
	}
	for i := range s.shards {
		if n := len(s.shards[i].lines); n == 0 || n > maxLines {
			t.Errorf("shard %d has %d lines", i, n)
		}
		if n := len(s.known.shards[i].accounts); n == 0 || n > maxDeviceAccounts {
			t.Errorf("shard %d knows the devices of %d accounts", i, n)
		}
	}
	for _, throttle := range []*Throttle{s.strangers, s.devices, s.looked} {
		for i := range throttle.shards {
			if n := len(throttle.shards[i].next); n > maxThrottled {
				t.Errorf("shard %d of a throttle keeps %d keys", i, n)
			}
		}
	}
}

func TestALineIsBounded(t *testing.T) {
	for _, rate := range []Rate{tenAMinute, {Attempts: 1_000_000, Per: time.Second}, {Attempts: 1, Per: 24 * time.Hour}} {
		s := newSiege(rate)
		for wave := range 40 {
			for i := range 2000 {
				s.try("owner", bot(wave*2000+i))
			}
			s.now = s.now.Add(s.ahead / 3)
		}
		for i := range s.shards {
			for _, l := range s.shards[i].lines {
				if len(l.taken) > 5*l.places || len(l.lots) > l.places {
					t.Errorf("%v: %d places and %d lots, of %d", rate, len(l.taken), len(l.lots), l.places)
				}
				if !slices.IsSortedFunc(l.taken, func(a, b place) int { return int(a.at - b.at) }) {
					t.Errorf("%v: the places are out of order", rate)
				}
			}
		}
	}
}

func TestNoAccountThrottleNeverRefuses(t *testing.T) {
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
