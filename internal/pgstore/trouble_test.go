package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("%s: %v, want ErrUnavailable", what, err)
	}
}

// TestAServerThatIsAwayIsUnavailableAndComesBack: without a restart of ours.
func TestAServerThatIsAwayIsUnavailableAndComesBack(t *testing.T) {
	server := pgtest.Start(t)
	e := new(ear)
	o := e.options()
	o.Wait = 2 * time.Second
	s := openMigrated(t, server.Database(t), o)
	session := person(t, s, "user")
	e.awaitBeat(t)
	for _, end := range []func(testing.TB){server.Stop, server.Kill} {
		end(t)
		gone := time.Now()
		_, err := s.Identity(t.Context(), session.ID)
		wantUnavailable(t, "Identity", err)
		_, err = s.End(t.Context(), session.ID)
		wantUnavailable(t, "End", err)
		wantUnavailable(t, "Ping", s.Ping(t.Context()))
		_, err = s.Users(t.Context(), auth.UserFilter{})
		wantUnavailable(t, "Users", err)
		e.stillSilent(t, gone)
		server.Run(t)
		if _, err := s.Identity(t.Context(), session.ID); err != nil {
			t.Errorf("back again: %v", err)
		}
		e.awaitBeat(t)
	}
	if _, err := s.End(t.Context(), session.ID); err != nil {
		t.Error(err)
	}
}

// TestADeadConnectionIsNoticed: one that the server has closed costs a read or
// a transaction another attempt, and not its answer.
func TestADeadConnectionIsNoticed(t *testing.T) {
	url := pgtest.Database(t)
	s := openMigrated(t, url, Options{MaxConns: 2})
	session := person(t, s, "user")
	for range 5 {
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		if _, err := s.Identity(t.Context(), session.ID); err != nil {
			t.Errorf("a read: %v", err)
		}
		s.renewed = time.Time{}
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		if _, err := s.End(t.Context(), auth.IDOf("nobody's")); err != nil {
			t.Errorf("a transaction: %v", err)
		}
		s.renewed = time.Time{}
	}
}

