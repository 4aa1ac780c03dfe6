package guard

import (
	"hash/maphash"
	"math"
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
	// maxThrottled bounds the memory of a throttle: so many keys in a shard,
	// 24 bytes each. When they are all in use, any one of them is forgotten.
	maxThrottled = 4096
)

// Throttle lets a rate of attempts through for each key, by the generic cell
// rate algorithm (ITU-T I.371): it keeps one time a key, and an attempt
// that is refused costs nothing. It lives in the memory of this process, and
// with Share at a place of all processes. Safe for concurrent use.
type Throttle struct {
	shared   Shared        // nil: this process counts for itself
	interval time.Duration // between two attempts, once the burst is used up
	burst    time.Duration // how far ahead of the interval attempts may be
	now      func() time.Time
	seed     maphash.Seed
	shards   [throttleShards]struct {
		mu   sync.Mutex
		next map[uint64]int64 // unix nanoseconds of the theoretical arrival
	}
}

// NewThrottle returns a throttle, or nil, which lets everything through, for
// a rate of no attempts.
func NewThrottle(r Rate, now func() time.Time) *Throttle {
	if r.Attempts <= 0 || r.Per <= 0 {
		return nil
	}
	interval := max(1, r.Per/time.Duration(r.Attempts))
	t := &Throttle{
		interval: interval,
		burst:    interval * time.Duration(r.Attempts-1),
		now:      now,
		seed:     maphash.MakeSeed(),
	}
	for i := range t.shards {
		t.shards[i].next = make(map[uint64]int64)
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
				t.take(hash, t.now().UnixNano(), math.MaxInt64)
			}
			return wait
		}
	}
	wait, _ := t.take(hash, t.now().UnixNano(), 0)
	return wait
}

// take is Take for a hashed key. An attempt that would have to wait, but no
// longer than ahead, is counted too: it belongs to the moment after its wait.
// Without that, a wait is no promise: another attempt may be first.
func (t *Throttle) take(hash uint64, now int64, ahead time.Duration) (wait time.Duration, counted bool) {
	shard := &t.shards[hash%throttleShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	next := max(shard.next[hash], now)
	wait = max(0, time.Duration(next-now-int64(t.burst)))
	if wait > ahead {
		return wait, false
	}
	if _, known := shard.next[hash]; !known && len(shard.next) >= maxThrottled {
		makeRoom(shard.next, now)
	}
	shard.next[hash] = next + int64(t.interval)
	return wait, true
}

// makeRoom looks at a few keys and forgets those that have nothing left to
// wait for, or else one of them.
func makeRoom(next map[uint64]int64, now int64) {
	looked := 0
	for key, at := range next {
		if looked++; at <= now || looked == 8 {
			delete(next, key)
		}
		if looked == 8 {
			return
		}
	}
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
