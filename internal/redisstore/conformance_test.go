package redisstore

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
	"github.com/postern-auth/postern/internal/sqlstore"
)

// openUsers opens a home for the users.
func openUsers(t testing.TB, hear func(auth.News)) *sqlstore.Store {
	t.Helper()
	users, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "users.sqlite3"), sqlstore.Options{News: hear})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := users.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := users.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return users
}

// openAt opens a store that is closed with the test.
func openAt(t testing.TB, url string, users Users, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), url, users, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func keepsTheContract(t *testing.T, url string, forget func(*testing.T), o Options) {
	open := func(t *testing.T, hear func(auth.News)) storetest.Stores {
		forget(t)
		o.News = hear
		users := openUsers(t, hear)
		return storetest.Stores{Users: users, Sessions: openAt(t, url, users, o), Apart: true}
	}
	storetest.Run(t, open)
	storetest.RunSessionRoster(t, open)
	storetest.RunAudit(t, open)
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	server := redistest.Start(t)
	keepsTheContract(t, server.URL(), func(t *testing.T) { server.Do(t, "flushall") }, Options{})
}

// With the least rights, as they are written in docs/redis.md.
func TestTheStoreKeepsTheContractWithReplicas(t *testing.T) {
	server := redistest.Start(t)
	redistest.Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(server.Port))
	redistest.Eventually(t, "the replica follows", func() bool { return strings.Contains(server.Do(t, "info", "replication"), "state=online") })
	server.Do(t, leastRights(t)...)
	keepsTheContract(t, withRights(server.URL()), func(t *testing.T) { server.Do(t, "flushall") }, Options{Replicas: 1, replicaWait: 2500 * time.Millisecond})
	testNothingIsDenied(t, server, withRights(server.URL()))
}

// With the least rights, too.
func TestTheStoreKeepsTheContractInACluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	for _, server := range cluster.Servers {
		server.Do(t, leastRights(t)...)
	}
	keepsTheContract(t, withRights(cluster.URL()), func(t *testing.T) {
		for _, master := range cluster.Masters(t) {
			master.Do(t, "flushall")
		}
	}, Options{})
	for _, master := range cluster.Masters(t) {
		testNothingIsDenied(t, master, withRights(cluster.URL()))
	}
}

// person makes a user with a session.
func person(t testing.TB, s *Store, name string) auth.Session {
	t.Helper()
	u := &auth.User{Username: name, Password: "encoded$1", IsActive: true, DateJoined: time.Now()}
	start := &auth.Start{NewUser: u, Session: auth.Session{
		ID: auth.IDOf(name), AuthHash: "hash", CSRFSecret: "secret",
		Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour),
	}}
	if err := s.Start(context.Background(), start); err != nil {
		t.Fatal(err)
	}
	return start.Session
}
