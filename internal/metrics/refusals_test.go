package metrics_test

import (
	"slices"
	"testing"

	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/httpserver"
	"github.com/postern-auth/postern/internal/metrics"
)

// TestReasons_AreThoseThatAreReported: a reason that is not on the list is
// not counted.
func TestReasons_AreThoseThatAreReported(t *testing.T) {
	if !slices.Equal(metrics.RefusalReasons, guard.Refusals) {
		t.Errorf("counted are %q, reported %q", metrics.RefusalReasons, guard.Refusals)
	}
	reported := []string{httpserver.FailedDescriptors, httpserver.FailedAccept, httpserver.FailedTLS}
	if !slices.Equal(metrics.ListenerReasons, reported) {
		t.Errorf("counted are %q, reported %q", metrics.ListenerReasons, reported)
	}
}
