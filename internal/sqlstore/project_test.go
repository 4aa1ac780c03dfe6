package sqlstore

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// projectDatabase is a file with the tables of a Django project.
func projectDatabase(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "project.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range append([]string{`create table django_migrations (id integer primary key autoincrement, app varchar(255) not null, name varchar(255) not null, applied datetime not null);
		insert into django_migrations (app, name, applied) values ('auth', '0012_alter_user_first_name_max_length', '2024-01-01 00:00:00'), ('accounts', '0001_initial', '2024-01-01 00:00:00')`}, statements...) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return path
}

const (
	customUsers = `create table accounts_user (id integer primary key autoincrement, password varchar(128) not null, last_login datetime, is_superuser bool not null,
		username varchar(150) not null unique, email varchar(254) not null, is_staff bool not null, is_active bool not null, date_joined datetime not null)`
	standardUsers = `create table auth_user (id integer not null primary key autoincrement, password varchar(128) not null, last_login datetime, is_superuser bool not null,
		username varchar(150) not null unique, last_name varchar(150) not null, email varchar(254) not null, is_staff bool not null, is_active bool not null, date_joined datetime not null, first_name varchar(150) not null)`
)

func TestForeignUsers_AreFoundAndTheFileStaysAsItIs(t *testing.T) {
	for _, tt := range []struct {
		name, path, want string
	}{
		{"no file", filepath.Join(t.TempDir(), "none"), ""},
		{"a Django project", djangoDatabase(t), ""},
		{"another model", projectDatabase(t, customUsers), "table accounts_user"},
		{"an empty auth_user beside it", projectDatabase(t, customUsers, standardUsers), "table accounts_user"},
		{"referred to", projectDatabase(t, `create table people (id integer primary key)`, `create table django_admin_log (id integer primary key, user_id integer not null references "people" ("id"))`), "table people, to which django_admin_log"},
		{"odd tables around", projectDatabase(t, customUsers, standardUsers, `insert into auth_user values (1, '!', null, 0, 'a', '', '', 0, 1, '2024-01-01', '')`,
			`create view broken as select * from gone`, `create table "a ""quoted"" name" (password, last_login)`), ""},
	} {
		got, err := ForeignUsers(t.Context(), tt.path)
		if err != nil || tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	path := projectDatabase(t, customUsers)
	if _, err := ForeignUsers(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if mode := mustQuery(t, outside(t, path), "pragma journal_mode"); mode[0][0] != "delete" {
		t.Errorf("the journal mode is %s", mode)
	}
}

func TestIsDjangoProject_NotAfterMigrate(t *testing.T) {
	own := openMigrated(t, filepath.Join(t.TempDir(), "own.sqlite3"))
	if project, err := own.IsDjangoProject(t.Context()); project || err != nil {
		t.Errorf("a database of our own: %v, %v", project, err)
	}
	mustExec(t, outside(t, own.path), `insert into django_migrations (app, name, applied) values ('admin', '0001_initial', '2026-01-02 03:04:05')`)
	if project, err := own.IsDjangoProject(t.Context()); !project || err != nil {
		t.Errorf("once a Django has migrated it: %v, %v", project, err)
	}
}

func TestRecentHashes_LatestLoginsFirst(t *testing.T) {
	s := openMigrated(t, projectDatabase(t, standardUsers,
		`insert into auth_user (id, username, password, last_login, first_name, last_name, email, is_staff, is_active, is_superuser, date_joined) values
		(1, 'a', 'old', '2024-01-01 00:00:00', '', '', '', 0, 1, 0, '2024-01-01 00:00:00'), (2, 'b', 'never', null, '', '', '', 0, 1, 0, '2024-01-01 00:00:00'),
		(3, 'c', 'new', '2025-01-01 00:00:00.123', '', '', '', 0, 1, 0, '2024-01-01 00:00:00'), (4, 'd', '!unusable', '2026-01-01 00:00:00', '', '', '', 0, 1, 0, '2024-01-01 00:00:00')`))
	for limit, want := range map[int][]string{2: {"new", "old"}, 1000: {"new", "old", "never"}} {
		got, err := s.RecentHashes(t.Context(), limit)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%d: %v (-want +got):\n%s", limit, err, diff)
		}
	}
}

func TestAdminIndexes_OnlyWhereTheyAreAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		want       int
	}{
		{"a database of our own", filepath.Join(t.TempDir(), "own.sqlite3"), 10},
		{"a Django project", djangoDatabase(t), 0},
	} {
		s := openMigrated(t, tt.path)
		for _, step := range []struct {
			do   func() error
			want int
		}{
			{func() error { return nil }, tt.want},
			{func() error { return s.MakeAdminIndexes(t.Context()) }, 10},
			{func() error { return s.MakeAdminIndexes(t.Context()) }, 10},
			{func() error { return s.DropAdminIndexes(t.Context()) }, 0},
			{func() error { return s.DropAdminIndexes(t.Context()) }, 0},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			if made, all, err := s.AdminIndexes(t.Context()); made != step.want || all != 10 || err != nil {
				t.Errorf("%s: %d of %d, %v; want %d", tt.name, made, all, err, step.want)
			}
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestMigrate_LeavesADjangoProjectItsTables: nothing is made there that Postern
// does not read.
func TestMigrate_LeavesADjangoProjectItsTables(t *testing.T) {
	s := openMigrated(t, projectDatabase(t, standardUsers))
	got := mustQuery(t, outside(t, s.path), `select name from sqlite_master where type = 'table' and name not like 'postern%' and name not like 'sqlite%' order by name`)
	want := [][]string{{"auth_group"}, {"auth_group_permissions"}, {"auth_permission"}, {"auth_user"}, {"auth_user_groups"}, {"auth_user_user_permissions"}, {"django_content_type"}, {"django_migrations"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
