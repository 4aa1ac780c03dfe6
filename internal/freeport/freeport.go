// Package freeport finds ports for the throw-away servers of tests and
// benchmarks, which can't be asked to take any.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
)

// Ports are taken from a range that the system gives nobody who does not ask
// for a port by its number (Linux gives 32768 to 60999). A port of that range
// could be gone again before the server is there, and while a test has stopped it.
const first, last = 12_000, 31_999

// TCP returns the address of a port of the loopback interface that nobody
// listens on; it is not reserved, but another test is unlikely to draw it.
func TCP() (netip.AddrPort, error) {
	var err error
	for range 100 {
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(first+rand.IntN(last-first+1)))
		var l net.Listener
		if l, err = net.Listen("tcp4", address.String()); err == nil {
			return address, l.Close()
		}
	}
	return netip.AddrPort{}, errors.Join(errors.New("find a free port"), err)
}
