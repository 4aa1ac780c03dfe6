package postern_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// TestNodesWithRedisShareTheRateOfAnAddress, and go on alone while it is away.
func TestNodesWithRedisShareTheRateOfAnAddress(t *testing.T) {
	redis := redistest.Start(t)
	c := testConfig(t)
	c.Database, c.SessionStore = pgtest.Database(t), redis.URL()
	const rate, nodes = 6, 3
	c.Throttle = postern.Throttle{Login: postern.Rate{Attempts: rate, Per: 24 * time.Hour}}
	var clients [nodes]*client
	var servers [nodes]*postern.Server
	for i := range clients {
		var base string
		servers[i], base = startServer(t, c)
		clients[i] = newClient(t, base)
	}
	wait := func(d time.Duration) {
		for _, s := range servers {
			s.WaitForSharedCounts(d)
		}
	}
	wait(patient)
	// passing is how many of 2*rate attempts at each node get to the password.
	passing := func() (passed [nodes]int) {
		for range 2 * rate {
			for i, client := range clients {
				began := time.Now()
				switch status, body := client.login("nobody", "wrong"); status {
				case http.StatusUnauthorized:
					passed[i]++
				case http.StatusTooManyRequests:
				default:
					t.Errorf("node %d: %d %s", i, status, body)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("node %d answers after %s", i, took)
				}
			}
		}
		return passed
	}
	if passed := passing(); passed[0]+passed[1]+passed[2] != rate {
		t.Errorf("%v passed on the nodes, want %d together", passed, rate)
	}
	if keys := redis.Do(t, "SCAN", "0", "MATCH", "postern:t:*", "COUNT", "1000"); !strings.Contains(keys, "postern:t:") || strings.Contains(keys, "127.0.0.1") {
		t.Errorf("keys %q", keys)
	}
	wait(0)
	redis.Pause(t)
	passed := passing()
	redis.Continue(t)
	wait(patient)
	for i, n := range passed {
		// What it let through before counts.
		if n == 0 || n > rate {
			t.Errorf("while Redis is away, node %d lets %d through, want at most %d", i, n, rate)
		}
	}
	// Each node's own count is used up: what passes now, passes together.
	redis.Do(t, "FLUSHALL")
	total := 0
	redistest.Eventually(t, "the nodes count together again", func() bool {
		passed := passing()
		total += passed[0] + passed[1] + passed[2]
		return total > 0
	})
	if total > rate {
		t.Errorf("%d passed together, want at most %d", total, rate)
	}
}

// siegeOfNodes are nodes that share a Redis, with a user named owner.
type siegeOfNodes struct {
	t       *testing.T
	servers []*postern.Server
	bases   []string
	owner   *client
	began   time.Time
	let     int // guesses that got to the password
}

// patient is longer than a busy machine keeps an answer of Redis back.
const patient = 20 * time.Second

const (
	guessesAtOnce = 6
	guessEvery    = 2 * time.Second
)

func besiegeNodes(t *testing.T) (s *siegeOfNodes, redis *redistest.Server) {
	redis = redistest.Start(t)
	c := testConfig(t)
	c.Database, c.SessionStore = pgtest.Database(t), redis.URL()
	c.Throttle = postern.Throttle{
		Login:        postern.Rate{Attempts: 1000, Per: time.Minute},
		LoginAccount: postern.Rate{Attempts: guessesAtOnce, Per: guessesAtOnce * guessEvery},
		Register:     postern.Rate{Attempts: 2, Per: 24 * time.Hour},
	}
	s = &siegeOfNodes{t: t}
	for range 3 {
		server, base := startServer(t, c)
		server.WaitForSharedCounts(patient)
		s.servers, s.bases = append(s.servers, server), append(s.bases, base)
	}
	s.owner = newClient(t, s.bases[0])
	s.owner.register("owner")
	s.began = time.Now()
	return s, redis
}

