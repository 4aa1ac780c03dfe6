package recall_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/recall"
	"github.com/postern-auth/postern/internal/sqlstore"
)

const good = "tr0ub4dor-x9"

// newRealm returns a realm over an SQLite database, and its memory once that
// hears; without one, for the realm of another process, if remember is false.
func newRealm(t *testing.T, path string, policy auth.Policy, remember bool) (*auth.Realm, *recall.Memory) {
	t.Helper()
	memory := recall.New(1000, time.Now)
	so := sqlstore.Options{}
	if remember {
		so = sqlstore.Options{News: memory.Hear, Heartbeat: memory.Listen("database")}
	}
	store, err := sqlstore.OpenSQLite(t.Context(), path, so)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	hashing, err := password.New(password.Options{Argon2: password.Argon2Cost{MemoryKiB: 64, Time: 1, Parallelism: 1}})
	if err != nil {
		t.Fatal(err)
	}
	o := auth.Options{
		Users: store, Sessions: store, Hashing: hashing, Gate: password.NewGate(password.GateOptions{}),
		SecretKeys: []string{strings.Repeat("k", 50)}, Policy: policy,
	}
	if remember {
		o.Memory = memory
	}
	realm, err := auth.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(realm.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	for patience := time.Now().Add(10 * time.Second); remember && !memory.Hearing(time.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("no heartbeat")
		}
	}
	return realm, memory
}

func register(t *testing.T, realm *auth.Realm, name string) *auth.Opened {
	t.Helper()
	opened, err := realm.Register(t.Context(), auth.Registration{Username: name, Password: good}, auth.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// TestAnAcknowledgedEndHoldsForEveryCheckThatBeginsAfterIt ends sessions in
// every way there is while others check them without pause.
func TestAnAcknowledgedEndHoldsForEveryCheckThatBeginsAfterIt(t *testing.T) {
	realm, memory := newRealm(t, filepath.Join(t.TempDir(), "p.sqlite3"), auth.Policy{Age: time.Hour, PerUser: 1}, true)
	ends := []struct {
		name string
		act  func(ctx context.Context, name string, o *auth.Opened) error
	}{
		{"logout", func(ctx context.Context, _ string, o *auth.Opened) error {
			return realm.Logout(ctx, o.Identity.Session.ID)
		}},
		{"revoke all", func(ctx context.Context, name string, _ *auth.Opened) error {
			_, err := realm.RevokeAll(ctx, name)
			return err
		}},
		{"new password", func(ctx context.Context, name string, _ *auth.Opened) error {
			return realm.SetPassword(ctx, name, good+"2")
		}},
		{"deactivate", func(ctx context.Context, name string, _ *auth.Opened) error { return realm.SetActive(ctx, name, false) }},
		{"delete", func(ctx context.Context, name string, _ *auth.Opened) error { return realm.DeleteUser(ctx, name) }},
		{"a login in its place", func(ctx context.Context, name string, o *auth.Opened) error {
			_, err := realm.Login(ctx, name, good, auth.Visit{Current: o.Identity.Session.ID})
			return err
		}},
		{"a login too many", func(ctx context.Context, name string, _ *auth.Opened) error {
			_, err := realm.Login(ctx, name, good, auth.Visit{})
			return err
		}},
	}
	for round := range 8 {
		for _, end := range ends {
			name := strings.ReplaceAll(fmt.Sprint(end.name, round), " ", "_")
			opened := register(t, realm, name)
			var over, stop atomic.Bool
			var checks sync.WaitGroup
			var yes atomic.Int64
			for range 4 {
				checks.Go(func() {
					for !stop.Load() {
						acknowledged := over.Load()
						_, err := realm.Check(t.Context(), opened.Key)
						switch {
						case err == nil && acknowledged:
							t.Errorf("%s: a check that began after the acknowledgement says yes", end.name)
							return
						case err == nil:
							yes.Add(1)
						case !errors.Is(err, auth.ErrNoSession):
							t.Errorf("%s: %v", end.name, err)
							return
						}
					}
				})
			}
			for yes.Load() < 10 && !t.Failed() {
				time.Sleep(50 * time.Microsecond)
			}
			if err := end.act(t.Context(), name, opened); err != nil {
				t.Errorf("%s: %v", end.name, err)
			}
			over.Store(true)
			for range 50 {
				if _, err := realm.Check(t.Context(), opened.Key); !errors.Is(err, auth.ErrNoSession) {
					t.Errorf("%s: %v", end.name, err)
				}
			}
			stop.Store(true)
			checks.Wait()
		}
	}
	if memory.Stats().Hits == 0 {
		t.Error("nothing was ever recalled: the test has tested nothing")
	}
}

// TestWhatAnotherProcessEndsIsOverWithinTheBound lets a second realm, with a
// connection of its own, end sessions.
func TestWhatAnotherProcessEndsIsOverWithinTheBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sqlite3")
	realm, memory := newRealm(t, path, auth.Policy{Age: time.Hour}, true)
	elsewhere, _ := newRealm(t, path, auth.Policy{Age: time.Hour}, false)
	for round := range 5 {
		opened := register(t, realm, fmt.Sprint("user", round))
		hits := memory.Stats().Hits
		for patience := time.Now().Add(10 * time.Second); memory.Stats().Hits == hits; {
			if _, err := realm.Check(t.Context(), opened.Key); err != nil || time.Now().After(patience) {
				t.Fatalf("%v, or never recalled", err)
			}
		}
		if err := elsewhere.Logout(t.Context(), opened.Identity.Session.ID); err != nil {
			t.Fatal(err)
		}
		committed := time.Now()
		for {
			began := time.Now()
			_, err := realm.Check(t.Context(), opened.Key)
			if errors.Is(err, auth.ErrNoSession) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			// Not a matter of speed: whatever the machine does, a check that
			// begins later than this must not recall.
			if began.Sub(committed) > recall.MaxSilence {
				t.Fatalf("a check that began %s after the commit says yes", began.Sub(committed))
			}
		}
	}
}

// TestASessionThatSeemsOverIsReadAgain: another process may have prolonged it.
func TestASessionThatSeemsOverIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sqlite3")
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	memory := recall.New(100, now)
	heartbeat := memory.Listen("database")
	store, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{News: memory.Hear})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	hashing, err := password.New(password.Options{Argon2: password.Argon2Cost{MemoryKiB: 64, Time: 1, Parallelism: 1}})
	if err != nil {
		t.Fatal(err)
	}
	realm, err := auth.New(t.Context(), auth.Options{
		Users: store, Sessions: store, Hashing: hashing, Gate: password.NewGate(password.GateOptions{}),
		SecretKeys: []string{strings.Repeat("k", 50)}, Policy: auth.Policy{Age: 20 * time.Second, Sliding: true},
		Memory: memory, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer realm.Close(context.Background())
	opened := register(t, realm, "user")
	heartbeat(now())
	for range 2 {
		if _, err := realm.Check(t.Context(), opened.Key); err != nil {
			t.Fatal(err)
		}
	}
	if memory.Stats().Hits != 1 {
		t.Fatalf("%+v", memory.Stats())
	}
	offset.Store(int64(30 * time.Second))
	heartbeat(now())
	prolonged := auth.Touch{ID: opened.Identity.Session.ID, LastSeen: now(), Expires: now().Add(20 * time.Second)}
	if err := store.Touch(t.Context(), []auth.Touch{prolonged}); err != nil {
		t.Fatal(err)
	}
	if _, err := realm.Check(t.Context(), opened.Key); err != nil {
		t.Errorf("after another process has prolonged it: %v", err)
	}
}
