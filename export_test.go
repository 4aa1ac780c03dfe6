package postern

import (
	"testing"
	"time"
)

// WaitForSharedCounts sets how long an attempt waits for the count of all
// nodes, so that a pause of a busy machine does not let a node count alone;
// 0 is what every server waits.
func (s *Server) WaitForSharedCounts(d time.Duration) {
	if d == 0 {
		d = sharedWait
	}
	s.counts.wait.Store(int64(d))
}

// AwaitRecall waits until the server remembers sessions.
func (s *Server) AwaitRecall(t *testing.T) {
	t.Helper()
	for patience := time.Now().Add(10 * time.Second); !s.memory.Hearing(s.config.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("the server never trusts its memory")
		}
	}
}

// LookForDjango looks at once for what a Django does in the database, as a
// server does every minute.
func (s *Server) LookForDjango(t *testing.T) {
	t.Helper()
	if err := s.near.look(t.Context()); err != nil {
		t.Fatal(err)
	}
}
