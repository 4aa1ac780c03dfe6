package httpserver

import (
	"errors"
	"net"
	"slices"

	"github.com/coreos/go-systemd/v22/activation"
)

// Passed returns the sockets that systemd has opened for this process (see
// sd_listen_fds(3)), nil for none. It can be asked once: what the environment
// says about them is taken out, so that no child believes it.
func Passed() ([]net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	open := slices.DeleteFunc(slices.Clone(listeners), func(l net.Listener) bool { return l == nil })
	if len(open) < len(listeners) {
		closeAll(open)
		return nil, errors.New("take the sockets of systemd: one of them takes no connections; name only ListenStream= in the .socket unit")
	}
	return open, nil
}
