package pgstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

func names(steps []Migration) string {
	var all []string
	for _, m := range steps {
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}

func everyStep(t *testing.T) string {
	t.Helper()
	steps, err := migrationSteps()
	if err != nil || len(steps) < 6 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	return names(steps)
}

func TestStoresThatMigrateAtOnceShareTheWork(t *testing.T) {
	url := pgtest.Database(t)
	var mu sync.Mutex
	var took []string
	var all sync.WaitGroup
	for range 5 {
		s := openAt(t, url, Options{})
		all.Go(func() {
			steps, err := s.Migrate(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, strings.Fields(names(steps))...)
		})
	}
	all.Wait()
	slices.Sort(took)
	if got, want := strings.Join(took, " "), everyStep(t); got != want {
		t.Errorf("the stores took the steps %q, want %q", got, want)
	}
	s := openAt(t, url, Options{})
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if steps, err := s.Migrate(t.Context()); err != nil || len(steps) > 0 {
		t.Errorf("another Migrate took %q, %v", names(steps), err)
	}
}

// holdLock is another process that migrates; it returns the connection that
// holds the lock.
func holdLock(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	for _, statement := range []string{createLock, insertLock, "begin", takeLock} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return conn
}

func TestNobodyMigratesWhileAnotherProcessDoes(t *testing.T) {
	url := pgtest.Database(t)
	holder := holdLock(t, url)
	s := openAt(t, url, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if steps, err := s.Migrate(ctx); !errors.Is(err, auth.ErrUnavailable) || len(steps) > 0 {
		t.Errorf("Migrate = %q, %v", names(steps), err)
	}
	if there, err := s.hasTable(t.Context(), "auth_user"); there || err != nil {
		t.Errorf("a step was taken without the lock: %v, %v", there, err)
	}

	// One that waits goes on when the other has ended, or died.
	type result struct {
		steps []Migration
		err   error
	}
	done := make(chan result, 1)
	go func() {
		steps, err := s.Migrate(t.Context())
		done <- result{steps, err}
	}()
	pgtest.Exec(t, url, "select pg_terminate_backend($1)", int(holder.PgConn().PID()))
	if r := <-done; r.err != nil || names(r.steps) != everyStep(t) {
		t.Errorf("Migrate = %q, %v", names(r.steps), r.err)
	}
}

// TestReadySaysWhatIsMissing on a schema that is some steps behind.
func TestReadySaysWhatIsMissing(t *testing.T) {
	url := pgtest.Database(t)
	s := openMigrated(t, url, Options{})
	pgtest.Exec(t, url, "drop table postern_node, postern_timeline")
	pgtest.Exec(t, url, "delete from postern_migration where version_id >= 6")
	err := s.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "postern_node") || !strings.Contains(err.Error(), "run postern migrate") {
		t.Errorf("Ready = %v", err)
	}
	if steps, err := s.Migrate(t.Context()); err != nil || names(steps) != "00006_node 00007_history 00008_timeline" {
		t.Errorf("Migrate = %q, %v", names(steps), err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
