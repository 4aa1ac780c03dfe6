package pgstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// earlierStatements are what the version before the latest migration wrote.
// Whoever adds a migration adds the file of the version before it.
func earlierStatements(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir("migrations/postgresql")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join("testdata", "earlier", fmt.Sprintf("%05d.sql", len(files)-1)))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(content), "\n\n") // the comment
	statements := strings.Split(strings.TrimSpace(text), "\n\n")
	if len(statements) < 10 {
		t.Fatalf("only %d statements", len(statements))
	}
	return statements
}

// runEarlier changes the schema, runs the statements, and undoes it all. It
// returns the first that fails or does nothing, "" if there is none.
func runEarlier(t *testing.T, conn *pgx.Conn, statements []string, changes ...string) (failed string) {
	t.Helper()
	transaction, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := transaction.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}()
	for _, change := range changes {
		if _, err := transaction.Exec(t.Context(), change); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
	}
	for _, statement := range statements {
		tag, err := transaction.Exec(t.Context(), statement)
		if err != nil || tag.RowsAffected() == 0 {
			return fmt.Sprintf("%s: %d rows, %v", statement, tag.RowsAffected(), err)
		}
	}
	return ""
}

func TestMigrations_EarlierVersionWritesToThisSchema(t *testing.T) {
	url := pgtest.Database(t)
	if _, err := openAt(t, url, Options{}).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	statements := earlierStatements(t)
	if failed := runEarlier(t, conn, statements); failed != "" {
		t.Fatal(failed)
	}
	// A column that the earlier version does not know must have a default: the
	// test would find one without.
	for _, table := range []string{
		"auth_user", "auth_group", "auth_user_groups", "auth_user_user_permissions", "auth_group_permissions",
		"postern_session", "postern_audit", "postern_node",
	} {
		add := fmt.Sprintf(`alter table %s add column later integer not null default 0`, table)
		if failed := runEarlier(t, conn, statements, add); failed != "" {
			t.Errorf("%s: a column with a default is in the way of %s", table, failed)
		}
		drop := fmt.Sprintf(`alter table %s alter column later drop default`, table)
		if failed := runEarlier(t, conn, statements, add, drop); !strings.Contains(failed, `"later"`) {
			t.Errorf("%s: no statement needs the default: %s", table, failed)
		}
	}
}
