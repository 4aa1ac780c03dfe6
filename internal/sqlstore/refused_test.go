package sqlstore

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

// Rules that people add to auth_user, and the field that breaks them.
func TestRefused_NamesTheField(t *testing.T) {
	for _, tt := range []struct {
		name, rule string
		field      string // "-": the name is taken
	}{
		{"a unique address", `create unique index one_address on auth_user (email)`, "email"},
		{"a unique address, whatever the case", `create unique index one_address on auth_user (lower(email))`, "email"},
		{"a unique address of active users", `create unique index one_address on auth_user (is_active, email) where is_active`, "email"},
		{"a unique name, whatever the case", `create unique index one_name on auth_user (upper(username))`, "-"},
		{"a column without a default", `delete from auth_user; alter table auth_user add column phone text not null`, ""},
		{"a check of a column", `delete from auth_user; alter table auth_user add column note text constraint is_company check (email like '%@company.example')`, "email"},
		{"a check without a name", `delete from auth_user; alter table auth_user add column note text check (length(username) > 10)`, "username"},
		{"a trigger", `create trigger no_more before insert on auth_user begin select raise(abort, 'no more'); end`, ""},
	} {
		s := openMigrated(t, djangoDatabase(t))
		mustExec(t, outside(t, s.path), tt.rule)
		u := &auth.User{Username: "Admin", Email: "Admin@example.com", Password: "encoded", IsActive: true}
		if tt.field == "email" {
			u.Email = "admin@example.com" // somebody's
		}
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
		other := &auth.Start{Session: benchSession(1), NewUser: u}
		if again := s.Start(t.Context(), other); again == nil {
			t.Errorf("%s: Start accepted it", tt.name)
		}
	}
}

func TestCreateUser_WithoutAUniqueName(t *testing.T) {
	path := djangoDatabase(t)
	mustExec(t, outside(t, path), `pragma foreign_keys = 0; create table copy (id integer primary key autoincrement, password varchar(128) not null, last_login datetime,
		is_superuser bool not null, username varchar(150) not null, last_name varchar(150) not null, email varchar(254) not null,
		is_staff bool not null, is_active bool not null, date_joined datetime not null, first_name varchar(150) not null);
		insert into copy select * from auth_user; drop table auth_user; alter table copy rename to auth_user`)
	s := openMigrated(t, path)
	u := func(name string) *auth.User { return &auth.User{Username: name, Password: "encoded", IsActive: true} }
	if err := s.CreateUser(t.Context(), u("ann")); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateUser(t.Context(), u("ann")); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("the same name: %v", err)
	}
	mustExec(t, outside(t, path), `create unique index one_name on auth_user (lower(username))`)
	if err := s.CreateUser(t.Context(), u("Ann")); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("a name that differs in case only: %v", err)
	}
}

func TestRefused_AnEditBreaksARule(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	mustExec(t, outside(t, s.path), `create unique index one_address on auth_user (lower(email))`)
	taken, name := "ADMIN@example.com", "admin"
	err := s.EditUser(t.Context(), 9, auth.UserEdit{Email: &taken})
	if refused, ok := errors.AsType[*auth.RefusedError](err); !ok || refused.Field != "email" {
		t.Errorf("an address that another has: %v", err)
	}
	if err := s.EditUser(t.Context(), 9, auth.UserEdit{Username: &name}); !errors.Is(err, auth.ErrUsernameTaken) {
		t.Errorf("a name that another has: %v", err)
	}
}
