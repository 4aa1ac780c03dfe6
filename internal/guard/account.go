package guard

import (
	"context"
	"hash/maphash"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// AccountThrottle limits the guesses at one account, from wherever they come.
//
//   - Unrecognised clients, those at addresses from which nobody logged in to
//     the account lately, share one rate for each account. A client that it
//     refuses gets a slot in the account's wait list, if there is room: at that
//     time it is certain to be let through, whatever others do meanwhile.
//   - A recognised device, an address from which somebody did log in to the
//     account or a request with a live session of its user, has a rate of its
//     own, which unrecognised clients can't use up.
//
// While others keep guessing at an account, its plain rate is always used up,
// so an owner on a new device would never get in: that is what the wait list is
// for.
//
// Unrecognised clients get at most Attempts + (slotGrace + t)/interval guesses
// at an account in any time t, where interval is Per/Attempts; in the long run
// just the rate. Names that nobody has are treated as all others. It lives in
// the memory of this process, which is bounded, and with Share at a place of
// all processes. Which devices are recognised stays here: a process learns it
// from logins, and from the stored sessions. Safe for concurrent use.
type AccountThrottle struct {
	shared       SharedWaitlist // nil: this process has wait lists of its own
	unrecognised *Throttle      // by account
	devices      *Throttle      // by account and device
	waitlists    *waitlists
	recognised   *recognisedDevices
	lookups      *lookups
	clock        *steadyClock
	seed         maphash.Seed
}

// AccountAttempt is one attempt to log in.
type AccountAttempt struct {
	Account string // as it is looked up
	Address netip.Addr
	// Session names the live session of this very account that the request
	// brought, "" if none.
	Session string
	// Addresses returns where the account's live sessions began, the latest
	// first. It is asked seldom: recognised devices are forgotten with the
	// process.
	Addresses func(context.Context) ([]netip.Addr, error)
}

// NewAccountThrottle returns a throttle that lets the rate through for the
// unrecognised clients of an account together and for each of its recognised
// devices, or nil, which lets everything through, for a rate of no attempts.
func NewAccountThrottle(r Rate, now func() time.Time) *AccountThrottle {
	if r.Attempts <= 0 || r.Per <= 0 {
		return nil
	}
	clock := newSteadyClock(now)
	unrecognised := newThrottle(r, clock)
	return &AccountThrottle{
		unrecognised: unrecognised,
		devices:      newThrottle(r, clock),
		waitlists:    newWaitlists(unrecognised),
		recognised:   newRecognisedDevices(),
		lookups:      newLookups(clock),
		clock:        clock,
		seed:         maphash.MakeSeed(),
	}
}

// SharedWaitlist takes an attempt of an unrecognised client where all processes
// do; device and network are texts. Without queue a client that is refused is
// not settled, and gets no slot. ok is false if it can't, which it has to know
// soon: the attempt waits for it.
type SharedWaitlist func(account, device, network string, r WaitlistRules, queue bool) (wait time.Duration, settled, ok bool)

// Share has the throttle count with others: unrecognised clients in the wait
// list, and recognised devices by the count. While these can't be asked it goes
// on for itself. Call it before Take.
func (a *AccountThrottle) Share(waitlist SharedWaitlist, devices Shared) {
	if a != nil {
		a.shared = waitlist
		a.devices.Share(devices)
	}
}

// Take counts an attempt. It returns 0 if the attempt is let through, or how
// long to wait before coming back.
func (a *AccountThrottle) Take(t AccountAttempt) time.Duration {
	if a == nil {
		return 0
	}
	if t.Session != "" {
		return a.devices.Take("session\x00" + t.Session + "\x00" + t.Account)
	}
	who := a.client(t.Account, t.Address)
	if a.recognised.has(who, a.clock.now()) {
		return a.devices.Take(deviceKey(t.Account, t.Address))
	}
	wait, settled := a.takeUnrecognised(&t, who, false)
	if settled {
		return wait
	}
	a.lookUp(&t, who.account)
	if a.recognised.has(who, a.clock.now()) {
		return a.devices.Take(deviceKey(t.Account, t.Address))
	}
	wait, _ = a.takeUnrecognised(&t, who, true)
	return wait
}

// takeUnrecognised is takeHere where all processes do, or here.
func (a *AccountThrottle) takeUnrecognised(t *AccountAttempt, who client, queue bool) (wait time.Duration, settled bool) {
	if a.shared == nil {
		return a.takeHere(who, queue)
	}
	wait, settled, ok := a.shared(t.Account, deviceKey(t.Account, t.Address), networkKey(t.Address), a.waitlists.rules, queue)
	if !ok {
		return a.takeHere(who, queue)
	}
	if settled && wait == 0 {
		// What it let through counts if it has to go on alone.
		a.unrecognised.count(who.account)
	}
	return wait, settled
}

// takeHere lets an attempt through that comes for its slot or finds the shared
// rate not used up. With queue it gives a slot to others; without, it reports
// that they are not settled.
func (a *AccountThrottle) takeHere(who client, queue bool) (wait time.Duration, settled bool) {
	a.waitlists.mu.Lock()
	defer a.waitlists.mu.Unlock()
	now := a.clock.now()
	if wait, has := a.waitlists.claim(who, now); has {
		return wait, true
	}
	plain, counted := a.unrecognised.take(who.account, now, 0)
	if counted {
		return 0, true
	}
	if !queue {
		return 0, false
	}
	return a.waitlists.give(who, now, plain, func(ahead time.Duration) (time.Duration, bool) {
		return a.unrecognised.take(who.account, now, ahead)
	}), true
}

// LoggedIn makes the address a recognised device of the account.
func (a *AccountThrottle) LoggedIn(account string, address netip.Addr) {
	if a != nil {
		a.recognised.add(a.client(account, address), a.clock.now())
	}
}

// lookUp recognises the addresses of the account's stored sessions.
func (a *AccountThrottle) lookUp(t *AccountAttempt, account uint64) {
	if t.Addresses == nil {
		return
	}
	a.lookups.do(account, func(ctx context.Context) error {
		addresses, err := t.Addresses(ctx)
		now := a.clock.now()
		for _, address := range slices.Backward(addresses) {
			a.recognised.add(a.client(t.Account, address), now)
		}
		return err
	})
}

// client is who tries at an account, hashed with a key of this process: nobody
// can make two of them meet, and the memory holds no names.
type client struct {
	account uint64
	device  uint64 // account and address
	network uint64 // of the address
}

// deviceKey names an account and an address.
func deviceKey(account string, address netip.Addr) string {
	return strconv.Itoa(len(account)) + "\x00" + account + "\x00" + AddressKey(address)
}

func (a *AccountThrottle) client(account string, address netip.Addr) client {
	return client{
		account: maphash.String(a.seed, account),
		device:  maphash.String(a.seed, deviceKey(account, address)),
		network: maphash.String(a.seed, networkKey(address)),
	}
}
