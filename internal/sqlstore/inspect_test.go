package sqlstore_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/sqlstore"
)

func TestInspectingFindsWhatOpeningWould(t *testing.T) {
	migrated := func(t *testing.T, path string) {
		store, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, path, statement string) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, path string)
		exists  bool
		pending int
		problem string // part of it
	}{
		"migrated":   {migrated, true, 0, ""},
		"no file":    {func(*testing.T, string) {}, false, 6, ""},
		"empty file": {func(t *testing.T, path string) { run(t, path, "vacuum") }, true, 6, ""},
		"a table of another shape": {func(t *testing.T, path string) {
			migrated(t, path)
			run(t, path, "alter table postern_session drop column user_agent")
		}, true, 0, "another shape"},
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false, 0, "not an SQLite database"},
		"a directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, false, 0, "not a file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			test.prepare(t, path)
			before, _ := os.ReadFile(path)
			found, err := sqlstore.InspectSQLite(t.Context(), path)
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("error %v, want %q", err, test.problem)
			}
			if found != nil && (found.Exists != test.exists || len(found.Pending()) != test.pending) {
				t.Errorf("exists %v, pending %v", found.Exists, found.Pending())
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("inspecting changed the file")
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) > 1 {
				t.Errorf("files left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestInspectingADatabaseOfDjangoLeavesItsJournalMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table x (y)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.InspectSQLite(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	var mode string
	if err := db.QueryRow("pragma journal_mode").Scan(&mode); err != nil || mode != "delete" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
}
