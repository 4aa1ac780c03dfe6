package postern_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

const anyPort = "127.0.0.1:0"

// fixedNode is a node that is started again and again at one address.
type fixedNode struct {
	t     *testing.T
	addr  string
	drain time.Duration
	end   context.CancelFunc
	done  chan error
}

// start opens the server and serves until stop.
func (n *fixedNode) start(c postern.Config) {
	n.t.Helper()
	server, err := postern.Open(n.t.Context(), c)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ready := make(chan struct{})
	n.end, n.done = end, make(chan error, 1)
	go func() {
		err := server.Serve(ctx, postern.Listen{Addr: n.addr, DrainDelay: n.drain, Ready: func(a []net.Addr) {
			if n.addr == anyPort { // the first time
				n.addr = a[0].String()
			}
			close(ready)
		}})
		n.done <- errors.Join(err, server.Close())
	}()
	select {
	case <-ready:
	case err := <-n.done:
		n.t.Fatal(err)
	}
}

func (n *fixedNode) stop() {
	n.t.Helper()
	n.end()
	if err := <-n.done; err != nil {
		n.t.Error(err)
	}
}

// balanced sends each request to the nodes in turn, leaving out those that are
// not ready, and to the next one when a connection is refused. It repeats
// nothing else.
type balanced struct {
	nodes []*fixedNode
	ready []*atomic.Bool
	turn  atomic.Uint64
	http  *http.Client
}

// watch asks a node whether it is ready, until over.
func watch(n *fixedNode, ready, over *atomic.Bool) {
	prober := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for !over.Load() {
		response, err := prober.Get("http://" + n.addr + "/-/ready")
		if err == nil {
			response.Body.Close()
		}
		ready.Store(err == nil && response.StatusCode == http.StatusOK)
		time.Sleep(20 * time.Millisecond)
	}
}

// next is a node that is ready.
func (b *balanced) next() *fixedNode {
	for {
		i := b.turn.Add(1) % uint64(len(b.nodes))
		if b.ready[i].Load() {
			return b.nodes[i]
		}
		time.Sleep(time.Millisecond)
	}
}

