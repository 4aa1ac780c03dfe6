package postern_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pages/browsertest"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	browsertest.End()
	os.Exit(code)
}

func itoa(n int) string { return strconv.Itoa(n) }

// engine is where the nodes of a test keep users and sessions.
type engine struct {
	config postern.Config
	host   string // HOST:PORT of the server, for links
}

// behind is the configuration of a node that reaches the engine by a link.
func (e *engine) behind(l *link) postern.Config {
	c := e.config
	c.Database = through(c.Database, e.host, l)
	c.SessionStore = through(c.SessionStore, e.host, l)
	return c
}

// engines are all kinds, each empty at each call.
var engines = map[string]func(*testing.T) *engine{
	"PostgreSQL": func(t *testing.T) *engine {
		server := pgtest.Shared(t)
		c := testConfig(t)
		c.Database = server.Database(t)
		return &engine{config: c, host: hostOf(t, server.Port)}
	},
	"PostgreSQL and Redis": func(t *testing.T) *engine {
		server := redistest.Start(t)
		c := testConfig(t)
		c.Database, c.SessionStore = pgtest.Database(t), server.URL()
		return &engine{config: c, host: server.Address()}
	},
}

func onEachEngine(t *testing.T, test func(*testing.T, *engine)) {
	for name, start := range engines {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// bound is by when a revocation of one node holds on all, whatever the network
// does.
const bound = 2 * time.Second

// TestARevocationHoldsOnEveryNode, at once on the one that acknowledges it.
func TestARevocationHoldsOnEveryNode(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *engine) {
		const nodes = 3
		var servers [nodes]*postern.Server
		var bases [nodes]string
		for i := range servers {
			servers[i], bases[i] = startServer(t, e.config)
		}
		newClient(t, bases[0]).register("user")
		for name, revoke := range map[string]func(*client, *postern.Server) error{
			"log out": func(c *client, _ *postern.Server) error {
				if status, body := c.do("POST", "/api/logout/", nil); status != http.StatusOK {
					return fmt.Errorf("%d %s", status, body)
				}
				return nil
			},
			"a new password": func(_ *client, s *postern.Server) error {
				return s.SetPassword(t.Context(), "user", goodPassword)
			},
			"deactivation": func(_ *client, s *postern.Server) error {
				if err := s.SetActive(t.Context(), "user", false); err != nil {
					return err
				}
				return s.SetActive(t.Context(), "user", true)
			},
			"the end of all sessions": func(_ *client, s *postern.Server) error {
				_, err := s.RevokeSessions(t.Context(), "user")
				return err
			},
		} {
			for acting := range nodes {
				for _, s := range servers {
					s.AwaitRecall(t)
				}
				c := newClient(t, bases[(acting+1)%nodes])
				if status, body := c.login("user", goodPassword); status != http.StatusOK {
					t.Fatalf("log in: %d %s", status, body)
				}
				var same [nodes]*client
				for i := range nodes {
					same[i] = c.at(bases[i])
					for range 3 { // it is remembered everywhere
						same[i].isIn(true)
					}
				}
				if err := revoke(c.at(bases[acting]), servers[acting]); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				acknowledged := time.Now()
				same[acting].isIn(false)
				for i := range nodes {
					if late := same[i].isOutSoon().Sub(acknowledged); late > bound {
						t.Errorf("%s: node %d did not refuse it after %s", name, i, late)
					}
				}
			}
		}
	})
}

// TestNoFaultOfTheNetworkKeepsARevokedSessionAlive: a node that the news can't
// reach says no, or that it can't tell, after the bound at the latest; and it
// recovers by itself.
func TestNoFaultOfTheNetworkKeepsARevokedSessionAlive(t *testing.T) {
	faults := map[string]func(*link){
		"cut":                     (*link).cut,
		"half open":               func(l *link) { l.freeze("upstream", "downstream") },
		"nothing comes back":      func(l *link) { l.freeze("downstream") },
		"nothing gets through":    func(l *link) { l.freeze("upstream") },
		"slow by half a second":   func(l *link) { l.slow("250") },
		"slow by several seconds": func(l *link) { l.slow("1500") },
	}
	onEachEngine(t, func(t *testing.T, e *engine) {
		_, base := startServer(t, e.config)
		newClient(t, base).register("user")
		for name, break_ := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // each waits for seconds, on a node and a link of its own
				l := newLink(t, e.host)
				far, farBase := startServer(t, e.behind(l))
				far.AwaitRecall(t)
				revoked, kept := loggedIn(t, base), loggedIn(t, base)
				revokedFar, keptFar := revoked.at(farBase), kept.at(farBase)
				for range 3 {
					revokedFar.isIn(true)
					keptFar.isIn(true)
				}
				break_(l)
				if status, body := revoked.do("POST", "/api/logout/", nil); status != http.StatusOK {
					t.Fatalf("log out: %d %s", status, body)
				}
				watchTheEnd(t, revokedFar, time.Now())
				l.mend()
				eventually(t, "the node recovers", func() bool {
					gone, _ := revokedFar.do("GET", "/api/user/", nil)
					alive, _ := keptFar.do("GET", "/api/user/", nil)
					return gone == http.StatusForbidden && alive == http.StatusOK
				})
				far.AwaitRecall(t)
			})
		}
	})
}

// watchTheEnd asks for a session that was revoked elsewhere: no request that
// begins after the bound is answered with yes, and nothing is an error of ours.
func watchTheEnd(t *testing.T, c *client, acknowledged time.Time) {
	t.Helper()
	for time.Since(acknowledged) < bound+500*time.Millisecond {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				began := time.Now()
				status, body := c.do("GET", "/api/user/", nil)
				switch {
				case status == http.StatusForbidden, status == http.StatusServiceUnavailable:
				case status == http.StatusOK && began.Sub(acknowledged) <= bound:
				default:
					t.Errorf("%s after the revocation: %d %s", began.Sub(acknowledged), status, body)
				}
			})
		}
		all.Wait()
	}
}

func loggedIn(t *testing.T, base string) *client {
	t.Helper()
	c := newClient(t, base)
	if status, body := c.login("user", goodPassword); status != http.StatusOK {
		t.Fatalf("log in: %d %s", status, body)
	}
	return c
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	within(t, 30*time.Second, what, is)
}

func within(t *testing.T, d time.Duration, what string, is func() bool) {
	t.Helper()
	for patience := time.Now().Add(d); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatalf("it never came to pass: %s", what)
		}
	}
}
