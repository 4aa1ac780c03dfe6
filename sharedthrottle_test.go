package postern_test

import (
	"net/http"
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
	for i := range clients {
		_, base := startServer(t, c)
		clients[i] = newClient(t, base)
	}
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
	redis.Pause(t)
	passed := passing()
	redis.Continue(t)
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
