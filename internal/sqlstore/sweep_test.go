package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"
)

// The search runs at every start, beside the first requests, over all
// sessions.
func TestTheSearchForOrphansDescendsOnceAndReadsAnIndexOnly(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	var plan []string
	for _, row := range mustQuery(t, outside(t, s.path), "explain query plan "+selectOrphans, 1) {
		plan = append(plan, row[3])
	}
	all := strings.Join(plan, "\n")
	if strings.Contains(all, "CORRELATED") || strings.Contains(all, "LIST SUBQUERY") || !strings.Contains(all, "COVERING INDEX postern_session_user_id_created") {
		t.Errorf("SQLite's plan is\n%s", all)
	}
}
