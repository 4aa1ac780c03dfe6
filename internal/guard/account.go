package guard

import (
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The bounds of an AccountThrottle.
const (
	// deviceAge is how long an address stays known after a login from it.
	deviceAge = 30 * 24 * time.Hour
	// lookupEvery is how often the stored sessions of one account are asked
	// for, and lookupRate how often those of all accounts.
	lookupEvery = time.Minute
	lookupRate  = 100 // a second

	accountShards = 64
	// maxLines bounds the lines in a shard, each at most about 15 KiB.
	maxLines = 16
)

// AccountThrottle limits the guesses at one account, from wherever they come,
// without shutting out its owner:
//
//   - Strangers, addresses from which nobody logged in to the account lately,
//     share one rate for each account. Whoever it refuses gets a place in the
//     account's line: coming back after the wait is certain to be let through,
//     whatever the others do meanwhile. See line.
//   - A known device, an address from which somebody did log in to the account
//     or a request with a live session of its user, has a rate of its own,
//     which strangers can't use up.
//
// Strangers get at most Attempts + (graceOfPlace + t)/interval guesses at an
// account in any time t, where interval is Per/Attempts; in the long run just
// the rate. Names that nobody has are treated as all others. It lives in the
// memory of this process, which is bounded, and with Share at a place of all
// processes. Which devices are known stays here: a process learns it from
// logins, and from the stored sessions. Safe for concurrent use.
type AccountThrottle struct {
	shared    SharedLine // nil: this process has lines of its own
	strangers *Throttle  // by account
	devices   *Throttle  // by account and device
	lookups   *Throttle
	looked    *Throttle // by account
	known     *knownDevices
	places    int           // in a line
	ahead     time.Duration // how far ahead a place may be
	now       func() time.Time
	seed      maphash.Seed
	shards    [accountShards]struct {
		mu    sync.Mutex
		lines map[uint64]*line
	}
}

// AccountAttempt is one attempt to log in.
type AccountAttempt struct {
	Account string // as it is looked up
	Address netip.Addr
	// Session names the live session of this very account that the request
	// brought, "" if none.
	Session string
	// Addresses returns where the account's live sessions began, the latest
	// first. It is asked seldom: known devices are forgotten with the process.
	Addresses func() []netip.Addr
}

// NewAccountThrottle returns a throttle that lets the rate through for the
// strangers of an account together and for each of its known devices, or nil,
// which lets everything through, for a rate of no attempts.
func NewAccountThrottle(r Rate, now func() time.Time) *AccountThrottle {
	strangers := NewThrottle(r, now)
	if strangers == nil {
		return nil
	}
	places := min(max(int(longestLine/strangers.interval), minPlaces), maxPlaces)
	a := &AccountThrottle{
		strangers: strangers,
		devices:   NewThrottle(r, now),
		lookups:   NewThrottle(Rate{Attempts: lookupRate, Per: time.Second}, now),
		looked:    NewThrottle(Rate{Attempts: 1, Per: lookupEvery}, now),
		known:     newKnownDevices(),
		places:    places,
		ahead:     time.Duration(places) * strangers.interval,
		now:       now,
		seed:      maphash.MakeSeed(),
	}
	for i := range a.shards {
		a.shards[i].lines = make(map[uint64]*line)
	}
	return a
}

// LineRules say how the strangers of an account take turns.
type LineRules struct {
	Interval time.Duration // between two turns
	Burst    time.Duration // how far ahead of the interval turns may be
	Ahead    time.Duration // how far ahead a place may be given
	Grace    time.Duration // how late one may come for a place
	Places   int           // how many places, and as many lots in a draw
	Share    int           // of them that one network may hold
}

// SharedLine has a stranger take a turn where all processes do; device and
// network are texts. Without queue a stranger for whom there is no turn is not
// settled. ok is false if it can't, which it has to know soon.
type SharedLine func(account, device, network string, r LineRules, queue bool) (wait time.Duration, settled, ok bool)

// Share has the throttle count with others: strangers in the line, and known
// devices by the count. While these can't be asked it goes on for itself.
// Call it before Take.
func (a *AccountThrottle) Share(line SharedLine, devices Shared) {
	if a != nil {
		a.shared = line
		a.devices.Share(devices)
	}
}

func (a *AccountThrottle) rules() LineRules {
	return LineRules{
		Interval: a.strangers.interval, Burst: a.strangers.burst, Ahead: a.ahead, Grace: graceOfPlace,
		Places: a.places, Share: shareOf(a.places),
	}
}

// Take counts an attempt. It returns 0 if the attempt is let through, or how
// long to wait before coming back.
func (a *AccountThrottle) Take(t AccountAttempt) time.Duration {
	if a == nil {
		return 0
	}
	who := a.applicant(t.Account, t.Address)
	now := a.now()
	if t.Session != "" {
		return a.devices.Take("session\x00" + t.Session + "\x00" + t.Account)
	}
	if a.known.has(who, now) {
		return a.devices.Take(deviceKey(t.Account, t.Address))
	}
	wait, settled := a.stranger(&t, who, now, false)
	if settled {
		return wait
	}
	if a.lookUp(t) && a.known.has(who, now) {
		return a.devices.Take(deviceKey(t.Account, t.Address))
	}
	wait, _ = a.stranger(&t, who, now, true)
	return wait
}

// stranger is takeStranger where all processes do, or here.
func (a *AccountThrottle) stranger(t *AccountAttempt, who applicant, now time.Time, queue bool) (wait time.Duration, settled bool) {
	if a.shared == nil {
		return a.takeStranger(who, now, queue)
	}
	wait, settled, ok := a.shared(t.Account, deviceKey(t.Account, t.Address), networkKey(t.Address), a.rules(), queue)
	if !ok {
		return a.takeStranger(who, now, queue)
	}
	if settled && wait == 0 {
		// What it let through counts if it has to go on alone.
		a.strangers.take(who.account, now.UnixNano(), math.MaxInt64)
	}
	return wait, settled
}

// LoggedIn makes the address a known device of the account.
func (a *AccountThrottle) LoggedIn(account string, address netip.Addr) {
	if a != nil {
		a.known.add(a.applicant(account, address), a.now())
	}
}

// lookUp asks the store for the addresses of the account's sessions, and
// reports whether it did.
func (a *AccountThrottle) lookUp(t AccountAttempt) bool {
	if t.Addresses == nil || a.looked.Take(t.Account) > 0 || a.lookups.Take("") > 0 {
		return false
	}
	now := a.now()
	for _, address := range slices.Backward(t.Addresses()) {
		a.known.add(a.applicant(t.Account, address), now)
	}
	return true
}

// takeStranger lets an attempt through that has its turn in the line or finds
// the shared rate not used up. With queue it gives a place to others; without,
// it tells that they are not settled.
func (a *AccountThrottle) takeStranger(who applicant, at time.Time, queue bool) (wait time.Duration, settled bool) {
	now := at.UnixNano()
	shard := &a.shards[who.account%accountShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	l := shard.lines[who.account]
	if l != nil {
		l.advance(now, func() time.Duration {
			wait, _ := a.strangers.take(who.account, now, math.MaxInt64)
			return wait
		})
		if wait, settled := l.turn(who, now); settled {
			return wait, true
		}
	}
	if wait, counted := a.strangers.take(who.account, now, 0); counted {
		return wait, true
	}
	if !queue {
		return 0, false
	}
	if l == nil {
		if len(shard.lines) >= maxLines {
			dropLine(shard.lines, now)
		}
		l = &line{places: a.places, seed: a.seed}
		shard.lines[who.account] = l
	}
	return l.join(who, now, func() (time.Duration, bool) { return a.strangers.take(who.account, now, a.ahead) }), true
}

// dropLine looks at a few lines and forgets the shortest.
func dropLine(lines map[uint64]*line, now int64) {
	var shortest uint64
	least, looked := 0, 0
	for account, l := range lines {
		if n := l.waiting(now); looked == 0 || n < least {
			shortest, least = account, n
		}
		if looked++; looked == 8 || least == 0 {
			break
		}
	}
	delete(lines, shortest)
}

// applicant is who tries, hashed with a key of this process: nobody can make
// two of them meet, and the memory holds no names.
type applicant struct {
	account uint64
	device  uint64 // account and address
	network uint64 // of the address
}

// deviceKey names an account and an address.
func deviceKey(account string, address netip.Addr) string {
	return strconv.Itoa(len(account)) + "\x00" + account + "\x00" + AddressKey(address)
}

func (a *AccountThrottle) applicant(account string, address netip.Addr) applicant {
	return applicant{
		account: maphash.String(a.seed, account),
		device:  maphash.String(a.seed, deviceKey(account, address)),
		network: maphash.String(a.seed, networkKey(address)),
	}
}
