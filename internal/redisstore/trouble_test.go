package redisstore

import (
	"errors"
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
