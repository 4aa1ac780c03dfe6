package postern

import (
	"testing"
	"time"
)

// AwaitRecall waits until the server remembers sessions.
func (s *Server) AwaitRecall(t *testing.T) {
	t.Helper()
	for patience := time.Now().Add(10 * time.Second); !s.memory.Hearing(s.config.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("the server never trusts its memory")
		}
	}
}
