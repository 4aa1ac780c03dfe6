// Package freeport finds ports for the throw-away servers of tests and
// benchmarks, which can't be asked to take any.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
)

// Ports are taken from a range that the system gives nobody who does not ask
// for a port by its number (Linux gives 32768 to 60999). A port of that range
// could be gone again before the server is there, and while a test has stopped it.
const first, last = 12_000, 31_999

// reserved holds the UDP ports of the numbers given away: what is bound there
// until the process ends keeps others that ask here from the same number, in
// this process and in every other, between the answer and the server's start
// and while a server is stopped for a time.
var reserved struct {
	sync.Mutex
	ports []net.PacketConn
}

// TCP returns the address of a port of the loopback interface that nobody
// listens on. It is given to nobody else as long as this process lives.
func TCP() (netip.AddrPort, error) {
	var err error
	for range 100 {
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(first+rand.IntN(last-first+1)))
		if err = reserve(address); err == nil {
			return address, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
}

func reserve(address netip.AddrPort) error {
	p, err := net.ListenPacket("udp4", address.String())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp4", address.String())
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return errors.Join(err, p.Close())
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.ports = append(reserved.ports, p)
	return nil
}
