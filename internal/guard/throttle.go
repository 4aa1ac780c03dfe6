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
	// maxThrottled bounds the memory of a throttle: so many keys in a shard,
	// 24 bytes each. When they are all in use, any one of them is forgotten.
	maxThrottled = 4096
)

// Throttle lets a rate of attempts through for each key, by the generic cell
// rate algorithm (ITU-T I.371): it keeps one time a key, and an attempt
// that is refused costs nothing. It lives in the memory of this process.
// Safe for concurrent use.
type Throttle struct {
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
	t := &Throttle{
		interval: r.Per / time.Duration(r.Attempts),
		burst:    r.Per / time.Duration(r.Attempts) * time.Duration(r.Attempts-1),
		now:      now,
		seed:     maphash.MakeSeed(),
	}
	for i := range t.shards {
		t.shards[i].next = make(map[uint64]int64)
	}
	return t
}

// Take counts an attempt under a key. It returns 0 if the attempt is let
// through, or how long the key has to wait before the next one will be.
func (t *Throttle) Take(key string) time.Duration {
	if t == nil {
		return 0
	}
	hash := maphash.String(t.seed, key)
	shard := &t.shards[hash%throttleShards]
	now := t.now().UnixNano()
	shard.mu.Lock()
	defer shard.mu.Unlock()
	next := max(shard.next[hash], now)
	if wait := time.Duration(next - now - int64(t.burst)); wait > 0 {
		return wait
	}
	if _, known := shard.next[hash]; !known && len(shard.next) >= maxThrottled {
		makeRoom(shard.next, now)
	}
	shard.next[hash] = next + int64(t.interval)
	return 0
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
		if prefix, err := a.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return a.String()
}
