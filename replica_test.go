package postern_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// replicated is where nodes keep users, with a standby, and sessions.
type replicated struct {
	config  postern.Config
	standby *pgtest.Server
}

func (r *replicated) replay(t *testing.T, what string) {
	t.Helper()
	r.standby.Exec(t, "postgres", "select pg_wal_replay_"+what+"()")
}

func onEachReplicated(t *testing.T, test func(*testing.T, *replicated)) {
	for _, sessions := range []string{"PostgreSQL", "Redis"} {
		t.Run(sessions, func(t *testing.T) {
			t.Parallel()
			primary := pgtest.Start(t, pgtest.Fast)
			r := &replicated{config: testConfig(t), standby: primary.StartReplica(t, pgtest.Fast)}
			r.config.Database = primary.Database(t)
			r.config.DatabaseReplica = strings.Replace(r.config.Database, fmt.Sprint(primary.Port), fmt.Sprint(r.standby.Port), 1)
			if sessions == "Redis" {
				r.config.SessionStore = redistest.Start(t).URL()
			}
			r.config.RecallEntries = -1 // every check reads
			test(t, r)
		})
	}
}

// readsOf tells how many rows a node has read so far, at "read" or at
// "replica".
func readsOf(t *testing.T, admin, operation string) float64 {
	t.Helper()
	return scrape(t, admin)[`postern_database_duration_seconds{operation="`+operation+`"}`]
}

// TestAReplicaTakesReadsAndNothingElse: a session just made counts at once on
// every node, whatever the replica has, and one that was ended counts nowhere.
func TestAReplicaTakesReadsAndNothingElse(t *testing.T) {
	t.Parallel()
	onEachReplicated(t, func(t *testing.T, r *replicated) {
		_, nearBase, near := watched(t, r.config)
		_, farBase := startServer(t, r.config)
		c := newClient(t, nearBase)
		c.register("user")
		eventually(t, "checks are read from the replica", func() bool {
			before := readsOf(t, near, "replica")
			c.isIn(true)
			return readsOf(t, near, "replica") > before
		})

		r.replay(t, "pause")
		late := newClient(t, farBase)
		late.register("late")
		for range 3 {
			late.isIn(true)
			late.at(nearBase).isIn(true)
			c.at(farBase).isIn(true)
		}
		if status, body := c.do("POST", "/api/logout/", nil); status != http.StatusOK {
			t.Fatalf("log out: %d %s", status, body)
		}
		acknowledged := time.Now()
		c.isIn(false)
		if late := c.at(farBase).isOutSoon().Sub(acknowledged); late > bound {
			t.Errorf("the other node did not refuse it after %s", late)
		}
		eventually(t, "the probe tells of a replica that is behind", func() bool {
			status, checks := probe(t, near)
			return status == "degraded" && checks["replica"] == "failing"
		})

		r.replay(t, "resume")
		eventually(t, "checks are read from the replica again", func() bool {
			before := readsOf(t, near, "replica")
			late.at(nearBase).isIn(true)
			return readsOf(t, near, "replica") > before
		})
		c.isIn(false)
	})
}

func probe(t *testing.T, admin string) (status string, checks map[string]string) {
	t.Helper()
	response, err := http.Get(admin + "/-/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var report struct {
		Status string
		Checks map[string]string
	}
	err = json.NewDecoder(response.Body).Decode(&report)
	// Only that the database was not asked in time is a reason to be red.
	if err != nil || response.StatusCode != http.StatusOK && report.Checks["database"] != "timed out" {
		t.Fatalf("ready: %d, %v", response.StatusCode, err)
	}
	return report.Status, report.Checks
}

// TestAReplicaThatDiesFailsNoRequest, nor does one that comes back.
func TestAReplicaThatDiesFailsNoRequest(t *testing.T) {
	t.Parallel()
	onEachReplicated(t, func(t *testing.T, r *replicated) {
		_, base, admin := watched(t, r.config)
		newClient(t, base).register("user")
		var over atomic.Bool
		var clients sync.WaitGroup
		t.Cleanup(func() { over.Store(true); clients.Wait() })
		for range 4 {
			c := loggedIn(t, base)
			clients.Go(func() {
				for !over.Load() {
					c.isIn(true)
				}
			})
		}
		for range 2 {
			before := readsOf(t, admin, "replica")
			eventually(t, "the replica is read", func() bool { return readsOf(t, admin, "replica") > before+20 })
			r.standby.Kill(t)
			before = readsOf(t, admin, "read")
			eventually(t, "the primary is read", func() bool { return readsOf(t, admin, "read") > before+20 })
			r.standby.Run(t)
		}
		over.Store(true)
		clients.Wait()
	})
}
