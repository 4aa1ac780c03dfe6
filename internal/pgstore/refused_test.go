package pgstore

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// Rules that people add to auth_user, and the field that breaks them.
func TestRefused_NamesTheField(t *testing.T) {
	for _, tt := range []struct {
		name, rule string
		field      string // "-": the name is taken
	}{
		{"a unique address", `alter table auth_user add constraint one_address unique (email)`, "email"},
		{"a unique address, whatever the case", `create unique index "One Address" on auth_user (lower(email))`, "email"},
		{"a unique address of active users", `create unique index one_address on auth_user (is_active, email)`, "email"},
		{"a unique name, whatever the case", `create unique index one_name on auth_user (upper(username))`, "-"},
		{"a column without a default", `alter table auth_user add column phone text, add constraint has_phone check (phone is not null) not valid`, ""},
		{"a column that must not be NULL", `alter table auth_user add column phone text not null default ''; alter table auth_user alter column phone drop default`, ""},
		{"a check of a column", `alter table auth_user add constraint is_company check (email like '%@company.example') not valid`, "email"},
		{"a short column", `alter table auth_user alter column username type varchar(4) using left(username, 4)`, "username"},
		{"a trigger", `create function no_more() returns trigger language plpgsql as 'begin raise exception ''no more''; end'; create trigger no_more before insert on auth_user for each row execute function no_more()`, ""},
	} {
		url := pgtest.Database(t)
		s := openMigrated(t, url, Options{})
		first := &auth.User{Username: "adm", Email: "a@example.com", Password: "encoded", DateJoined: time.Now()}
		if tt.field == "-" {
			first.Username = "admin"
		}
		if err := s.CreateUser(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		for rule := range strings.SplitSeq(strings.ReplaceAll(tt.rule, "; end", "\x00"), ";") {
			if strings.Contains(rule, "username type") { // which the triggers' conditions name
				pgtest.Exec(t, url, "drop trigger postern_news_user_changed on auth_user")
			}
			pgtest.Exec(t, url, strings.ReplaceAll(rule, "\x00", "; end"))
		}
		u := &auth.User{Username: "Admin", Email: "a@example.com", Password: "encoded", DateJoined: time.Now()}
		err := s.CreateUser(t.Context(), u)
		refused, ok := errors.AsType[*auth.RefusedError](err)
		switch {
		case tt.field == "-":
			ok = errors.Is(err, auth.ErrUsernameTaken)
		case ok:
			ok = refused.Field == tt.field && refused.Problem != "" && refused.Rule != ""
		}
		if !ok || errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: CreateUser = %v", tt.name, err)
		}
	}
}

// TestCreateUser_WithoutAUniqueName has many add one name at once.
func TestCreateUser_WithoutAUniqueName(t *testing.T) {
	url := pgtest.Database(t)
	s := openMigrated(t, url, Options{})
	pgtest.Exec(t, url, "alter table auth_user drop constraint auth_user_username_key")
	var added, taken atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch err := s.CreateUser(t.Context(), &auth.User{Username: "ann", Password: "encoded", DateJoined: time.Now()}); {
			case err == nil:
				added.Add(1)
			case errors.Is(err, auth.ErrUsernameTaken):
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if added.Load() != 1 || taken.Load() != 7 {
		t.Errorf("added %d times, taken %d times; want 1 and 7", added.Load(), taken.Load())
	}
	pgtest.Exec(t, url, "create unique index one_name on auth_user (lower(username))")
	if err := s.CreateUser(t.Context(), &auth.User{Username: "Ann", Password: "encoded", DateJoined: time.Now()}); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("a name that differs in case only: %v", err)
	}
}

func TestRefused_AnEditBreaksARule(t *testing.T) {
	url := pgtest.Database(t)
	s := openMigrated(t, url, Options{})
	for _, name := range []string{"ada", "bob"} {
		if err := s.CreateUser(t.Context(), &auth.User{Username: name, Email: name + "@example.com", DateJoined: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Exec(t, url, `create unique index one_address on auth_user (lower(email))`)
	taken, name := "ADA@example.com", "ada"
	err := s.EditUser(t.Context(), 2, auth.UserEdit{Email: &taken})
	if refused, ok := errors.AsType[*auth.RefusedError](err); !ok || refused.Field != "email" {
		t.Errorf("an address that another has: %v", err)
	}
	if err := s.EditUser(t.Context(), 2, auth.UserEdit{Username: &name}); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("a name that another has: %v", err)
	}
}

// TestCopiedDatabase_SequencesBehindAreMoved: rows were copied with their ids,
// as pg_restore --data-only and Django's loaddata do.
func TestCopiedDatabase_SequencesBehindAreMoved(t *testing.T) {
	for name, users := range map[string]string{
		"an identity": standardUsersIdentity, "a serial": standardUsers,
		"a sequence of its own": `create sequence "Own Sequence"; ` + strings.Replace(standardUsers, "id serial", `id integer default nextval('"Own Sequence"')`, 1),
	} {
		var statements []string
		for statement := range strings.SplitSeq(users, "; ") {
			statements = append(statements, statement)
		}
		url := project(t, append(statements,
			`insert into auth_user (id, username, password, first_name, last_name, email, is_staff, is_active, is_superuser, date_joined)
			select n, 'u' || n, '!', '', '', '', false, true, false, now() from generate_series(1, 50) n`,
			`create table auth_group (id serial primary key, name varchar(150) not null unique)`,
			`insert into auth_group (id, name) values (1, 'one'), (2, 'two')`,
			`create table django_content_type (id serial primary key, app_label varchar(100) not null, model varchar(100) not null, unique (app_label, model))`,
			`insert into django_content_type (id, app_label, model) values (1, 'auth', 'user'), (2, 'blog', 'post')`)...)
		s := openMigrated(t, url, Options{})
		u := &auth.User{Username: "new", DateJoined: time.Now()}
		if err := s.CreateUser(t.Context(), u); err != nil || u.ID <= 50 {
			t.Errorf("%s: user %d, %v", name, u.ID, err)
		}
		if id, err := s.CreateGroup(t.Context(), "three", nil); err != nil || id <= 2 {
			t.Errorf("%s: group %d, %v", name, id, err)
		}
	}
}

const standardUsersIdentity = `create table auth_user (id integer not null primary key generated by default as identity, password varchar(128) not null, last_login timestamptz, is_superuser boolean not null,
	username varchar(150) not null unique, first_name varchar(150) not null, last_name varchar(150) not null, email varchar(254) not null, is_staff boolean not null, is_active boolean not null, date_joined timestamptz not null)`
