package httpserver

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"time"
)

// A listener that closes resets the connections that the system has taken for
// it and the server not yet: their clients believed to be connected, may have
// sent a request, and can't know whether it was answered. So a listener of our
// own first lets no new connection begin, is served until those that had begun
// are taken, and closes then, when nobody waits: who comes later is refused.

const (
	// settling is how long connections that have begun may take to be made: a
	// round trip to a proxy that is not far.
	settling = 50 * time.Millisecond
	// maxSettling is how long the server may take to take them.
	maxSettling = time.Second
)

// ownListener is a listener of this process alone. One that was passed is
// open elsewhere too: what waits there is taken by whoever serves next.
type ownListener struct {
	net.Listener
	raw net.Listener // below deadlines and TLS
}

// seal lets no new connection begin, and reports whether it could.
func (l ownListener) seal() bool {
	switch raw := l.raw.(type) {
	case *net.TCPListener:
		return dropBeginnings(raw)
	case *net.UnixListener:
		// Who can't find the file can't connect. It may be another server's
		// by the time of Close.
		raw.SetUnlinkOnClose(false)
		err := os.Remove(raw.Addr().String())
		return err == nil || errors.Is(err, fs.ErrNotExist)
	}
	return false
}

// settle seals listeners and waits until nobody waits in them, for so long at
// most.
func settle(listeners []net.Listener, most time.Duration) {
	var sealed []ownListener
	for _, l := range listeners {
		if own, ok := l.(ownListener); ok && own.seal() {
			sealed = append(sealed, own)
		}
	}
	if len(sealed) == 0 {
		return
	}
	start := time.Now()
	time.Sleep(min(settling, most))
	for _, l := range sealed {
		for waiting(l.raw) && time.Since(start) < min(maxSettling, most) {
			time.Sleep(time.Millisecond)
		}
	}
}