// TestALoginSurvivesADeadConnection: so does its stamp alone, for sessions that
// are elsewhere.
func TestALoginSurvivesADeadConnection(t *testing.T) {
	url := pgtest.Database(t)
	s := openMigrated(t, url, Options{MaxConns: 2})
	user := person(t, s, "user").UserID
	login := func(key string) *auth.Start {
		return &auth.Start{
			Session: auth.Session{
				ID: auth.IDOf(key), UserID: user, AuthHash: "hash", CSRFSecret: "secret",
				Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour),
			},
			Login: &auth.LoginStamp{At: time.Now(), Verified: "encoded$1"},
		}
	}
	sessions := func() int { return query1[int](t, url, `select count(*)::int from postern_session`) }
	for i := range 5 {
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		if err := s.Start(t.Context(), login(fmt.Sprint("dead", i))); err != nil {
			t.Errorf("a dead connection: %v", err)
		}
		s.renewed = time.Time{}
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		if err := s.StampLogin(t.Context(), user, login("").Login); err != nil {
			t.Errorf("the stamp alone: %v", err)
		}
		s.renewed = time.Time{}
	}
	if n := sessions(); n != 6 {
		t.Errorf("%d sessions, want 6", n)
	}
	// Who has another password by now gets no session.
	changed := login("changed")
	changed.Login.Verified = "encoded$2"
	if err := s.Start(t.Context(), changed); !errors.Is(err, auth.ErrUserChanged) {
		t.Errorf("another password: %v", err)
	}
	if err := s.StampLogin(t.Context(), user, changed.Login); !errors.Is(err, auth.ErrUserChanged) {
		t.Errorf("another password: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnavailable(t, "who has gone", s.Start(gone, login("gone")))
	if n := sessions(); n != 6 {
		t.Errorf("%d sessions, want 6", n)
	}
}

// TestWhoHasGoneStampsNoLogin: a connection is waited for no longer than the
// client waits.
func TestWhoHasGoneStampsNoLogin(t *testing.T) {
	url := pgtest.Database(t)
	user := person(t, openMigrated(t, url, Options{}), "user").UserID
	s := openAt(t, url, Options{MaxConns: 1, Wait: 10 * time.Second, ListenURL: url})
	held, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantUnavailable(t, "no connection", s.StampLogin(ctx, user, &auth.LoginStamp{At: time.Now(), Verified: "encoded$1"}))
	held.Release()
	if query1[bool](t, url, `select last_login is not null from auth_user`) {
		t.Error("it was stamped")
	}
}

// TestATransactionThatConflictsIsRunAgain: the database is told to treat every
// transaction as serializable, and two do the same at once.
func TestATransactionThatConflictsIsRunAgain(t *testing.T) {
	url := pgtest.Database(t) + "&default_transaction_isolation=serializable"
	s := openMigrated(t, url, Options{})
	session := person(t, s, "user")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				at := time.Now().Add(time.Minute)
				if err := s.Touch(t.Context(), []auth.Touch{{ID: session.ID, UserID: session.UserID, LastSeen: at, Expires: at}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestAConflictThatDoesNotEndIsUnavailable counts the attempts.
func TestAConflictThatDoesNotEndIsUnavailable(t *testing.T) {
	url := pgtest.Database(t)
	told := 0
	s := openMigrated(t, url, Options{News: func(auth.News) { told++ }})
	tries := 0
	err := s.do(t.Context(), func(t *tx) error {
		tries++
		t.tell(auth.News{User: 1})
		_, err := t.exec(`do $$ begin raise serialization_failure; end $$`)
		return err
	})
	wantUnavailable(t, "do", err)
	if tries != attempts || told != 0 {
		t.Errorf("%d attempts, %d pieces of news; want %d and none", tries, told, attempts)
	}
}

// TestACommitThatMayHaveHappenedIsTold: the connection is lost at the commit.
func TestACommitThatMayHaveHappenedIsTold(t *testing.T) {
	url := pgtest.Database(t)
	var told []auth.News
	s := openMigrated(t, url, Options{News: func(n auth.News) { told = append(told, n) }})
	err := s.do(t.Context(), func(x *tx) error {
		x.tell(auth.News{User: 7})
		var pid int
		if err := x.row(`select pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		pgtest.Exec(t, url, `select pg_terminate_backend($1, 5000)`, pid)
		return nil
	})
	wantUnavailable(t, "do", err)
	if len(told) != 1 || told[0].User != 7 {
		t.Errorf("told %v", told)
	}
}

func TestAServerThatTakesNoWritesIsUnavailable(t *testing.T) {
	server := pgtest.Start(t, pgtest.Fast)
	url := server.Database(t)
	s := openMigrated(t, url, Options{})
	session := person(t, s, "user")
	pgtest.Exec(t, url, "alter system set default_transaction_read_only = on")
	pgtest.Exec(t, url, "select pg_reload_conf()")
	eventually(t, "writes are refused", func() bool {
		_, err := s.End(t.Context(), auth.IDOf("nobody's"))
		if err != nil {
			wantUnavailable(t, "End", err)
		}
		return err != nil
	})
	pgtest.Exec(t, url+"&default_transaction_read_only=off", "alter system reset default_transaction_read_only")
	pgtest.Exec(t, url+"&default_transaction_read_only=off", "select pg_reload_conf()")
	eventually(t, "writes are taken again", func() bool {
		ended, err := s.End(t.Context(), session.ID)
		return err == nil && ended
	})
}

func TestWhatIsNoTextFindsNobody(t *testing.T) {
	s := openMigrated(t, pgtest.Database(t), Options{})
	for _, name := range []string{"a\x00b", "\xff", "a\xc3"} {
		if _, err := s.UserByName(t.Context(), name); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("%q: %v", name, err)
		}
		users, err := s.Users(t.Context(), auth.UserFilter{Search: name})
		if err != nil || len(users) != 0 {
			t.Errorf("%q: %v, %v", name, users, err)
		}
	}
	u := &auth.User{Username: "user", DateJoined: time.Now()}
	session := auth.Session{ID: auth.IDOf("k"), UserAgent: "a\x00b\xff", Created: time.Now(), LastSeen: time.Now(), Expires: time.Now()}
	if err := s.Start(t.Context(), &auth.Start{Session: session, NewUser: u}); err != nil {
		t.Fatal(err)
	}
	if i, err := s.Identity(t.Context(), session.ID); err != nil || i.Session.UserAgent != "a\uFFFDb\uFFFD" {
		t.Errorf("%+v, %v", i, err)
	}
}

// TestOneSuperuserIsLeft though several are taken away at once.
func TestOneSuperuserIsLeft(t *testing.T) {
	url := pgtest.Database(t)
	stores := []*Store{openMigrated(t, url, Options{}), openAt(t, url, Options{})}
	for round := range 5 {
		var ids []int64
		for i := range 4 {
			u := &auth.User{Username: strings.Repeat("r", round+1) + string(rune('a'+i)), IsActive: true, IsSuperuser: true, DateJoined: time.Now()}
			if err := stores[0].CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
		}
		var all sync.WaitGroup
		for i, id := range ids {
			all.Go(func() {
				var err error
				if i%2 == 0 {
					no := false
					err = stores[i/2].UpdateUser(t.Context(), id, auth.UserChange{IsActive: &no})
				} else {
					err = stores[i/2].DeleteUser(t.Context(), id)
				}
				if err != nil && !errors.Is(err, auth.ErrLastSuperuser) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := query1[int](t, url, `select count(*) from auth_user where is_superuser and is_active`); n != 1 {
			t.Fatalf("%d superusers are left, want 1", n)
		}
		pgtest.Exec(t, url, `update auth_user set is_superuser = false`)
	}
}

func TestTheLimitHoldsThoughManyLogInAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	stores := []*Store{openMigrated(t, url, Options{}), openAt(t, url, Options{})}
	first := person(t, stores[0], "user")
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			now := time.Now()
			session := auth.Session{ID: auth.IDOf(string(rune('A' + i))), UserID: first.UserID, Created: now, LastSeen: now, Expires: now.Add(time.Hour)}
			st := &auth.Start{Session: session, PerUser: 3, Login: &auth.LoginStamp{At: now, Verified: "encoded$1"}}
			if err := stores[i%2].Start(t.Context(), st); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := query1[int](t, url, `select count(*) from postern_session`); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
}

func TestAURLThatCanNotBeUsedIsExplainedWithoutItsPassword(t *testing.T) {
	for url, want := range map[string]string{
		"mysql://user:s3cret@host/db":                          "is not a URL of a PostgreSQL database",
		"postgres://user:s3cret@host:port/db":                  "can't be read",
		"postgres://user:s3cret/more@host/db":                  "can't be read",
		"postgres://user:s3cret@host/db?sslmode=maybe":         "sslmode is invalid",
		"postgres://user:s3cret@host/db?pooler=statement":      `must be "transaction" or "none"`,
		"postgres://user:s3cret@host/db?connect_timeout=later": `parsing "later"`,
		"postgres://user:s3cret@host/db?a=%zz":                 "can't be read",
	} {
		err := CheckURL(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q and no password", url, err, want)
		}
	}
	server := pgtest.Database(t)
	for url, want := range map[string]string{
		strings.Replace(server, "/test", "/nothing", 1):         "createdb",
		"postgres://u:s3cret@127.0.0.1:1/db?sslmode=disable":    "check host, port",
		strings.Replace(server, "postgres@", "nobody@", 1):      `role "nobody" does not exist`,
		"postgres://u:s3cret@/db?host=/nowhere&sslmode=disable": "check host, port",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		s, err := Open(ctx, url, Options{})
		cancel()
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q and no password", url, err, want)
		}
	}
}

// TestAServerThatRefusesUsIsUnavailableAndComesBack: passwords and rights may
// be changed, and tables restored, while nodes run.
func TestAServerThatRefusesUsIsUnavailableAndComesBack(t *testing.T) {
	url := pgtest.Database(t)
	openMigrated(t, url, Options{})
	pgtest.Exec(t, url, `create role app login`)
	t.Cleanup(func() { pgtest.Exec(t, url, `drop owned by app; drop role app`) })
	pgtest.Exec(t, url, `grant select, insert, update, delete on all tables in schema public to app;
		grant usage on all sequences in schema public to app`)
	s := openAt(t, strings.Replace(url, "postgres@", "app@", 1), Options{})
	session := person(t, s, "user")
	for what, change := range map[string]struct{ refuse, allow string }{
		"the role may not log in":   {`alter role app nologin`, `alter role app login`},
		"a right is missing":        {`revoke all on postern_session from app`, `grant select, insert, update, delete on postern_session to app`},
		"a table is being restored": {`alter table postern_session rename to restoring`, `alter table restoring rename to postern_session`},
	} {
		pgtest.Exec(t, url, change.refuse)
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'`)
		_, err := s.Identity(t.Context(), session.ID)
		wantUnavailable(t, what+": Identity", err)
		_, err = s.End(t.Context(), session.ID)
		wantUnavailable(t, what+": End", err)
		pgtest.Exec(t, url, change.allow)
		eventually(t, "it is used again when "+what, func() bool {
			_, err := s.Identity(t.Context(), session.ID)
			return err == nil
		})
	}
	if ended, err := s.End(t.Context(), session.ID); err != nil || !ended {
		t.Error(ended, err)
	}
}

// TestASweepDoesWithoutLocks where the server won't lock the rows, as Citus
// does for a table that it spreads. PostgreSQL itself refuses a lock of distinct rows.
func TestASweepDoesWithoutLocks(t *testing.T) {
	s := openMigrated(t, pgtest.Database(t), Options{})
	session := person(t, s, "user")
	what := sweepExpired
	what.find = strings.Replace(what.find, "select id", "select distinct id", 1)
	later := micros(session.Expires.Add(time.Second))
	if _, err := s.removeFound(t.Context(), what.locked(), []any{later, 10}); code(err) != codeUnsupported {
		t.Fatalf("%v, want a lock to be refused", err)
	}
	for _, want := range []int{1, 0} {
		if n, err := s.sweep(t.Context(), what, 10, later); err != nil || n != want {
			t.Errorf("%d sessions swept, %v; want %d", n, err, want)
		}
	}
}