func (b *balanced) do(method, path, body string, headers ...string) (int, string, *http.Response, error) {
	var refused error
	for range b.nodes {
		node := b.next()
		// A reader that is not one of net/http's own can't be sent again, so
		// that the client does not repeat what it thinks it may.
		r, err := http.NewRequest(method, "http://"+node.addr+path, io.MultiReader(bytes.NewReader([]byte(body))))
		if err != nil {
			return 0, "", nil, err
		}
		r.ContentLength = int64(len(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := b.http.Do(r)
		if errors.Is(err, syscall.ECONNREFUSED) {
			refused = err
			continue
		}
		if err != nil {
			return 0, "", nil, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), response, err
	}
	return 0, "", nil, refused
}

// TestARollingRestartFailsNoRequest: nodes are restarted one after the other
// while clients log in, check and log out behind a balancer that asks nodes
// whether they are ready.
func TestARollingRestartFailsNoRequest(t *testing.T) {
	t.Parallel() // it waits for delays most of the time
	onEachEngine(t, func(t *testing.T, e *engine) { rollingRestart(t, e, 500*time.Millisecond, watch) })
}

// TestARollingRestartFailsNoRequestOfAClientThatAsksNobody, but goes to the
// other node when a connection is refused. It may wait for the refusal for a
// second, and its idle connection to the other node must outlive that.
func TestARollingRestartFailsNoRequestOfAClientThatAsksNobody(t *testing.T) {
	t.Parallel()
	rollingRestart(t, engines["PostgreSQL"](t), 1500*time.Millisecond, func(_ *fixedNode, ready, _ *atomic.Bool) { ready.Store(true) })
}

// rollingRestart restarts two nodes in turn under load. watch tells
// the clients' balancers when a node is ready.
func rollingRestart(t *testing.T, e *engine, drain time.Duration, watch func(n *fixedNode, ready, over *atomic.Bool)) {
	var nodes []*fixedNode
	for range 2 {
		n := &fixedNode{t: t, addr: anyPort, drain: drain}
		n.start(e.config)
		nodes = append(nodes, n)
	}
	newClient(t, "http://"+nodes[0].addr).register("user")
	var over atomic.Bool
	var requests atomic.Int64
	var clients, watchers sync.WaitGroup
	var ready []*atomic.Bool
	var ended atomic.Bool
	for _, n := range nodes {
		r := new(atomic.Bool)
		ready = append(ready, r)
		watchers.Go(func() { watch(n, r, &ended) })
	}
	for range 6 {
		clients.Go(func() {
			b := &balanced{nodes: nodes, ready: ready, http: &http.Client{Transport: &http.Transport{}}}
			for !over.Load() {
				n, err := visit(b)
				requests.Add(n)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i, n := range nodes {
		n.stop()
		n.start(e.config)
		eventually(t, "the node is ready", ready[i].Load)
	}
	over.Store(true)
	clients.Wait()
	ended.Store(true)
	watchers.Wait()
	for _, n := range nodes {
		n.stop()
	}
	if requests.Load() < 100 {
		t.Errorf("%d requests: the test has tested little", requests.Load())
	}
}

// visit logs in, checks and logs out.
func visit(b *balanced) (requests int64, err error) {
	status, body, response, err := b.do("POST", "/api/login/", `{"username":"user","password":"`+goodPassword+`"}`, "Content-Type", "application/json")
	if err != nil || status != http.StatusOK {
		return 1, fmt.Errorf("log in: %d %s %v", status, body, err)
	}
	var cookies []string
	token := ""
	for _, c := range response.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
		if c.Name == "csrftoken" {
			token = c.Value
		}
	}
	cookie := strings.Join(cookies, "; ")
	for range 10 {
		requests++
		if status, body, _, err := b.do("GET", "/api/user/", "", "Cookie", cookie); err != nil || status != http.StatusOK {
			return requests, fmt.Errorf("check: %d %s %v", status, body, err)
		}
	}
	status, body, _, err = b.do("POST", "/api/logout/", "", "Cookie", cookie, "X-CSRFToken", token)
	if err != nil || status != http.StatusOK {
		return requests + 2, fmt.Errorf("log out: %d %s %v", status, body, err)
	}
	return requests + 2, nil
}

// TestAPrimaryThatDiesLosesNothingThatWasAcknowledged: with a synchronous
// standby that is promoted in its place. Nobody restarts a node.
func TestAPrimaryThatDiesLosesNothingThatWasAcknowledged(t *testing.T) {
	primary := pgtest.Start(t, "synchronous_commit = on")
	standby := primary.StartReplica(t, "primary_slot_name = ''")
	primary.Exec(t, "postgres", "alter system set synchronous_standby_names = '*'")
	primary.Exec(t, "postgres", "select pg_reload_conf()")
	url := primary.Database(t)
	c := testConfig(t)
	c.Database = strings.Replace(url, hostOf(t, primary.Port), hostOf(t, primary.Port)+","+hostOf(t, standby.Port), 1)
	var bases []string
	for range 2 {
		_, base := startServer(t, c)
		bases = append(bases, base)
	}
	ended := newClient(t, bases[0])
	ended.register("ended")
	same := ended.at(bases[1])
	same.isIn(true)

	var mu sync.Mutex
	var users []*client
	var over atomic.Bool
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := 0; !over.Load(); i++ {
				u := newClient(t, bases[i%2])
				name := fmt.Sprintf("user-%d-%d", w, i)
				status, body := u.do("POST", "/api/register/", map[string]string{
					"username": name, "email": name + "@example.com", "password": goodPassword, "password2": goodPassword,
				})
				switch status {
				case http.StatusCreated:
					mu.Lock()
					users = append(users, u)
					mu.Unlock()
				case http.StatusServiceUnavailable:
				default:
					t.Errorf("register: %d %s", status, body)
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(users)
	}
	eventually(t, "some have registered", func() bool { return count() > 20 })
	if status, body := ended.do("POST", "/api/logout/", nil); status != http.StatusOK {
		t.Fatalf("log out: %d %s", status, body)
	}
	primary.Kill(t)
	standby.Promote(t)
	before := count()
	eventually(t, "more have registered after the failover", func() bool { return count() > before+20 })
	over.Store(true)
	writers.Wait()
	for _, u := range users {
		for _, base := range bases {
			u.at(base).isIn(true)
		}
	}
	same.isOutSoon()
}
