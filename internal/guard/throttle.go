package guard

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Rate is how many attempts are let through in a time: at once, and then
// evenly spread over it.
type Rate struct {
	Attempts int
	Per      time.Duration
}

const (
	throttleShards = 64
	// maxThrottled bounds the keys of a shard that have a count of their own,
	// 24 bytes each.
	maxThrottled = 4096
	// commonCounts is how many counts of a shard are common to the keys that
	// find no room for their own.
	commonCounts = 256
)

// Throttle lets a rate of attempts through for each key, by the generic cell
// rate algorithm (ITU-T I.371): it keeps one time a key, and an attempt
// that is refused costs nothing. It lives in the memory of this process, and
// with Share at a place of all processes.
//
// Its memory is bounded, and no count is lost before it has decayed: while
// 262,144 keys wait for something, further keys share 16,384 common counts.
// Then a key may get less than the rate, never more. Safe for concurrent use.
type Throttle struct {
	shared   Shared        // nil: this process counts for itself
	interval time.Duration // between two attempts, once the burst is used up
	burst    time.Duration // how far ahead of the interval attempts may be
	clock    *steadyClock
	seed     maphash.Seed
	shards   [throttleShards]throttleShard
}

type throttleShard struct {
	mu     sync.Mutex
	next   map[uint64]time.Duration // the theoretical arrival, by the clock
	common [commonCounts]time.Duration
}

// NewThrottle returns a throttle, or nil, which lets everything through, for
// a rate of no attempts.
func NewThrottle(r Rate, now func() time.Time) *Throttle {
	if r.Attempts <= 0 || r.Per <= 0 {
		return nil
	}
	return newThrottle(r, newSteadyClock(now))
}

func newThrottle(r Rate, clock *steadyClock) *Throttle {
	interval := max(1, r.Per/time.Duration(r.Attempts))
	t := &Throttle{
		interval: interval,
		burst:    interval * time.Duration(r.Attempts-1),
		clock:    clock,
		seed:     maphash.MakeSeed(),
	}
	for i := range t.shards {
		t.shards[i].next = make(map[uint64]time.Duration)
	}
	return t
}

// Shared counts an attempt where all processes do, as Take does: one each
// interval, after a burst that may be that far ahead. ok is false if it can't,
// which it has to know soon: the attempt waits for it.
type Shared func(key string, interval, burst time.Duration) (wait time.Duration, ok bool)

// Share has the throttle count with others. While they can't be asked it goes
// on for itself, from what this process let through. Call it before Take.
func (t *Throttle) Share(shared Shared) {
	if t != nil {
		t.shared = shared
	}
}

// Take counts an attempt under a key. It returns 0 if the attempt is let
// through, or how long the key has to wait before the next one will be.
func (t *Throttle) Take(key string) time.Duration {
	if t == nil {
		return 0
	}
	hash := maphash.String(t.seed, key)
	if t.shared != nil {
		if wait, ok := t.shared(key, t.interval, t.burst); ok {
			if wait == 0 {
				t.count(hash)
			}
			return wait
		}
	}
	wait, _ := t.take(hash, t.clock.now(), 0)
	return wait
}

// count notes an attempt that was let through elsewhere, which is at most one
// more than would be here.
func (t *Throttle) count(hash uint64) { t.take(hash, t.clock.now(), t.interval) }

// take is Take for a hashed key. An attempt that would have to wait, but no
// longer than ahead, is counted too: it belongs to the moment after its wait.
func (t *Throttle) take(hash uint64, now, ahead time.Duration) (wait time.Duration, counted bool) {
	shard := &t.shards[hash%throttleShards]
	common := &shard.common[(hash>>32)%commonCounts]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	next, own := shard.next[hash]
	if !own {
		next = *common
	}
	next = max(next, now)
	wait = max(0, next-now-t.burst)
	if wait > ahead {
		return wait, false
	}
	next += t.interval
	if own || len(shard.next) < maxThrottled || shard.makeRoom(now) {
		shard.next[hash] = next
	} else {
		*common = next
	}
	return wait, true
}

// makeRoom looks at a few keys, forgets those that have nothing left to wait
// for, and reports whether there were any.
func (s *throttleShard) makeRoom(now time.Duration) bool {
	looked := 0
	for key, next := range s.next {
		if next <= now {
			delete(s.next, key)
		}
		if looked++; looked == 8 {
			break
		}
	}
	return len(s.next) < maxThrottled
}

// AddressKey is whom a throttle holds responsible for an address: the address,
// or in IPv6 its /64, which one subscriber has.
func AddressKey(a netip.Addr) string {
	if a.Is6() {
		return network(a, 64)
	}
	return a.String()
}

// networkKey is the part of the net that an address comes from: 16 bits of it
// in IPv4, 32 in IPv6, where a provider has so much.
func networkKey(a netip.Addr) string {
	if a.Is6() {
		return network(a, 32)
	}
	return network(a, 16)
}

func network(a netip.Addr, bits int) string {
	prefix, err := a.Prefix(bits)
	if err != nil { // no address at all
		return a.String()
	}
	return prefix.String()
}
