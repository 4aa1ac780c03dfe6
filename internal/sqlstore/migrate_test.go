package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/django"
)

// dump returns the schema and the rows of a database by table, one line a row,
// without Postern's own tables.
func dump(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	ours := func(name string) bool { return strings.HasPrefix(name, "postern_") }
	dumped := make(map[string][]string)
	for _, row := range mustQuery(t, db, "select name, tbl_name, type, coalesce(sql, '') from sqlite_master order by name") {
		if !ours(row[0]) && !ours(row[1]) {
			dumped["schema"] = append(dumped["schema"], row[3])
		}
		if row[2] != "table" || ours(row[0]) {
			continue
		}
		for _, row := range mustQuery(t, db, `select * from "`+row[0]+`" order by 1`) {
			if !ours(row[0]) { // sqlite_sequence counts our ids too
				dumped[row[1]] = append(dumped[row[1]], strings.Join(row, "|"))
			}
		}
	}
	return dumped
}

func mustQuery(t *testing.T, db *sql.DB, query string, args ...any) [][]string {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range dest {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// djangoDatabase returns the path of a copy of a database that Django 5.2 made.
func djangoDatabase(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/django-5.2.sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestANewDatabaseHasDjangosTablesInDjangosWords(t *testing.T) {
	text, err := os.ReadFile("testdata/django-schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		// The admin's log is the admin's to make.
		if line != "" && !strings.Contains(line, `"django_admin_log"`) {
			want = append(want, strings.Replace(line, "CREATE TABLE IF NOT EXISTS", "CREATE TABLE", 1))
		}
	}
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	var got []string
	for _, row := range mustQuery(t, outside(t, s.path), "select sql from sqlite_master where sql is not null and name not like 'postern%' and tbl_name not like 'postern%'") {
		got = append(got, row[0])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema (-Django +ours):\n%s", diff)
	}
}

func TestDjangoFindsItsMigrationsAppliedInANewDatabase(t *testing.T) {
	const names = `select app, name from django_migrations where app in ('auth', 'contenttypes', 'sessions') order by app, name`
	want := mustQuery(t, outside(t, djangoDatabase(t)), names)
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	db := outside(t, s.path)
	if diff := cmp.Diff(want, mustQuery(t, db, names)); diff != "" {
		t.Errorf("django_migrations (-Django +ours):\n%s", diff)
	}
	for _, row := range mustQuery(t, db, `select cast(applied as text), app from django_migrations`) {
		at, err := django.ParseDatetime(row[0])
		if err != nil || time.Since(at).Abs() > time.Hour || row[1] == "admin" {
			t.Errorf("django_migrations has %v: %v", row, err)
		}
	}
}

func TestMigratingADjangoDatabaseChangesNothingOfDjango(t *testing.T) {
	path := djangoDatabase(t)
	before := dump(t, outside(t, path))
	s := openMigrated(t, path)
	if diff := cmp.Diff(before, dump(t, outside(t, path))); diff != "" {
		t.Errorf("the database (-before +after):\n%s", diff)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	admin, err := s.UserByName(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	want := &auth.User{
		ID: 8, Username: "admin", Email: "admin@example.com", IsActive: true, IsStaff: true, IsSuperuser: true,
		Password:   "pbkdf2_sha256$1000000$rmg3cCK9W2JSfDIc5Lpzqf$T/OeIyoN5v5T+AyMzD+qki7zDB+r7FTdkdCP1/Uyya0=",
		DateJoined: time.Date(2026, 11, 23, 19, 40, 39, 683_261_000, time.UTC),
	}
	if diff := cmp.Diff(want, admin); diff != "" {
		t.Errorf("the user admin (-want +got):\n%s", diff)
	}
}

func TestOnlyMissingTablesAreMade(t *testing.T) {
	for name, c := range map[string]struct{ statement, records string }{
		"an empty django_migrations":      {`create table django_migrations (id integer primary key, app text, name text, applied datetime)`, "0"},
		"an auth_group of another shape":  {`create table auth_group (id integer primary key, name text unique)`, ""},
		"links without their own indexes": {`create table auth_user_groups (id integer primary key, user_id integer, group_id integer)`, ""},
		"tables of an application":        {`create table note (id integer primary key)`, "15"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "postern.sqlite3")
			db := outside(t, path)
			mustExec(t, db, c.statement)
			s := openMigrated(t, path)
			if err := s.Ready(t.Context()); err != nil {
				t.Error(err)
			}
			table := strings.Fields(c.statement)[2]
			schema := mustQuery(t, db, "select lower(sql) from sqlite_master where tbl_name = ? and sql is not null", table)
			if diff := cmp.Diff([][]string{{c.statement}}, schema); diff != "" {
				t.Errorf("the table that was there (-before +after):\n%s", diff)
			}
			there := len(mustQuery(t, db, "select 1 from sqlite_master where name = 'django_migrations'")) > 0
			if there != (c.records != "") {
				t.Fatalf("django_migrations is there: %v", there)
			}
			if there {
				if got := mustQuery(t, db, "select count(*) from django_migrations")[0][0]; got != c.records {
					t.Errorf("%s records in django_migrations, want %s", got, c.records)
				}
			}
		})
	}
}

func TestMigrateTakesEachStepOnce(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{})
	pending, err := s.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(pending); got != everyStep {
		t.Errorf("pending in an empty database: %s", got)
	}
	for _, m := range pending {
		if !strings.Contains(m.SQL, "CREATE ") || strings.Contains(m.SQL, "+goose") {
			t.Errorf("the SQL of %s is\n%s", m.Name, m.SQL)
		}
	}
	if tables := mustQuery(t, outside(t, s.path), "select name from sqlite_master"); len(tables) != 0 {
		t.Errorf("asking made the tables %v", tables)
	}
	before := time.Now().Add(-2 * time.Second)
	for _, want := range []string{everyStep, "", ""} {
		took, err := s.Migrate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := names(took); got != want {
			t.Errorf("took the steps %q, want %q", got, want)
		}
		for _, m := range took {
			if m.Applied.Before(before) || m.Applied.After(time.Now()) {
				t.Errorf("%s was applied at %v", m.Name, m.Applied)
			}
		}
	}
	all, err := s.Status(t.Context())
	if err != nil || names(all) != everyStep || all[1].Applied.IsZero() || all[1].Version != 2 {
		t.Errorf("Status = %+v, %v", all, err)
	}
	if pending, err := s.Pending(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("Pending = %v, %v", names(pending), err)
	}
}

// everyStep are the names of all steps of the schema.
const everyStep = "00001_django_tables 00002_postern_session 00003_audit 00004_roster 00005_node 00006_history"

func names(steps []Migration) string {
	all := make([]string, len(steps))
	for i, m := range steps {
		all[i] = m.Name
	}
	return strings.Join(all, " ")
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	db := outside(t, path)
	// The second step trips over this one.
	mustExec(t, db, "create table postern_session (id integer)")
	s := openAt(t, path, Options{})
	if _, err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "postern_session") {
		t.Errorf("Migrate = %v, want an error that names the file and the table", err)
	}
	if got := mustQuery(t, db, "select name from sqlite_master"); len(got) != 1 {
		t.Errorf("the failed migration left the tables %v", got)
	}
	mustExec(t, db, "drop table postern_session")
	if took, err := s.Migrate(t.Context()); err != nil || names(took) != everyStep {
		t.Errorf("Migrate after the repair = %v, %v", names(took), err)
	}
}

func TestStoresThatMigrateAtOnceShareTheWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	stores := []*Store{openAt(t, path, Options{}), openAt(t, path, Options{}), openAt(t, path, Options{})}
	took := make([]string, len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			steps, err := s.Migrate(t.Context())
			if err != nil {
				t.Error(err)
			}
			took[i] = names(steps)
		})
	}
	wg.Wait()
	if got := strings.TrimSpace(strings.Join(took, "")); got != everyStep {
		t.Errorf("the stores took the steps %q", took)
	}
}

func TestReadySaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		says string // "" for ready
	}{
		"an empty file":     {filepath.Join(t.TempDir(), "x.db"), "lacks the tables auth_user, auth_user_groups, auth_user_user_permissions, postern_session, auth_group, auth_group_permissions, auth_permission, django_content_type; run postern migrate"},
		"a Django database": {djangoDatabase(t), "lacks the table postern_session; run postern migrate"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, c.path, Options{})
			err := s.Ready(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("Ready = %v, want %q", err, c.says)
			}
			if _, err := s.UserByID(t.Context(), 1); name == "an empty file" && (err == nil || errors.Is(err, auth.ErrNoUser)) {
				t.Errorf("UserByID without tables = %v", err)
			}
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready after Migrate = %v", err)
			}
		})
	}
}

func TestReadyNoticesTablesOfAnotherShape(t *testing.T) {
	s := openMigrated(t, filepath.Join(t.TempDir(), "postern.sqlite3"))
	mustExec(t, outside(t, s.path), "alter table postern_session drop column user_agent")
	err := s.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "user_agent") || !strings.Contains(err.Error(), "run postern migrate") {
		t.Errorf("Ready = %v", err)
	}
}
