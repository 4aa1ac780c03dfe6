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

// TestNothingIsAcknowledgedThatTheReplicaLacks, not even when it is asked for
// again and is done at the master.
func TestNothingIsAcknowledgedThatTheReplicaLacks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(server.Port))
	redistest.Eventually(t, "the replica follows", func() bool { return strings.Contains(server.Do(t, "info", "replication"), "state=online") })
	s := openAt(t, server.URL(), openUsers(t, nil), Options{Replicas: 1})
	session := person(t, s, "somebody")
	replica.Pause(t)
	if _, err := s.End(t.Context(), session.ID); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("end: %v", err)
	}
	before := writes(t, server)
	if _, err := s.EndAll(t.Context(), session.UserID); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("end all: %v", err)
	}
	if writes(t, server) == before {
		t.Error("nothing was written that WAIT could wait for")
	}
	again := session
	again.ID = auth.IDOf("again")
	if err := s.Start(t.Context(), &auth.Start{Session: again}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("start: %v", err)
	}
	replica.Continue(t)
	redistest.Eventually(t, "the replica has it", func() bool {
		_, err := s.End(t.Context(), session.ID)
		return err == nil
	})
	again.Expires = time.Now().Add(time.Hour)
	if err := s.Start(t.Context(), &auth.Start{Session: again}); err != nil {
		t.Error(err)
	}
}

// writes is how often a field was set.
func writes(t *testing.T, server *redistest.Server) string {
	t.Helper()
	_, after, _ := strings.Cut(server.Do(t, "info", "commandstats"), "cmdstat_hset:calls=")
	calls, _, _ := strings.Cut(after, ",")
	return calls
}
