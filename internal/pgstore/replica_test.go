package pgstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// vouches reports whether the replica says that there is that session.
func vouches(t testing.TB, s *Store, session auth.Session) bool {
	t.Helper()
	i := s.ReplicaIdentity(t.Context(), session.ID)
	if i == nil {
		return false
	}
	if i.Session.ID != session.ID || i.User.ID != i.Session.UserID || i.User.Username == "" {
		t.Errorf("the replica says %+v", i)
	}
	return true
}

// followed are a primary, a standby, and the URL of a database of theirs with
// its tables.
func followed(t *testing.T) (primary, standby *pgtest.Server, name, url string) {
	primary = pgtest.Start(t, pgtest.Fast)
	url = primary.Database(t)
	openMigrated(t, url, Options{})
	return primary, primary.StartReplica(t, pgtest.Fast), "test1", url
}

// neverVouches fails if the replica vouches, once grace has passed, for a
// session that has ended.
func neverVouches(t *testing.T, s *Store, session auth.Session, grace time.Duration) {
	t.Helper()
	ended, asked := time.Now(), 0
	for time.Since(ended) < 3*maxMarkAge {
		began := time.Since(ended)
		if vouches(t, s, session) && began >= grace {
			t.Fatalf("the replica vouches for a session %s after its end", began)
		}
		asked++
		time.Sleep(time.Millisecond)
	}
	if asked < 10 {
		t.Errorf("asked %d times: the test has tested little", asked)
	}
}

func TestAReplicaVouchesForWhatItHasFollowed(t *testing.T) {
	t.Parallel()
	_, standby, name, url := followed(t)
	n := new(ear)
	o := n.options()
	o.ReplicaURL = standby.URL(name)
	s, other := openAt(t, url, o), openAt(t, url, Options{})
	first, second := person(t, s, "first"), person(t, other, "second")
	for _, session := range []auth.Session{first, second} {
		eventually(t, "the replica vouches for what it has", func() bool { return vouches(t, s, session) })
	}
	eventually(t, "the replica vouches for a user", func() bool { u := s.ReplicaUser(t.Context(), first.UserID); return u != nil && u.Username == "first" })
	if s.ReplicaIdentity(t.Context(), auth.IDOf("nobody")) != nil || s.ReplicaUser(t.Context(), -1) != nil {
		t.Error("the replica vouches for nobody")
	}
	eventually(t, "the replica vouches before it is checked and after", func() bool {
		before := vouches(t, s, first)
		err := s.CheckReplica(t.Context())
		vouched := before && vouches(t, s, first)
		if vouched && err != nil {
			t.Error(err)
		}
		return vouched
	})

	// While it stands still, it vouches for nothing that ended since.
	standby.Exec(t, name, "select pg_wal_replay_pause()")
	if ended, err := s.End(t.Context(), first.ID); err != nil || !ended {
		t.Fatal(ended, err)
	}
	neverVouches(t, s, first, 0)
	if ended, err := other.End(t.Context(), second.ID); err != nil || !ended {
		t.Fatal(ended, err)
	}
	neverVouches(t, s, second, maxMarkAge)
	third := person(t, s, "third")
	if vouches(t, s, third) {
		t.Error("the replica vouches for what it can't have")
	}
	if err := s.CheckReplica(t.Context()); err == nil {
		t.Error("a replica that stands still is well")
	}

	standby.Exec(t, name, "select pg_wal_replay_resume()")
	eventually(t, "the replica vouches again", func() bool { return vouches(t, s, third) })
	if vouches(t, s, first) || vouches(t, s, second) {
		t.Error("the replica vouches for what ended")
	}

	// News that is heard leaves no time in which the replica is behind it.
	for i := range 20 {
		session := person(t, other, fmt.Sprintf("one-%d", i))
		eventually(t, "the replica vouches for a new session", func() bool { return vouches(t, s, session) })
		n.forget()
		if _, err := other.End(t.Context(), session.ID); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end is heard", func() bool { return n.hasHeard(auth.News{Session: session.ID}) })
		if vouches(t, s, session) {
			t.Fatal("the replica vouches for a session whose end was heard")
		}
	}
}

func TestAReplicaThatIsAwayCostsNothingAndComesBack(t *testing.T) {
	t.Parallel()
	_, standby, name, url := followed(t)
	standby.Kill(t)
	s := openAt(t, url, Options{ReplicaURL: standby.URL(name)})
	session := person(t, s, "user")
	if vouches(t, s, session) {
		t.Error("a replica that is away vouches")
	}
	for range 2 {
		standby.Run(t)
		eventually(t, "the replica vouches", func() bool { return vouches(t, s, session) })
		standby.Kill(t)
		began := time.Now()
		for range 100 {
			if vouches(t, s, session) {
				t.Error("a replica that is away vouches")
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a hundred reads wait for %s for a replica that is away", took)
		}
		eventually(t, "the replica is missed", func() bool { return s.CheckReplica(t.Context()) != nil })
	}
}

// TestAReplicaOfAnotherHistoryVouchesForNothing: the primary dies, a standby
// that lacked the last of it takes over, and the other still follows the
// dead one, further on in its log than the new primary.
func TestAReplicaOfAnotherHistoryVouchesForNothing(t *testing.T) {
	t.Parallel()
	primary, standby, name, url := followed(t)
	heir := primary.StartReplica(t, pgtest.Fast)
	hosts := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable", primary.Port, heir.Port, name)
	s := openAt(t, hosts, Options{ReplicaURL: standby.URL(name)})
	session := person(t, s, "user")
	eventually(t, "the heir has the session", func() bool {
		return query1[int](t, heir.URL(name), `select count(*)::int from postern_session`) == 1
	})
	eventually(t, "the replica vouches", func() bool { return vouches(t, s, session) })
	heir.Stop(t)
	pgtest.Exec(t, url, `create table ballast as select repeat('x', 500) from generate_series(1, 20000)`)
	far := query1[string](t, url, `select pg_current_wal_insert_lsn()::text`)
	eventually(t, "the replica is far on", func() bool {
		return query1[bool](t, standby.URL(name), `select pg_last_wal_replay_lsn() >= $1::text::pg_lsn`, far)
	})
	primary.Kill(t)
	heir.Run(t)
	heir.Promote(t)
	eventually(t, "the session ends at the heir", func() bool {
		ended, err := s.End(t.Context(), session.ID)
		return err == nil && ended
	})
	if !query1[bool](t, heir.URL(name), `select pg_current_wal_insert_lsn() < $1::text::pg_lsn`, far) {
		t.Fatal("the heir has overtaken the replica: the test has tested nothing")
	}
	neverVouches(t, s, session, 0)
	if err := s.CheckReplica(t.Context()); err == nil {
		t.Error("a replica of another history is well")
	}
}

func TestAURLOfAReplicaIsOneOfPostgreSQL(t *testing.T) {
	for url, right := range map[string]bool{
		"postgres://postern:secret@a:5432,b:5432/postern": true,
		"sqlite:x":                               false,
		"postgres://u:secret@h:port/x":           false,
		"postgres://u:secret@h/x?pooler=session": false,
	} {
		if err := CheckReplicaURL(url); (err == nil) != right {
			t.Errorf("%s: %v", url, err)
		}
	}
}
