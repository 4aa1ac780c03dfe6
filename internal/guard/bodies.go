package guard

import (
	"net/netip"
	"sync"
)

const (
	// bodiesHeld is how many bodies of the largest size may be in flight, and
	// bodiesOfClient how many of those may be one client's.
	bodiesHeld     = 64
	bodiesOfClient = 8
)

// bodies counts the bytes of the request bodies in flight: those that have
// arrived and whose request is not answered yet. A client holds an eighth of
// the bound at most, and never more than is left for all others. The last
// eighth is kept for bodies of up to firstRead bytes, as every form of a login
// is: to leave no room for those, clients have to stall some 2,000 connections
// at a time. A client is an address, or in IPv6 its /64. Safe for concurrent
// use.
type bodies struct {
	bound, share int64 // bytes

	mu       sync.Mutex
	held     int64
	byClient map[netip.Prefix]int64
}

func newBodies(maxBody int64) *bodies {
	return &bodies{bound: bodiesHeld * maxBody, share: bodiesOfClient * maxBody, byClient: make(map[netip.Prefix]int64)}
}

// reserve counts n bytes more for a client; false if that is too much. large
// says that they are for a body of more than firstRead bytes.
func (b *bodies) reserve(client netip.Prefix, n int64, large bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, all := b.byClient[client]+n, b.held+n
	if held > b.share || held > b.bound-all || large && all > b.bound-b.share {
		return false
	}
	b.byClient[client], b.held = held, all
	return true
}

// release gives back n bytes of a client.
func (b *bodies) release(client netip.Prefix, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	if b.byClient[client] -= n; b.byClient[client] <= 0 {
		delete(b.byClient, client)
	}
}

// bodyOwner is whom the body of a client at an address counts for. All peers
// without an address are one client: those of a unix socket that is not
// trusted to tell the addresses of its clients.
func bodyOwner(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	client, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return client
}

// holdBody makes the request hold n bytes of a body in all; false if that is
// too much.
func (x *Exchange) holdBody(n int64) bool {
	if !x.guard.bodies.reserve(bodyOwner(x.Address), n-x.bodyHeld, n > firstRead) {
		return false
	}
	x.bodyHeld = n
	return true
}

// releaseBody ends what holdBody began.
func (x *Exchange) releaseBody() {
	if x.bodyHeld != 0 {
		x.guard.bodies.release(bodyOwner(x.Address), x.bodyHeld)
		x.bodyHeld = 0
	}
}
