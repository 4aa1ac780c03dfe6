package sqlstore

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

func openMigrated(t *testing.T, path string) *Store {
	t.Helper()
	s := openAt(t, path, Options{})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func openAt(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// outside opens the database as another program would, with one connection.
func outside(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_foreign_keys=1&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestADatabaseThatCannotServeIsExplained(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked")
	mustExec(t, outside(t, locked), "create table x (y)")
	mustExec(t, outside(t, locked), "begin exclusive")

	for name, c := range map[string]struct {
		path        string
		says        string
		unavailable bool
	}{
		"no path":                     {path: "", says: "give the path of a file"},
		"memory":                      {path: ":memory:", says: "give the path of a file"},
		"a URI":                       {path: "file:x.db?mode=memory", says: "give the path of a file"},
		"a directory":                 {path: dir, says: "it is not a file"},
		"a missing directory":         {path: filepath.Join(dir, "a", "b", "x.db"), says: "there is no directory " + filepath.Join(dir, "a", "b") + ": create it"},
		"a file as directory":         {path: filepath.Join(garbage, "x.db"), says: "not a directory"},
		"a link to nowhere":           {path: dangling, says: "it is a link to a file that does not exist"},
		"something else":              {path: garbage, says: "it is not an SQLite database: name another file"},
		"locked by another process":   {path: locked, says: "another process keeps it locked", unavailable: true},
		"something that is no string": {path: filepath.Join(dir, "nul\x00"), says: "invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := OpenSQLite(t.Context(), c.path, Options{Wait: 50 * time.Millisecond})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), filepath.Base(c.path)) && c.path != "" && name != "something that is no string" {
				t.Errorf("error %q, want the path and %q", err, c.says)
			}
			if got := errors.Is(err, auth.ErrUnavailable); got != c.unavailable {
				t.Errorf("error %q is ErrUnavailable: %v", err, got)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a missing directory was created")
	}
}

// The permissions of a file don't stop every user, so that SQLite's own
// answers are provoked by other means.
func TestAFileThatCannotBeWrittenIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	openMigrated(t, path)
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec("create table x (y)")
	if got := explain(path, err).Error(); !strings.Contains(got, path+": it is read-only: make the file and its directory writable") {
		t.Errorf("a read-only file: %s", got)
	}

	missing := filepath.Join(filepath.Dir(path), "missing")
	none, err := openSQLite(missing, writePragmas, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if got := explain(missing, none.Ping()).Error(); !strings.Contains(got, missing+": no permission") {
		t.Errorf("a file that can't be opened: %s", got)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error("SQLite created a file by itself")
	}
}

func TestANewDatabaseIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	openMigrated(t, path)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has the mode %o, want 600", info.Name(), got)
		}
	}
}

func TestAnExistingFileKeepsItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	openMigrated(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAnyFileNameWorks(t *testing.T) {
	for _, name := range []string{"a b", "what?", "50%", "a#b", "a&mode=memory", "%20", "ключ", "'quoted\"", "x:y", "a+b", "--", "C:"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openMigrated(t, filepath.Join(dir, name))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != name {
				t.Errorf("files %v, %v; want only %q", entries, err, name)
			}
			if err := openAt(t, filepath.Join(dir, name), Options{}).Ready(t.Context()); err != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

func TestARelativePathOutlivesAChangeOfDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := openMigrated(t, "postern.sqlite3")
	t.Chdir(t.TempDir())
	// A list opens its connection only now.
	if _, err := s.Users(t.Context(), auth.UserFilter{}); err != nil {
		t.Error(err)
	}
	if want := filepath.Join(dir, "postern.sqlite3"); s.path != want {
		t.Errorf("the path is %s, want %s", s.path, want)
	}
}

func TestTheDatabaseIsDurableAndStrict(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	err := s.write.do(t.Context(), func(tx *tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			var got string
			if err := tx.row("pragma " + pragma).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("the writer's %s is %s, want %s", pragma, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*pool{s.reads, s.lists} {
		if _, err := p.db.Exec("delete from auth_user"); err == nil {
			t.Error("a reader could write")
		}
	}
}

func TestTheLogIsReadAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s := openMigrated(t, filepath.Join(dir, "postern.sqlite3"))
	u := benchUser(1)
	if err := s.CreateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	// What is in the files now is what a power cut would leave.
	crashed := filepath.Join(t.TempDir(), "postern.sqlite3")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openAt(t, crashed, Options{}).UserByName(t.Context(), u.Username); err != nil {
		t.Error(err)
	}
}

func TestClosingLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	s := openMigrated(t, filepath.Join(dir, "postern.sqlite3"))
	if _, err := s.Users(t.Context(), auth.UserFilter{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("files after Close: %v, %v", entries, err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Ping after Close = %v", err)
	}
	if _, err := s.UserByID(t.Context(), 1); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("a read after Close = %v", err)
	}
	if _, err := s.End(t.Context(), auth.SessionID{}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("a write after Close = %v", err)
	}
}

func TestPingReadsTheDatabase(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{})
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("an empty database: %v", err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
