package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// withSessions opens a database with n users, each with a session.
func withSessions(t *testing.T, n int) *Store {
	t.Helper()
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	for i := range n {
		mustStart(t, s, i)
	}
	return s
}

// mustStart stores a user, the first of whom is number 0 and has the id 1,
// and its session.
func mustStart(t *testing.T, s *Store, i int) {
	t.Helper()
	u := benchUser(i)
	if err := s.Start(t.Context(), &auth.Start{Session: benchSession(i), NewUser: &u}); err != nil {
		t.Fatal(err)
	}
}

// benchIdentity is what is stored under benchID(i).
func benchIdentity(i int) *auth.Identity {
	want := &auth.Identity{User: benchUser(i), Session: benchSession(i)}
	want.User.ID = want.Session.UserID
	want.User.DateJoined = want.User.DateJoined.UTC()
	for _, at := range []*time.Time{&want.Session.Created, &want.Session.LastSeen, &want.Session.Expires} {
		*at = at.UTC()
	}
	return want
}

func TestAnIdentityIsWholeAndNeverStale(t *testing.T) {
	const sessions, readers = 200, 8
	s := withSessions(t, sessions)
	var (
		over    [sessions]atomic.Bool // the end of the session is committed
		stopped atomic.Bool
		found   atomic.Int64
		wg      sync.WaitGroup
	)
	for r := range readers {
		wg.Go(func() {
			for i := r; !stopped.Load(); i = (i + 7) % sessions {
				isOver := over[i].Load()
				identity, err := s.Identity(t.Context(), benchID(i))
				switch {
				case errors.Is(err, auth.ErrNoSession):
				case err != nil:
					t.Errorf("session %d: %v", i, err)
				case isOver:
					t.Errorf("session %d was read after its end", i)
				case identity.User.FirstName != identity.User.LastName || identity.User.FirstName != "" && identity.User.FirstName != identity.Session.CSRFSecret:
					t.Errorf("session %d is of two minds: %+v", i, identity)
				default:
					found.Add(1)
				}
			}
		})
	}
	other := outside(t, s.path)
	for i := range sessions {
		// One commit changes the user of the next session and the session.
		name, next := fmt.Sprint("name", i, strings.Repeat("x", i)), benchID((i+1)%sessions)
		mustExec(t, other, "begin immediate")
		mustExec(t, other, "update auth_user set first_name = $1, last_name = $1 where id = $2", name, (i+1)%sessions+1)
		mustExec(t, other, "update postern_session set csrf_secret = $1 where id = $2", name, next[:])
		mustExec(t, other, "commit")
		if ended, err := s.End(t.Context(), benchID(i)); err != nil || !ended {
			t.Errorf("End = %v, %v", ended, err)
		}
		over[i].Store(true)
	}
	stopped.Store(true)
	wg.Wait()
	if found.Load() == 0 {
		t.Error("no reader has found a session")
	}
}

func TestAnIdentityFollowsOtherPrograms(t *testing.T) {
	s := withSessions(t, 2)
	other := outside(t, s.path)
	for _, step := range []struct {
		statement string
		changed   func(*auth.Identity)
	}{
		{"select 1", func(*auth.Identity) {}},
		{"update auth_user set email = 'new@example.com' where id = 2", func(i *auth.Identity) { i.User.Email = "new@example.com" }},
		{"alter table auth_user add column phone text not null default '?'", func(*auth.Identity) {}},
		{"drop index postern_session_expires", func(*auth.Identity) {}},
		{"update auth_user set last_login = '2024-05-06 07:08:09.000010' where id = 2", func(i *auth.Identity) {
			i.User.LastLogin = time.Date(2024, 5, 6, 7, 8, 9, 10_000, time.UTC)
		}},
		{"update auth_user set last_name = 'a' || char(0) || 'b' where id = 2", func(i *auth.Identity) { i.User.LastName = "a\x00b" }},
		{"vacuum", func(*auth.Identity) {}},
	} {
		want, err := s.Identity(t.Context(), benchID(1))
		if err != nil {
			t.Fatalf("before %s: %v", step.statement, err)
		}
		mustExec(t, other, step.statement)
		step.changed(want)
		got, err := s.Identity(t.Context(), benchID(1))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("after %s: %+v, %v; want %+v", step.statement, got, err, want)
		}
	}
	mustExec(t, other, "delete from auth_user where id = 2")
	if _, err := s.Identity(t.Context(), benchID(1)); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("without its user: %v", err)
	}
}

func TestIdentityWorksOnceThereAreTables(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{})
	if _, err := s.Identity(t.Context(), benchID(0)); err == nil || errors.Is(err, auth.ErrNoSession) || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("without tables: %v", err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustStart(t, s, 0)
	if got, err := s.Identity(t.Context(), benchID(0)); err != nil || !reflect.DeepEqual(got, benchIdentity(0)) {
		t.Errorf("%+v, %v; want %+v", got, err, benchIdentity(0))
	}
}

func TestTextOfAnyLengthAndEncodingIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "utf16.sqlite3")
	other := outside(t, path)
	mustExec(t, other, "pragma encoding = 'UTF-16le'")
	mustExec(t, other, "create table x (y)")
	s := openMigrated(t, path)
	mustStart(t, s, 0)
	want := benchIdentity(0)
	want.User.FirstName, want.User.LastName = "Zoë 象", strings.Repeat("é", 3*maxKeptText)
	mustExec(t, other, "update auth_user set first_name = $1, last_name = $2", want.User.FirstName, want.User.LastName)
	for range 2 {
		got, err := s.Identity(t.Context(), benchID(0))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%.200q, %v; want %.200q", fmt.Sprint(got), err, fmt.Sprint(want))
		}
	}
	if kept := cap(s.identities.idle[0].text); kept > maxKeptText {
		t.Errorf("the connection keeps %d bytes", kept)
	}
}

func TestATimeThatCannotBeReadIsNoError(t *testing.T) {
	s := withSessions(t, 2)
	mustExec(t, outside(t, s.path), "update auth_user set date_joined = '2020-02-30 00:00:00' where id = 1")
	identity, err := s.Identity(t.Context(), benchID(0))
	if err != nil || identity.User.Unreadable != auth.ColumnDateJoined || identity.User.MayLogIn() {
		t.Errorf("Identity = %+v, %v", identity, err)
	}
	if _, err := s.Identity(t.Context(), benchID(1)); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestIdentitiesCannotBeWritten(t *testing.T) {
	s := withSessions(t, 1)
	r, err := s.identities.take()
	if err != nil {
		t.Fatal(err)
	}
	defer s.identities.keep(r)
	if err := command(r.conn, "delete from postern_session"); err == nil {
		t.Error("a reader could write")
	}
}

func TestReadsBeyondTheBoundWaitAsLongAsTheirCallers(t *testing.T) {
	s := withSessions(t, 1)
	for range cap(s.identities.slots) {
		if err := s.identities.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	gone := errors.New("the caller has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.Identity(ctx, benchID(0))
		failed <- err
	}()
	cancel(gone)
	if err := <-failed; !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, gone) {
		t.Errorf("a caller who has gone: %v", err)
	}
	go func() {
		_, err := s.Identity(t.Context(), benchID(0))
		failed <- err
	}()
	s.identities.leave()
	if err := <-failed; err != nil {
		t.Errorf("once there is a place: %v", err)
	}
	for range cap(s.identities.slots) - 1 {
		s.identities.leave()
	}
}

func TestCloseWaitsForReads(t *testing.T) {
	s := withSessions(t, 10)
	started := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for r := range cap(started) {
		wg.Go(func() {
			for i := 0; ; i++ {
				identity, err := s.Identity(t.Context(), benchID(r%10))
				if errors.Is(err, auth.ErrUnavailable) && strings.Contains(err.Error(), "closed") {
					return
				}
				if err != nil || identity.User.Username != fmt.Sprint("user", r%10) {
					t.Errorf("%+v, %v", identity, err)
					return
				}
				if i == 10 {
					started <- struct{}{}
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(s.identities.idle) > 0 {
		t.Error("connections were left open")
	}
	wg.Wait()
	entries, err := os.ReadDir(filepath.Dir(s.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files after Close: %v, %v", entries, err)
	}
}

func TestAFileThatCannotBeReadMakesIdentitiesUnavailable(t *testing.T) {
	good, err := os.ReadFile(closedDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	p := newIdentities(path, 1, &health{now: time.Now})
	defer p.close()
	p.wait = time.Millisecond
	id := benchID(0)
	mustFail := func(state string) {
		t.Helper()
		if _, err := p.read(t.Context(), &id); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: %v", state, err)
		}
		if len(p.idle) > 0 {
			t.Errorf("%s: the connection is kept", state)
		}
	}
	mustFail("a missing file")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	mustFail("something else")
	if err := os.WriteFile(path, append(good[:4096:4096], make([]byte, len(good)-4096)...), 0o600); err != nil {
		t.Fatal(err)
	}
	mustFail("a damaged file")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	other := outside(t, path)
	mustExec(t, other, "pragma journal_mode = delete")
	mustExec(t, other, "begin exclusive")
	mustFail("a locked file")
	mustExec(t, other, "commit")
	if got, err := p.read(t.Context(), &id); err != nil || !reflect.DeepEqual(got, benchIdentity(0)) {
		t.Errorf("once all is well: %+v, %v", got, err)
	}
}

// closedDatabase returns the path of a database with a session that nobody
// has open.
func closedDatabase(t *testing.T) string {
	t.Helper()
	s := withSessions(t, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.path
}

// A process that has a file open through two SQLites loses its locks when one
// of them closes it. The drivers here share one.
func TestClosingAReaderKeepsTheWritersLock(t *testing.T) {
	s := withSessions(t, 1)
	err := s.write.do(t.Context(), func(*tx) error {
		r, err := openIdentityReader(s.path, readerWait, nil)
		if err != nil {
			return err
		}
		id := benchID(0)
		if _, err := r.read(&id); err != nil {
			t.Error(err)
		}
		if err := r.conn.Close(); err != nil {
			t.Error(err)
		}
		second := child(t, "lock", s.path)
		var said strings.Builder
		second.Stderr = &said
		if err := second.Run(); err == nil || !strings.Contains(said.String(), "database is locked") {
			t.Errorf("another process could take the lock: %v, %s", err, said.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := child(t, "lock", s.path).Run(); err != nil {
		t.Errorf("after the transaction: %v", err)
	}
}
