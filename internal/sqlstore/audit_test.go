package sqlstore

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

func TestTheAuditLogIsReadAlongAnIndex(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "db.sqlite3"))
	for _, f := range []auth.AuditFilter{
		{UserID: 7}, {GroupID: 7}, {User: "ada"}, {Address: netip.MustParseAddr("192.0.2.7")}, {},
	} {
		if _, err := s.Audit(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	s.lists.mu.RLock()
	defer s.lists.mu.RUnlock()
	db, looked := outside(t, s.path), 0
	for query := range s.lists.prepared {
		if !strings.HasPrefix(query, selectAudit) {
			continue
		}
		looked++
		wanted := "USING INDEX"
		if query == selectAudit+" order by id desc limit $2" {
			wanted = "USING INTEGER PRIMARY KEY"
		}
		for _, step := range mustExplain(t, db, query) {
			if !strings.HasPrefix(step, "SEARCH") || !strings.Contains(step, wanted) {
				t.Errorf("%s\n%s", step, query)
			}
		}
	}
	if looked != 6 { // a name is looked for in two columns
		t.Errorf("%d statements were looked at", looked)
	}
}
