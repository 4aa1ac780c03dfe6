package guard

import (
	"slices"
	"sync"
	"time"
)

// The bounds of the wait lists.
const (
	// longestWait is how far ahead a slot may be, unless the rate is so slow
	// that a list would have fewer than minSlots or so quick that it would
	// have more than maxSlots ahead.
	longestWait = 15 * time.Minute
	minSlots    = 16
	maxSlots    = 128
	// slotGrace is how late a client may come for its slot.
	slotGrace = 5 * time.Minute
	// maxKept is how many slots a list holds with those whose grace lasts. It
	// matters to rates that are quicker than about one a second.
	maxKept = 512
	// maxAllSlots is how many slots the lists of all accounts hold together,
	// about 100 bytes each.
	maxAllSlots = 1 << 17
	// networkShare is the part of the slots that addresses of one network may
	// hold, 1/networkShare of those ahead in a list and of all.
	networkShare = 8
	// sweepSlotsEvery is how often all lists are looked through for slots
	// whose grace is over.
	sweepSlotsEvery = 10 * time.Second
)

// waitlists hold the slots that were given to unrecognised clients: when each
// of them may try at its account. A slot is kept until it is used or its grace
// is over, whatever else comes. It was counted as an attempt when it was given,
// so using it costs the rate nothing more. When there is no room, no slot is
// given. Safe for concurrent use.
type waitlists struct {
	rules WaitlistRules
	most  int // maxAllSlots

	mu       sync.Mutex
	lists    map[uint64][]slot // by account, in the order of their times
	slots    int               // in all lists
	networks map[uint64]int    // slots of each network in all lists
	swept    time.Duration
}

type slot struct {
	device, network uint64
	at              time.Duration
}

// WaitlistRules say how the unrecognised clients of an account wait.
type WaitlistRules struct {
	Interval time.Duration // between two slots
	Burst    time.Duration // how far ahead of the interval attempts may be
	Ahead    time.Duration // how far ahead a slot may be
	Grace    time.Duration // how late a client may come for its slot
	Kept     int           // maximum number of slots in a list
	Share    int           // maximum number of slots ahead for one network
}

func newWaitlists(t *Throttle) *waitlists {
	slots := min(max(int(longestWait/t.interval), minSlots), maxSlots)
	return &waitlists{
		rules: WaitlistRules{
			Interval: t.interval, Burst: t.burst, Ahead: time.Duration(slots) * t.interval, Grace: slotGrace,
			Kept: maxKept, Share: slots / networkShare,
		},
		most:     maxAllSlots,
		lists:    make(map[uint64][]slot),
		networks: make(map[uint64]int),
	}
}

// claim lets a client through that comes for its slot, or says how long the
// slot still is away. has is false for a client without one.
func (w *waitlists) claim(who client, now time.Duration) (wait time.Duration, has bool) {
	w.prune(who.account, now)
	if now-w.swept >= sweepSlotsEvery {
		w.swept = now
		for account := range w.lists {
			w.prune(account, now)
		}
	}
	list := w.lists[who.account]
	i := slices.IndexFunc(list, func(s slot) bool { return s.device == who.device })
	if i < 0 {
		return 0, false
	}
	if wait := list[i].at - now; wait > 0 {
		return wait, true
	}
	w.remove(who.account, i, i+1)
	return 0, true
}

// give gives a client a slot, and returns how long it is away. reserve counts
// an attempt that far ahead, or reports that this is too far. Without a slot
// the wait says when it makes sense to try again, and promises nothing; plain
// is the wait that the rate asks for.
func (w *waitlists) give(who client, now, plain time.Duration, reserve func(ahead time.Duration) (wait time.Duration, counted bool)) time.Duration {
	list := w.lists[who.account]
	ahead, first := 0, time.Duration(0)
	for _, s := range list {
		if s.network == who.network && s.at > now {
			if ahead++; ahead == 1 {
				first = s.at - now
			}
		}
	}
	switch {
	case ahead >= w.rules.Share:
		return first
	case len(list) >= w.rules.Kept:
		return max(time.Second, list[0].at+w.rules.Grace-now)
	case w.slots >= w.most, w.networks[who.network] >= w.most/networkShare:
		return plain
	}
	wait, counted := reserve(w.rules.Ahead)
	if !counted {
		return max(time.Second, wait-w.rules.Ahead)
	}
	w.lists[who.account] = append(list, slot{device: who.device, network: who.network, at: now + wait})
	w.slots++
	w.networks[who.network]++
	return wait
}

// prune forgets the slots of an account whose grace is over.
func (w *waitlists) prune(account uint64, now time.Duration) {
	list, over := w.lists[account], 0
	for over < len(list) && list[over].at+w.rules.Grace < now {
		over++
	}
	w.remove(account, 0, over)
}

func (w *waitlists) remove(account uint64, from, to int) {
	list := w.lists[account]
	for _, s := range list[from:to] {
		w.slots--
		if w.networks[s.network]--; w.networks[s.network] == 0 {
			delete(w.networks, s.network)
		}
	}
	if list = slices.Delete(list, from, to); len(list) > 0 {
		w.lists[account] = list
	} else {
		delete(w.lists, account)
	}
}