// login tries at a node from an address, in a browser of its own, and returns
// the wait that is told.
func (s *siegeOfNodes) login(node int, address, password string) (status int, wait time.Duration) {
	s.t.Helper()
	c := newClient(s.t, s.bases[node%len(s.bases)])
	status, h, body := c.full("POST", "/api/login/", map[string]string{"username": "owner", "password": password}, "X-Forwarded-For", address)
	if status != http.StatusOK && status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
		s.t.Fatalf("log in: %d %s", status, body)
	}
	if status == http.StatusTooManyRequests {
		seconds, err := strconv.Atoi(h.Get("Retry-After"))
		if err != nil || seconds < 1 {
			s.t.Fatalf("Retry-After: %q", h.Get("Retry-After"))
		}
		wait = time.Duration(seconds) * time.Second
	}
	return status, wait
}

// guess has a botnet guess, each address at another node.
func (s *siegeOfNodes) guess(addresses int) {
	s.t.Helper()
	for i := range addresses {
		if status, _ := s.login(i, fmt.Sprintf("198.51.%d.1", i), "guess"); status == http.StatusUnauthorized {
			s.let++
		}
	}
}

// TestNodesWithRedisShareTheWaitlistOfAnAccount: guesses that are spread over
// nodes get one rate in all, and the owner gets in from a recognised device at
// once, from a new one after the wait that was told, at whichever node.
func TestNodesWithRedisShareTheWaitlistOfAnAccount(t *testing.T) {
	t.Parallel()
	s, redis := besiegeNodes(t)
	s.guess(guessesAtOnce)
	if s.let != guessesAtOnce {
		t.Errorf("%d guesses got through, want the first %d", s.let, guessesAtOnce)
	}
	const fresh = "192.0.2.7"
	status, wait := s.login(0, fresh, goodPassword)
	for status == http.StatusOK { // so slow a machine that the rate had recovered
		s.guess(guessesAtOnce)
		status, wait = s.login(0, fresh+"7", goodPassword)
	}
	s.guess(30)
	for node, base := range s.bases {
		s.owner = s.owner.at(base) // each login gives another session
		status, body := s.owner.do("POST", "/api/login/", map[string]string{"username": "owner", "password": goodPassword}, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", node))
		if status != http.StatusOK {
			t.Errorf("with a live session at node %d: %d %s", node, status, body)
		}
	}
	<-time.After(wait)
	s.guess(30)
	if status, wait := s.login(1, fresh, goodPassword); status != http.StatusOK {
		t.Errorf("after the wait that was told: %d, %s more", status, wait)
	}
	elapsed := time.Since(s.began)
	if most := guessesAtOnce + int(elapsed/guessEvery) + 1; s.let > most {
		t.Errorf("%d guesses got through in %s, want at most %d", s.let, elapsed, most)
	}
	for _, key := range strings.Fields(redis.Do(t, "SCAN", "0", "MATCH", "postern:t:*", "COUNT", "1000")) {
		if strings.Contains(key, "owner") || strings.Contains(key, "198.51") {
			t.Errorf("the key %s tells who it is about", key)
		}
	}
}

// TestNodesWithRedisShareTheRateOfRegistrations.
func TestNodesWithRedisShareTheRateOfRegistrations(t *testing.T) {
	t.Parallel()
	s, _ := besiegeNodes(t) // which registers one of two
	var created int
	for i := range 6 {
		status, body := newClient(t, s.bases[i%len(s.bases)]).do("POST", "/api/register/", map[string]string{
			"username": fmt.Sprintf("user%d", i), "password": goodPassword, "password2": goodPassword,
		})
		switch status {
		case http.StatusCreated:
			created++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("register: %d %s", status, body)
		}
	}
	if created != 1 {
		t.Errorf("%d were registered, want one more", created)
	}
}

// TestAWaitlistGoesOnAtEachNodeWhileRedisIsAway: guesses are not let through
// freely, and no request fails.
func TestAWaitlistGoesOnAtEachNodeWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s, redis := besiegeNodes(t)
	s.guess(guessesAtOnce)
	for _, server := range s.servers {
		server.WaitForSharedCounts(0)
	}
	redis.Pause(t)
	defer redis.Continue(t)
	paused := time.Now()
	s.let = 0
	s.guess(40)
	// What a node let through while it counted with others counts there too.
	if most := len(s.bases) * (guessesAtOnce + int(time.Since(paused)/guessEvery) + 1); s.let > most {
		t.Errorf("%d guesses got through at %d nodes, want at most %d", s.let, len(s.bases), most)
	}
}
