package redisstore

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// TestAServerThatRefusesUsIsUnavailableAndComesBack: its passwords and rights
// may be changed while nodes run.
func TestAServerThatRefusesUsIsUnavailableAndComesBack(t *testing.T) {
	server := redistest.Start(t)
	rights := leastRights(t)
	server.Do(t, rights...)
	n := new(node)
	s := openAt(t, withRights(server.URL()), openUsers(t, nil), n.options())
	n.awaitBeat(t)
	for what, refuse := range map[string][]string{
		"no right to read":  {"acl", "setuser", "postern", "-hgetall", "-evalsha", "-eval", "-hmget", "-hget"},
		"no right to a key": {"acl", "setuser", "postern", "resetkeys"},
		"another password":  {"acl", "setuser", "postern", "resetpass", ">another"},
		"no user":           {"acl", "deluser", "postern"},
	} {
		server.Do(t, refuse...)
		_, _ = server.Try("client", "kill", "user", "postern") // there may be no such user
		for name, act := range map[string]func() error{
			"Identity": func() error { _, err := s.Identity(t.Context(), auth.IDOf("nobody")); return err },
			"End":      func() error { _, err := s.End(t.Context(), auth.IDOf("nobody")); return err },
		} {
			if err := act(); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("%s: %s: %v, want ErrUnavailable", what, name, err)
			}
		}
		server.Do(t, append(rights, "on")...)
		redistest.Eventually(t, "it is used again after "+what, func() bool {
			_, err := s.Identity(t.Context(), auth.IDOf("nobody"))
			return errors.Is(err, auth.ErrNoSession)
		})
		back := time.Now()
		redistest.Eventually(t, "it is heard again after "+what, func() bool { return n.beatAfter(back) })
	}
}

// TestTryWrite_ServerThatTakesNoWrites: each of these still answers a read.
func TestTryWrite_ServerThatTakesNoWrites(t *testing.T) {
	server, master := redistest.Start(t), redistest.Start(t)
	s := openAt(t, server.URL(), openUsers(t, nil), Options{})
	takes := func() bool { return s.TryWrite(t.Context()) == nil }
	if !takes() {
		t.Fatal("a new server takes no writes")
	}
	for what, change := range map[string]struct{ refuse, mend [][]string }{
		"full":             {[][]string{{"config", "set", "maxmemory", "1"}}, [][]string{{"config", "set", "maxmemory", "0"}}},
		"a replica":        {[][]string{{"replicaof", "127.0.0.1", strconv.Itoa(master.Port)}}, [][]string{{"replicaof", "no", "one"}}},
		"without replicas": {[][]string{{"config", "set", "min-replicas-to-write", "1"}}, [][]string{{"config", "set", "min-replicas-to-write", "0"}}},
	} {
		for _, command := range change.refuse {
			server.Do(t, command...)
		}
		if err := s.TryWrite(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
		for _, command := range change.mend {
			server.Do(t, command...)
		}
		redistest.Eventually(t, "writes are taken again after "+what, takes)
	}
	if keys := server.Do(t, "dbsize"); !strings.Contains(keys, "0") {
		t.Errorf("the trials left keys: %s", keys)
	}
}
