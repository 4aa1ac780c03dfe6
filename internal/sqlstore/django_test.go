package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/auth"
)

func TestUsersAreStoredAsDjangoStoresThem(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	db := outside(t, s.path)
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	start := &auth.Start{Session: benchSession(1), NewUser: &auth.User{
		Username: "new", Email: "new@example.com", Password: "encoded", IsActive: true,
		DateJoined: at.Add(120 * time.Millisecond), LastLogin: at,
	}}
	if err := s.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	const columns = `select id, username, email, first_name, last_name, password, typeof(is_active), is_active, is_staff, is_superuser,
		typeof(last_login), cast(last_login as text), cast(date_joined as text) from auth_user where username = ?`
	want := [][]string{{
		"13", "new", "new@example.com", "", "", "encoded", "integer", "1", "0", "0",
		"text", "2026-05-06 07:08:09", "2026-05-06 07:08:09.120000",
	}}
	if diff := cmp.Diff(want, mustQuery(t, db, columns, "new")); diff != "" {
		t.Errorf("auth_user (-want +got):\n%s", diff)
	}
	operator := &auth.User{Username: "operator", Password: "encoded", IsStaff: true, DateJoined: at}
	if err := s.CreateUser(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	want = [][]string{{"14", "operator", "", "", "", "encoded", "integer", "0", "1", "0", "null", "<nil>", "2026-05-06 07:08:09"}}
	if diff := cmp.Diff(want, mustQuery(t, db, columns, "operator")); diff != "" {
		t.Errorf("auth_user (-want +got):\n%s", diff)
	}
}

func TestAnotherUniqueColumnIsNotTakenForTheName(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	mustExec(t, outside(t, s.path), "create unique index one_address on auth_user (email)")
	u := &auth.User{Username: "new", Email: "admin@example.com", Password: "encoded"}
	err := s.CreateUser(t.Context(), u)
	if err == nil || errors.Is(err, auth.ErrUsernameTaken) || errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("CreateUser = %v, want the violation as it is", err)
	}
}

func TestADeletedUserLeavesNothingInDjangosTables(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	db := outside(t, s.path)
	mustExec(t, db, `insert into auth_group (id, name) values (1, 'editors')`)
	const gone, stays = 9, 8
	for _, id := range []int{gone, stays} {
		mustExec(t, db, `insert into auth_user_groups (user_id, group_id) values (?, 1)`, id)
		mustExec(t, db, `insert into auth_user_user_permissions (user_id, permission_id) values (?, 1)`, id)
		mustExec(t, db, `insert into django_admin_log (user_id, object_repr, action_flag, change_message, action_time)
			values (?, 'x', 1, '', '2026-01-02 03:04:05')`, id)
		session := benchSession(id)
		session.UserID = int64(id)
		if err := s.Start(t.Context(), &auth.Start{Session: session}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteUser(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"auth_user_groups", "auth_user_user_permissions", "django_admin_log", "postern_session"} {
		if diff := cmp.Diff([][]string{{"8"}}, mustQuery(t, db, "select user_id from "+table)); diff != "" {
			t.Errorf("users in %s (-want +got):\n%s", table, diff)
		}
	}
	if broken := mustQuery(t, db, "pragma foreign_key_check"); len(broken) != 0 {
		t.Errorf("rows that refer to nothing: %v", broken)
	}
}

func TestDjangoMayDeleteAUserThatHasSessions(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	session := benchSession(1)
	session.UserID = 12
	if err := s.Start(t.Context(), &auth.Start{Session: session}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, outside(t, s.path), "delete from auth_user where id = 12")
	if _, err := s.Identity(t.Context(), session.ID); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("Identity = %v, want ErrNoSession", err)
	}
	if n, err := s.Sweep(t.Context(), session.Created, time.Time{}, 10); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v; want 1", n, err)
	}
}

func TestATimeThatCannotBeReadIsNamed(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	for _, column := range []string{"date_joined", "last_login"} {
		mustExec(t, outside(t, s.path), "update auth_user set "+column+" = '2020-02-30 00:00:00' where username = 'admin'")
		u, err := s.UserByName(t.Context(), "admin")
		if err != nil || u.MayLogIn() || u.Unreadable.String() != column || u.Username != "admin" {
			t.Errorf("UserByName = %+v, %v; want a user whose %s is unreadable", u, err, column)
		}
		mustExec(t, outside(t, s.path), "update auth_user set "+column+" = '2026-01-02 03:04:05' where username = 'admin'")
	}
}

func TestForeignRowsInThePosternTableDoNoHarm(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	db := outside(t, s.path)
	const insert = `insert into postern_session values (?, 8, '', '', 5, 5, 5, 'no address', '')`
	id := auth.IDOf("x")
	mustExec(t, db, insert, id[:])
	mustExec(t, db, insert, []byte("short"))
	identity, err := s.Identity(t.Context(), id)
	if err != nil || identity.Session.Address.IsValid() {
		t.Errorf("Identity = %+v, %v", identity, err)
	}
	if all, err := s.Sessions(t.Context(), auth.SessionFilter{}); err != nil || len(all) != 2 {
		t.Errorf("Sessions = %v, %v", all, err)
	}
	if n, err := s.Sweep(t.Context(), time.Now(), time.Time{}, 10); n != 2 || err != nil {
		t.Errorf("Sweep = %d, %v; want 2", n, err)
	}
}

func TestATouchKeepsUpWithAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	here, there := openMigrated(t, path), openMigrated(t, path)
	u := benchUser(1)
	start := &auth.Start{Session: benchSession(1), NewUser: &u}
	if err := here.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if ended, err := there.End(t.Context(), start.Session.ID); !ended || err != nil {
		t.Fatalf("End = %v, %v", ended, err)
	}
	at := start.Session.Expires.Add(time.Hour)
	if err := here.Touch(t.Context(), []auth.Touch{{ID: start.Session.ID, LastSeen: at, Expires: at}}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{here, there} {
		if _, err := s.Identity(t.Context(), start.Session.ID); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("Identity = %v, want ErrNoSession", err)
		}
	}
}

func TestAListEndsWithItsContext(t *testing.T) {
	s := openMigrated(t, djangoDatabase(t))
	const endless = `with recursive n(i) as (select 1 union all select i + 1 from n) select i from n`
	ctx, cancel := context.WithCancel(t.Context())
	rows := 0
	err := s.lists.each(ctx, endless, nil, func(row scanner) error {
		if rows++; rows == 100 {
			cancel()
		}
		return row.Scan(new(int))
	})
	if !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("an endless list = %v, want ErrUnavailable", err)
	}
	if err := s.lists.row(t.Context(), "select i from nothing", nil).Scan(new(int)); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a statement that makes no sense = %v", err)
	}
}
