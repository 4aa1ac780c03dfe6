package sqlstore

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// earlierStatements are what the version before the latest migration wrote.
// Whoever adds a migration adds the file of the version before it.
func earlierStatements(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir("migrations/sqlite")
	must(t, err)
	content, err := os.ReadFile(filepath.Join("testdata", "earlier", fmt.Sprintf("%05d.sql", len(files)-1)))
	must(t, err)
	_, text, _ := strings.Cut(string(content), "\n\n") // the comment
	statements := strings.Split(strings.TrimSpace(text), "\n\n")
	if len(statements) < 10 {
		t.Fatalf("only %d statements", len(statements))
	}
	return statements
}

// runEarlier runs the statements in a transaction that is undone, and returns
// those that fail or do nothing.
func runEarlier(t *testing.T, db *sql.DB, statements []string) (failed []string) {
	t.Helper()
	mustExec(t, db, "begin")
	defer mustExec(t, db, "rollback")
	for _, statement := range statements {
		result, err := db.Exec(statement)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", statement, err))
			continue
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			failed = append(failed, fmt.Sprintf("%s: %d rows, %v", statement, n, err))
		}
	}
	return failed
}

func TestMigrations_EarlierVersionWritesToThisSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	openMigrated(t, path)
	db, statements := outside(t, path), earlierStatements(t)
	for _, failed := range runEarlier(t, db, statements) {
		t.Error(failed)
	}
	// A column that the earlier version does not know must have a default.
	// SQLite can't take one away again, so a trigger shows that every table is
	// written to.
	for _, table := range []string{"auth_user", "auth_group", "auth_user_groups", "postern_session", "postern_audit", "postern_node"} {
		mustExec(t, db, fmt.Sprintf(`alter table %s add column later integer not null default 0`, table))
		if failed := runEarlier(t, db, statements); len(failed) > 0 {
			t.Errorf("%s: a column with a default is in the way of %s", table, failed[0])
		}
		mustExec(t, db, fmt.Sprintf(`alter table %s drop column later`, table))
		mustExec(t, db, fmt.Sprintf(`create trigger later before insert on %s begin select raise(abort, 'later'); end`, table))
		if failed := runEarlier(t, db, statements); len(failed) == 0 {
			t.Errorf("%s: no statement adds a row", table)
		}
		mustExec(t, db, `drop trigger later`)
	}
}
