package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// node is what a node hears.
type node struct {
	mu        sync.Mutex
	heard     []auth.News
	heartbeat time.Time
}

func (n *node) options() Options {
	return Options{
		News: func(news auth.News) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.heard = append(n.heard, news)
		},
		Heartbeat: func(began time.Time) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.heartbeat = began
		},
	}
}

func (n *node) hasHeard(news auth.News) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.heard, news)
}

func (n *node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = nil
}

func (n *node) beatAfter(at time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.heartbeat.After(at)
}

// awaitBeat waits for a heartbeat that began after now.
func (n *node) awaitBeat(t testing.TB) {
	t.Helper()
	now := time.Now()
	redistest.Eventually(t, "a heartbeat", func() bool { return n.beatAfter(now) })
}

// stillSilent fails if a heartbeat comes that began after at, within a time
// in which several would.
func (n *node) stillSilent(t *testing.T, at time.Time) {
	t.Helper()
	for until := time.Now().Add(5 * pingEvery); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if n.beatAfter(at) {
			t.Fatal("a heartbeat was given though the news can't be heard")
		}
	}
}

func onEachKind(t *testing.T, test func(t *testing.T, url string, masters func() []*redistest.Server)) {
	t.Run("one server", func(t *testing.T) {
		server := redistest.Start(t)
		test(t, server.URL(), func() []*redistest.Server { return []*redistest.Server{server} })
	})
	t.Run("a cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		test(t, cluster.URL(), func() []*redistest.Server { return cluster.Masters(t) })
	})
}

// TestWhatAnotherNodeEndsIsHeard before the next heartbeat.
func TestWhatAnotherNodeEndsIsHeard(t *testing.T) {
	onEachKind(t, func(t *testing.T, url string, _ func() []*redistest.Server) {
		users := openUsers(t, nil)
		n := new(node)
		o := n.options()
		var lost storetest.Warnings
		o.Log = lost.Log()
		openAt(t, url, users, o)
		other := openAt(t, url, users, Options{})
		// end is the news of a session's end, and whether all was forgotten.
		end := func(name string) (news auth.News, forgotten bool) {
			session := person(t, other, name)
			n.awaitBeat(t)
			n.forget()
			var err error
			if name < "d" {
				_, err = other.End(t.Context(), session.ID)
			} else {
				_, err = other.EndAll(t.Context(), session.UserID)
			}
			if err != nil {
				t.Fatal(err)
			}
			n.awaitBeat(t)
			return auth.News{Session: session.ID}, n.hasHeard(auth.News{})
		}
		for _, name := range strings.Fields("a b c d e f") { // on every master
			news, forgotten := end(name)
			// So busy a machine that a master was not heard for a second, and its
			// connection was given up.
			for i := 0; i < 5 && lost.Take(); i++ {
				news, forgotten = end(fmt.Sprint(name, i))
			}
			if !n.hasHeard(news) {
				t.Errorf("%s: not heard before the heartbeat", name)
			}
			if forgotten {
				t.Errorf("%s: everything was forgotten", name)
			}
		}
	})
}

func TestALostConnectionIsOpenedAnewAndEverythingForgotten(t *testing.T) {
	onEachKind(t, func(t *testing.T, url string, masters func() []*redistest.Server) {
		n := new(node)
		openAt(t, url, openUsers(t, nil), n.options())
		for _, master := range masters() {
			n.awaitBeat(t)
			n.forget()
			master.Do(t, "client", "kill", "type", "pubsub")
			redistest.Eventually(t, "everything is forgotten", func() bool { return n.hasHeard(auth.News{}) })
			n.awaitBeat(t)
		}
	})
}

func TestNoHeartbeatIsGivenWhileAMasterIsSilent(t *testing.T) {
	onEachKind(t, func(t *testing.T, url string, masters func() []*redistest.Server) {
		n := new(node)
		openAt(t, url, openUsers(t, nil), n.options())
		n.awaitBeat(t)
		silent := masters()[0]
		silent.Pause(t)
		paused := time.Now()
		n.stillSilent(t, paused)
		silent.Continue(t)
		n.awaitBeat(t)
	})
}

func TestMessages(t *testing.T) {
	id := auth.IDOf("key")
	for message, want := range map[string]auth.News{
		"s" + id.String(): {Session: id}, "s": {}, "": {}, "*": {}, "s12": {}, "u12": {}, "s" + strings.Repeat("g", 64): {},
	} {
		if got := parseNews(message); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
}
