package postern_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

const (
	formerKey = "the former secret key, for tests only, of more than fifty characters"
	newKey    = "the coming secret key, for tests only, of more than fifty characters"
)

// keys is what a node knows: the key it signs with, and those that still count.
type keys struct {
	primary   string
	fallbacks []string
}

// rotation is two nodes on one database that are restarted, one at a time,
// with other keys.
type rotation struct {
	t        *testing.T
	database string
	now      atomic.Int64 // of both nodes, Unix seconds
	clients  []*client    // who logged in, on either node, at any step
	nodes    []string     // base URLs
	names    int
}

const rotationAge = 14 * 24 * time.Hour

func newRotation(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{t: t, database: "sqlite:" + filepath.Join(t.TempDir(), "postern.sqlite3")}
	r.now.Store(time.Now().Unix())
	return r
}

// start has the two nodes run with those keys: new processes, with nothing
// in their memory, as after a rolling restart.
func (r *rotation) start(first, second keys) {
	r.t.Helper()
	r.nodes = nil
	for _, k := range []keys{first, second} {
		c := testConfig(r.t)
		c.Database, c.SecretKey, c.SecretKeyFallbacks = r.database, k.primary, k.fallbacks
		c.Session.Age = rotationAge
		c.Now = func() time.Time { return time.Unix(r.now.Load(), 0) }
		_, base := startServer(r.t, c)
		r.nodes = append(r.nodes, base)
	}
}

func (r *rotation) pass(d time.Duration) { r.now.Add(int64(d / time.Second)) }

// logIn registers somebody on one node; on the other, the same person comes
// with a second device and logs in.
func (r *rotation) logIn() {
	r.t.Helper()
	for i, node := range r.nodes {
		r.names++
		name := fmt.Sprintf("person%d", r.names)
		registered := newClient(r.t, node)
		registered.register(name)
		device := newClient(r.t, r.nodes[1-i])
		if status, body := device.login(name, goodPassword); status != http.StatusOK {
			r.t.Fatalf("log in: %d %s", status, body)
		}
		r.clients = append(r.clients, registered, device)
	}
}

// signedOut counts the sessions that a node does not accept, for each node:
// as behind a proxy, a client's next request goes to any of them.
func (r *rotation) signedOut() (refused int) {
	r.t.Helper()
	for _, c := range r.clients {
		for _, node := range r.nodes {
			if status, body := c.on(node).do("GET", "/api/user/", nil); status == http.StatusForbidden {
				refused++
			} else if status != http.StatusOK {
				r.t.Fatalf("GET /api/user/: %d %s", status, body)
			}
		}
	}
	return refused
}

// on is the same browser, sent to another node: cookies are for a host,
// whatever the port.
func (c *client) on(base string) *client {
	sent := *c
	sent.base = base
	return &sent
}

func TestARotationOfTheSecretKeyInStepsLogsNobodyOut(t *testing.T) {
	var (
		before    = keys{formerKey, nil}
		announced = keys{formerKey, []string{newKey}}
		turned    = keys{newKey, []string{formerKey}}
		after     = keys{newKey, nil}
	)
	r := newRotation(t)
	for _, step := range []struct {
		name          string
		first, second keys
	}{
		{"before the rotation", before, before},
		{"the new key is a fallback of one node", announced, before},
		{"the new key is a fallback everywhere", announced, announced},
		{"the new key is the primary of one node", turned, announced},
		{"the new key is the primary everywhere", turned, turned},
	} {
		r.start(step.first, step.second)
		if refused := r.signedOut(); refused > 0 {
			t.Errorf("%s: %d of the sessions from before are not accepted", step.name, refused)
		}
		r.logIn()
		if refused := r.signedOut(); refused > 0 {
			t.Errorf("%s: %d sessions are not accepted by both nodes", step.name, refused)
		}
	}

	// The sessions that the former key made end of age; those who came back
	// meanwhile have one that the new key made.
	r.pass(rotationAge / 2)
	former := len(r.clients)
	r.logIn()
	r.pass(rotationAge/2 + time.Second)
	if refused := r.signedOut(); refused != 2*former {
		t.Errorf("%d sessions are over by their age on two nodes, want %d", refused, 2*former)
	}
	r.clients = r.clients[former:]
	for _, step := range []struct {
		name          string
		first, second keys
	}{
		{"the former key has left one node", after, turned},
		{"the former key has left", after, after},
	} {
		r.start(step.first, step.second)
		r.logIn()
		if refused := r.signedOut(); refused > 0 {
			t.Errorf("%s: %d sessions are not accepted by both nodes", step.name, refused)
		}
	}
}

func TestARotationThatSkipsAStepLogsPeopleOut(t *testing.T) {
	for name, test := range map[string]struct{ before, first, second keys }{
		"the new key is primary on one node before the other knows it": {
			keys{formerKey, nil}, keys{newKey, []string{formerKey}}, keys{formerKey, nil}},
		"the former key is dropped before its sessions are over": {
			keys{formerKey, []string{newKey}}, keys{newKey, nil}, keys{newKey, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRotation(t)
			r.start(test.before, test.before)
			r.logIn()
			r.start(test.first, test.second)
			r.logIn()
			if r.signedOut() == 0 {
				t.Error("every session is accepted everywhere: the steps of the rotation are not needed, or not tested")
			}
		})
	}
}

// TestAnUpgradedHashDuringARotationLogsNobodyOut: the login that makes the
// password's hash anew knows sessions of the former key.
func TestAnUpgradedHashDuringARotationLogsNobodyOut(t *testing.T) {
	c := testConfig(t)
	c.SecretKey = formerKey
	_, before := startServer(t, c)
	first := newClient(t, before)
	first.register("user")
	second := loggedIn(t, before)

	c.SecretKey, c.SecretKeyFallbacks = newKey, []string{formerKey}
	c.Passwords.Argon2Time = 2
	_, after := startServer(t, c)
	third := loggedIn(t, after)
	for _, device := range []*client{first, second, third} {
		device.on(after).isIn(true)
	}
}
