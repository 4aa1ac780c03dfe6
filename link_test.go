package postern_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is the network between a node and its database.
type link struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// newLink returns a link to an address.
func newLink(t *testing.T, to string) *link {
	t.Helper()
	quiet := zerolog.New(io.Discard)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), quiet)
	l := &link{t: t, proxy: toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", to)}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.proxy.Stop() })
	return l
}

// address is where the link is entered.
func (l *link) address() string { return l.proxy.Listen }

// cut ends the connections and takes no new ones.
func (l *link) cut() { l.proxy.Stop() }

// freeze lets nothing through in a direction, "upstream" or "downstream" (seen
// from the node), and neither end is told.
func (l *link) freeze(directions ...string) {
	for _, d := range directions {
		l.add(`{"name": "freeze ` + d + `", "type": "timeout", "stream": "` + d + `", "attributes": {"timeout": 0}}`)
	}
}

// slow delays everything by so many milliseconds each way.
func (l *link) slow(ms string) {
	for _, d := range []string{"upstream", "downstream"} {
		l.add(`{"name": "slow ` + d + `", "type": "latency", "stream": "` + d + `", "attributes": {"latency": ` + ms + `}}`)
	}
}

func (l *link) add(toxic string) {
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		l.t.Fatal(err)
	}
}

// mend makes the link whole again.
func (l *link) mend() {
	l.proxy.Toxics.ResetToxics(context.Background())
	if !l.proxy.Enabled {
		if err := l.proxy.Start(); err != nil {
			l.t.Fatal(err)
		}
	}
}

// through is a URL with another host and port.
func through(url, host string, l *link) string {
	return strings.Replace(url, host, l.address(), 1)
}

func hostOf(t *testing.T, port int) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", itoa(port))
}
