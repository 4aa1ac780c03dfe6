package postern_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// failover is a way to keep sessions in which a replica takes over.
type failover struct {
	url string
	// kill ends a master as kill -9 does, and waits until another has taken
	// over.
	kill func(*testing.T) *redistest.Server
	// follows reports whether a server that came back is a replica now.
	follows func(*redistest.Server) bool
}

func isReplica(s *redistest.Server) bool {
	info, err := s.Try("info", "replication")
	return err == nil && strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up")
}

// failovers are all kinds.
var failovers = map[string]func(*testing.T) failover{
	"a cluster": func(t *testing.T) failover {
		cluster := redistest.StartCluster(t)
		cluster.Hasten(t)
		return failover{url: cluster.URL(), follows: isReplica, kill: func(t *testing.T) *redistest.Server {
			master := cluster.Masters(t)[0]
			master.Kill(t)
			redistest.Eventually(t, "a replica has taken over", func() bool { return len(cluster.Masters(t)) == 3 })
			return master
		}}
	},
	"sentinels": func(t *testing.T) failover {
		watched := redistest.StartSentinel(t)
		return failover{url: watched.URL(), follows: isReplica, kill: func(t *testing.T) *redistest.Server {
			watched.Master.Kill(t)
			redistest.Eventually(t, "the replica has taken over", func() bool {
				info, err := watched.Replica.Try("info", "replication")
				return err == nil && strings.Contains(info, "role:master")
			})
			return watched.Master
		}}
	},
}

// TestAMasterThatDiesLosesNoSession that was acknowledged, and revives none
// whose end was: with POSTERN_SESSION_REPLICAS=1, in mid-load, on three nodes
// that nobody restarts.
func TestAMasterThatDiesLosesNoSession(t *testing.T) {
	t.Parallel()
	for name, start := range failovers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testMasterDies(t, start(t))
		})
	}
}

func testMasterDies(t *testing.T, f failover) {
	c := testConfig(t)
	c.Database, c.SessionStore, c.SessionReplicas = pgtest.Database(t), f.url, 1
	var bases []string
	for range 3 {
		_, base := startServer(t, c)
		bases = append(bases, base)
	}
	for w := range visitors {
		newClient(t, bases[0]).register(fmt.Sprintf("user-%d", w))
	}
	l := &load{t: t, bases: bases, transport: &http.Transport{MaxIdleConnsPerHost: 2 * visitors}}
	t.Cleanup(l.stop)
	l.start()
	l.awaitMore("before the fault", 20)
	master := f.kill(t)
	// What lost its only replica can't acknowledge a change now; checks go on.
	l.awaitChecks()
	master.Run(t)
	redistest.Eventually(t, "the dead master has come back as a replica", func() bool { return f.follows(master) })
	l.awaitMore("after its return", 20)
	l.stop()
	l.verify()
}

// visitors is how many clients log in, check and log out at once.
const visitors = 4

// load is what clients were told.
type load struct {
	t         *testing.T
	bases     []string
	transport *http.Transport // of all clients
	over      atomic.Bool
	writers   sync.WaitGroup

	mu    sync.Mutex
	alive []*client // logged in, acknowledged, and never logged out
	ended []ended
}

type ended struct {
	c  *client
	at time.Time
}

// at is the same browser at another node.
func (l *load) at(c *client, base string) *client {
	other := c.at(base)
	other.http.Transport = l.transport
	return other
}

func (l *load) start() {
	for w := range visitors {
		l.writers.Go(func() {
			for i := 0; !l.over.Load(); i++ {
				l.visit(fmt.Sprintf("user-%d", w), i)
			}
		})
	}
	l.writers.Go(l.watch)
}

func (l *load) stop() {
	l.over.Store(true)
	l.writers.Wait()
}

// visit logs in at one node, checks at all, and logs out at another, every
// second time. Not every answer is yes, but none is an error of ours.
func (l *load) visit(user string, i int) {
	c := l.at(newClient(l.t, l.bases[0]), l.bases[i%len(l.bases)])
	switch status, body := c.login(user, goodPassword); status {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		time.Sleep(20 * time.Millisecond) // as a client would
		return
	default:
		l.t.Errorf("log in: %d %s", status, body)
		return
	}
	for _, base := range l.bases {
		l.mayBeIn(l.at(c, base))
	}
	if i%2 == 0 {
		l.acknowledged(func() { l.alive = append(l.alive, c) })
		return
	}
	leaving := l.at(c, l.bases[(i+1)%len(l.bases)])
	switch status, body := leaving.do("POST", "/api/logout/", nil); status {
	case http.StatusOK:
		l.acknowledged(func() { l.ended = append(l.ended, ended{c, time.Now()}) })
	case http.StatusServiceUnavailable: // it may have ended, or not
	default:
		l.t.Errorf("log out: %d %s", status, body)
	}
}

func (l *load) acknowledged(note func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note()
}

// mayBeIn asks for a session that is alive: a node says so, or that it can't
// tell.
func (l *load) mayBeIn(c *client) {
	if status, body := c.do("GET", "/api/user/", nil); status != http.StatusOK && status != http.StatusServiceUnavailable {
		l.t.Errorf("check of a session that is alive: %d %s", status, body)
	}
}

// watch asks for what has ended, all the while, and for what is alive.
func (l *load) watch() {
	for i := 0; !l.over.Load(); i++ {
		l.mu.Lock()
		gone, alive := slices.Clone(l.ended), slices.Clone(l.alive)
		l.mu.Unlock()
		base := l.bases[i%len(l.bases)]
		for _, e := range gone[max(0, len(gone)-20):] {
			began := time.Now()
			status, body := l.at(e.c, base).do("GET", "/api/user/", nil)
			switch {
			case status == http.StatusForbidden, status == http.StatusServiceUnavailable:
			case status == http.StatusOK && began.Sub(e.at) <= bound:
			default:
				l.t.Errorf("%s after the log-out: %d %s", began.Sub(e.at), status, body)
			}
		}
		for _, c := range alive[max(0, len(alive)-20):] {
			l.mayBeIn(l.at(c, base))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// awaitMore waits until more sessions were started and more ended.
func (l *load) awaitMore(when string, n int) {
	l.t.Helper()
	count := func() (int, int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.alive), len(l.ended)
	}
	alive, gone := count()
	within(l.t, 2*time.Minute, "more log in and out "+when, func() bool { // it is much for a busy machine
		a, g := count()
		return a >= alive+n && g >= gone+n
	})
}

// awaitChecks waits until every node says yes to what was alive at the fault.
func (l *load) awaitChecks() {
	l.t.Helper()
	l.mu.Lock()
	alive := slices.Clone(l.alive)
	l.mu.Unlock()
	for _, base := range l.bases {
		for _, c := range alive {
			eventually(l.t, "a session is served after the failover", func() bool {
				status, _ := l.at(c, base).do("GET", "/api/user/", nil)
				return status == http.StatusOK
			})
		}
	}
}

// verify asks every node for every session.
func (l *load) verify() {
	l.t.Helper()
	for _, base := range l.bases {
		for _, c := range l.alive {
			l.at(c, base).isIn(true)
		}
		for _, e := range l.ended {
			l.at(e.c, base).isOutSoon()
		}
	}
	l.t.Logf("%d sessions alive, %d ended", len(l.alive), len(l.ended))
}
