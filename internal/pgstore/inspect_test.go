package pgstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

func TestCondition(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "full_page_writes = off")
	url := server.Database(t)
	s := openAt(t, url, Options{})
	name := strings.TrimPrefix(url[strings.LastIndex(url, "/"):], "/")
	name, _, _ = strings.Cut(name, "?")
	is := func(want Condition) {
		t.Helper()
		want.Server = name + " on 127.0.0.1"
		eventually(t, "the server is set up so", func() bool {
			c, err := s.Condition(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return c == want
		})
	}
	is(Condition{Fsync: true, Commit: "on"})
	server.StartReplica(t)
	is(Condition{Fsync: true, Commit: "on", Standbys: 1})
	server.Exec(t, "postgres", "alter system set synchronous_standby_names = '*'")
	server.Exec(t, "postgres", "select pg_reload_conf()")
	is(Condition{Fsync: true, Commit: "on", Standbys: 1, Waits: true})

	// The role's own word counts.
	server.Exec(t, "postgres", "alter role postgres set synchronous_commit = local")
	s = openAt(t, url, Options{})
	is(Condition{Fsync: true, Commit: "local", Standbys: 1})
}

func TestInspectReplicaChangesNothing(t *testing.T) {
	t.Parallel()
	primary, standby, name, url := followed(t)
	s := openAt(t, url, Options{})
	if err := s.InspectReplica(t.Context(), standby.URL(name)); err != nil {
		t.Error(err)
	}
	if tokens := query1[int](t, url, "select count(*)::int from postern_timeline"); tokens != 0 {
		t.Errorf("%d tokens", tokens)
	}

	// With a token, and without a reader of it.
	reader := openAt(t, url, Options{ReplicaURL: standby.URL(name)})
	eventually(t, "the replica is read", func() bool { return reader.CheckReplica(t.Context()) == nil })
	if err := s.InspectReplica(t.Context(), standby.URL(name)); err != nil {
		t.Error(err)
	}
	standby.Exec(t, name, "select pg_wal_replay_pause()")
	person(t, s, "late")
	if err := s.InspectReplica(t.Context(), standby.URL(name)); !errors.Is(err, errBehind) {
		t.Errorf("one that stands still: %v", err)
	}
	standby.Exec(t, name, "select pg_wal_replay_resume()")

	if err := s.InspectReplica(t.Context(), primary.URL(name)); err == nil || !strings.Contains(err.Error(), "hot standby") {
		t.Errorf("the primary: %v", err)
	}
	other, stranger, name, _ := followed(t)
	if err := s.InspectReplica(t.Context(), stranger.URL(name)); !errors.Is(err, errStranger) {
		t.Errorf("another's standby: %v", err)
	}
	other.Kill(t)
	standby.Kill(t)
	if err := s.InspectReplica(t.Context(), standby.URL(name)); err == nil || !strings.Contains(err.Error(), "check host, port") {
		t.Errorf("one that is away: %v", err)
	}
}

// TestInspectReplicaKnowsTheHistory: a standby that was promoted and follows
// nobody, and one of the former primary, are of the same system.
func TestInspectReplicaKnowsTheHistory(t *testing.T) {
	t.Parallel()
	primary, standby, name, url := followed(t)
	sibling := primary.StartReplica(t, pgtest.Fast)
	openAt(t, url, Options{ReplicaURL: standby.URL(name)}) // makes the token
	s := openAt(t, url, Options{})
	eventually(t, "both standbys have the token", func() bool {
		return query1[int](t, standby.URL(name), "select count(*)::int from postern_timeline") == 1 &&
			query1[int](t, sibling.URL(name), "select count(*)::int from postern_timeline") == 1
	})
	standby.Promote(t)
	promoted := openAt(t, standby.URL(name), Options{ReplicaURL: sibling.URL(name)})
	eventually(t, "the new primary has a token of its own", func() bool {
		return query1[int](t, standby.URL(name), "select count(*)::int from postern_timeline") == 2
	})
	// The former primary goes on, and its standby with it.
	person(t, s, "further")
	pgtest.Exec(t, url, "select pg_switch_wal()")
	person(t, s, "on")
	eventually(t, "the standby has followed", func() bool { return s.InspectReplica(t.Context(), sibling.URL(name)) == nil })
	if err := promoted.InspectReplica(t.Context(), sibling.URL(name)); !errors.Is(err, errBehind) {
		t.Errorf("a standby of the former primary: %v", err)
	}
}
