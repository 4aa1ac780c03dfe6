package pgstore

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// ear is what a node hears.
type ear struct {
	mu        sync.Mutex
	heard     []auth.News
	heartbeat time.Time
}

func (e *ear) options() Options {
	return Options{
		News: func(n auth.News) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heard = append(e.heard, n)
		},
		Heartbeat: func(began time.Time) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heartbeat = began
		},
	}
}

func (e *ear) hasHeard(n auth.News) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.heard, n)
}

func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = nil
}

func (e *ear) beatAfter(at time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heartbeat.After(at)
}

// awaitBeat waits for a ping that began after now to be heard.
func (e *ear) awaitBeat(t testing.TB) {
	t.Helper()
	now := time.Now()
	eventually(t, "a heartbeat", func() bool { return e.beatAfter(now) })
}

// stillSilent fails if a heartbeat comes that began after at, within a time
// in which several would.
func (e *ear) stillSilent(t *testing.T, at time.Time) {
	t.Helper()
	for until := time.Now().Add(5 * pingEvery); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if e.beatAfter(at) {
			t.Fatal("a heartbeat was given though the news can't be heard")
		}
	}
}

// person makes a user with a session.
func person(t *testing.T, s *Store, name string) auth.Session {
	t.Helper()
	u := &auth.User{Username: name, Password: "encoded$1", IsActive: true, DateJoined: time.Now()}
	session := auth.Session{
		ID: auth.IDOf(name), AuthHash: "hash", CSRFSecret: "secret",
		Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	start := &auth.Start{Session: session, NewUser: u}
	if err := s.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	return start.Session
}

// TestWhatAnyProgramCommitsIsHeard: by triggers, so that it need not know of
// Postern.
func TestWhatAnyProgramCommitsIsHeard(t *testing.T) {
	url := pgtest.Database(t)
	e := new(ear)
	s := openMigrated(t, url, e.options())
	e.awaitBeat(t)
	one, other := person(t, s, "one"), person(t, s, "other")
	id := fmt.Sprint(one.UserID)
	ofUser, ofSession := auth.News{User: one.UserID}, auth.News{Session: one.ID}
	for _, c := range []struct {
		statement string
		want      auth.News
		wanted    bool
	}{
		{"update auth_user set last_login = now() where id = " + id, ofUser, false},
		{"update auth_user set password = password, is_active = is_active where id = " + id, ofUser, false},
		{"update postern_session set last_seen = now() where user_id = " + id, ofSession, false},
		{"update auth_user set password = 'other' where id = " + id, ofUser, true},
		{"update auth_user set is_active = false where id = " + id, ofUser, true},
		{"update auth_user set email = 'new@example.com' where id = " + id, ofUser, true},
		{"update auth_user set first_name = 'New' where id = " + id, ofUser, true},
		{"update auth_user set is_staff = true where id = " + id, ofUser, true},
		{"delete from postern_session where user_id = " + id, ofSession, true},
		{"delete from auth_user where id = " + id, ofUser, true},
		{"truncate postern_session", auth.News{}, true},
		{"truncate auth_user cascade", auth.News{}, true},
		{"select pg_notify('postern_news', 'unheard of')", auth.News{}, true},
	} {
		e.forget()
		pgtest.Exec(t, url, c.statement)
		e.awaitBeat(t) // it would have been heard before
		if heard := e.hasHeard(c.want); heard != c.wanted {
			t.Errorf("%s: heard is %v, want %v", c.statement, heard, c.wanted)
		}
		if e.hasHeard(auth.News{User: other.UserID}) || e.hasHeard(auth.News{Session: other.ID}) {
			t.Errorf("%s: news of someone else", c.statement)
		}
	}
}

func TestTheListenerListensAgainAndForgetsEverythingFirst(t *testing.T) {
	url := pgtest.Database(t)
	e := new(ear)
	openMigrated(t, url, e.options())
	for range 3 {
		e.awaitBeat(t)
		e.forget()
		pgtest.Exec(t, url, `select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' or query like '%pg_trigger%' and pid <> pg_backend_pid()`)
		eventually(t, "everything is forgotten", func() bool { return e.hasHeard(auth.News{}) })
		e.awaitBeat(t)
	}
}

func TestWithoutItsTriggersNoHeartbeatIsGiven(t *testing.T) {
	url := pgtest.Database(t)
	e := new(ear)
	s := openMigrated(t, url, e.options())
	e.awaitBeat(t)
	pgtest.Exec(t, url, "alter table auth_user disable trigger postern_news_user_changed")
	// Only a new connection looks for them.
	gone := new(ear)
	other := openAt(t, url, gone.options())
	gone.stillSilent(t, time.Time{})
	pgtest.Exec(t, url, "alter table auth_user enable trigger postern_news_user_changed")
	gone.awaitBeat(t)
	if _, err := other.End(t.Context(), auth.IDOf("nobody's")); err != nil {
		t.Fatal(err)
	}
	_ = s
}

// TestABurstOfNewsIsHeardInOrder: all of it before the ping that follows it.
func TestABurstOfNewsIsHeardInOrder(t *testing.T) {
	url := pgtest.Database(t)
	e := new(ear)
	o := e.options()
	var lost storetest.Warnings
	o.Log = lost.Log()
	s := openMigrated(t, url, o)
	e.awaitBeat(t)
	person(t, s, "someone")
	const many = 3000
	burst := func() []auth.News {
		pgtest.Exec(t, url, `insert into postern_session select sha256(n::text::bytea), 1, '', '', now(), now(), now(), '', '' from generate_series(1, $1::int) n`, many)
		e.forget()
		pgtest.Exec(t, url, `delete from postern_session where auth_hash = ''`)
		e.awaitBeat(t)
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Clone(e.heard)
	}
	heard := burst()
	// So busy a machine that nothing was heard for a second, the connection was
	// given up and all forgotten instead.
	for i := 0; i < 5 && lost.Take(); i++ {
		heard = burst()
	}
	if len(heard) != many {
		t.Errorf("%d heard before the ping, want %d", len(heard), many)
	}
}

func TestPayloads(t *testing.T) {
	id := auth.IDOf("key")
	for payload, want := range map[string]auth.News{
		"s" + hex.EncodeToString(id[:]):       {Session: id},
		"u12":                                 {User: 12},
		"u-3":                                 {User: -3},
		"*":                                   {},
		"":                                    {},
		"u":                                   {},
		"u12x":                                {},
		"s12":                                 {},
		"s" + strings.Repeat("g", 64):         {},
		"s" + hex.EncodeToString(id[:]) + "0": {},
		"x" + hex.EncodeToString(id[:]):       {},
	} {
		if got := parseNews(payload); got != want {
			t.Errorf("%q: %v, want %v", payload, got, want)
		}
	}
}
