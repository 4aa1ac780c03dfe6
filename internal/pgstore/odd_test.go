package pgstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// mustRun runs a statement on a connection of its own.
func mustRun(t *testing.T, s *Store, statement string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// loosen takes away that columns can't be NULL.
func loosen(t *testing.T, s *Store) {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `select format('alter table %I alter %I drop not null', table_name, column_name) from information_schema.columns
		where table_schema = 'public' and is_nullable = 'NO' and (table_name, column_name) not in (select table_name, column_name from information_schema.key_column_usage where constraint_name like '%_pkey')`)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		mustRun(t, s, statement)
	}
}

var oddTimes = []string{"null", "'infinity'", "'-infinity'", "'4000-01-01 BC'", "'10000-01-01'"}

func checkReads(t *testing.T, s *Store, users int, walk bool) {
	t.Helper()
	all, err := s.Users(t.Context(), auth.UserFilter{Limit: 1000})
	if err != nil || len(all) != users {
		t.Errorf("%d users, %v", len(all), err)
	}
	for sort := auth.ByID; walk && sort <= auth.ByLastLogin; sort++ {
		for _, descending := range []bool{false, true} {
			var forth []int64
			l := auth.UserList{Sort: sort, Descending: descending, Limit: 2}
			for range 20 {
				page, err := s.ListUsers(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page.Users {
					forth = append(forth, page.Users[i].ID)
				}
				if l.Place = page.Next; l.Place == "" {
					break
				}
			}
			if len(forth) != users || len(slices.Compact(slices.Sorted(slices.Values(forth)))) != users {
				t.Errorf("sorted by %d (descending: %v): %v", sort, descending, forth)
			}
		}
	}
	yes := true
	for _, l := range []auth.UserList{{Search: "*user"}, {Active: &yes}, {Staff: &yes}, {JoinedFrom: time.Unix(0, 0)}, {NeverLoggedIn: true, Sort: auth.ByJoined}} {
		if _, err := s.ListUsers(t.Context(), l); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := s.Sessions(t.Context(), auth.SessionFilter{}); err != nil {
		t.Error(err)
	}
	for _, l := range []auth.SessionList{{}, {ByLastSeen: true}} {
		if _, err := s.ListSessions(t.Context(), l); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Audit(t.Context(), auth.AuditFilter{}); err != nil {
		t.Error(err)
	}
	if _, err := s.Nodes(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Permissions(t.Context()); err != nil {
		t.Error(err)
	}
	seen := map[int64]bool{}
	l := auth.GroupList{Limit: 1}
	for range 9 {
		page, err := s.Groups(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Groups {
			if seen[page.Groups[i].ID] {
				t.Errorf("group %d twice", page.Groups[i].ID)
			}
			seen[page.Groups[i].ID] = true
		}
		if l.Place = page.Next; l.Place == "" {
			break
		}
	}
	if len(seen) != 3 {
		t.Errorf("groups %v", seen)
	}
}

func TestOddRow_StopsNoRead(t *testing.T) {
	for _, pooler := range []string{"", "pooler=transaction"} {
		t.Run(pooler, func(t *testing.T) { oddRows(t, pooler) })
	}
}

func oddRows(t *testing.T, pooler string) {
	url := pgtest.Database(t)
	if pooler != "" {
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		url += separator + pooler
	}
	s := openMigrated(t, url, Options{})
	loosen(t, s)
	for i := range 5 {
		mustRun(t, s, `insert into auth_user (username, password, email, first_name, last_name, is_active, is_staff, is_superuser, date_joined)
			values ($1, '!', '', '', '', true, false, false, '2020-01-01')`, fmt.Sprintf("user%d", i))
	}
	for i := range 3 {
		mustRun(t, s, `insert into auth_group (name) values ($1)`, fmt.Sprintf("group%d", i))
	}
	id := auth.IDOf("key")
	now := time.Now()
	err := s.Start(t.Context(), &auth.Start{Session: auth.Session{ID: id, UserID: 2, Created: now, LastSeen: now, Expires: now.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteAudit(t.Context(), []auth.AuditEntry{{At: now, Act: auth.ActLogin}}); err != nil {
		t.Fatal(err)
	}
	if err := s.ReportNode(t.Context(), auth.Node{ID: "a", Started: now, Seen: now}, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	change := func(statement string) {
		t.Helper()
		mustRun(t, s, statement)
		checkReads(t, s, 5, strings.Contains(statement, "email") || strings.Contains(statement, "last_login"))
		if t.Failed() {
			t.Fatal("with " + statement)
		}
	}
	for _, column := range []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active"} {
		change("update auth_user set " + column + " = null where id = 2")
	}
	inactive := false
	for _, reach := range []reach{defaultReach, {pick: 0, walk: 100}} { // by the index, and along the order
		s.reach = reach
		if page, err := s.ListUsers(t.Context(), auth.UserList{Active: &inactive}); err != nil || len(page.Users) != 1 || page.Users[0].ID != 2 {
			t.Errorf("inactive: %+v, %v", page, err)
		}
	}
	for _, column := range []string{"last_login", "date_joined"} {
		for _, at := range oddTimes {
			change("update auth_user set " + column + " = " + at + " where id = 2")
			u, err := s.UserByID(t.Context(), 2)
			if err != nil || u.Unreadable.Names() == nil != (at == "null") {
				t.Errorf("%s = %s: %+v, %v", column, at, u, err)
			}
			identity, err := s.Identity(t.Context(), id)
			if err != nil || identity.User != *u {
				t.Errorf("%s = %s: the session's user is %+v, %v", column, at, identity, err)
			}
		}
		mustRun(t, s, "update auth_user set "+column+" = now()")
	}
	for table, columns := range map[string][]string{
		"auth_group": {"name"}, "auth_permission": {"name", "codename"}, "django_content_type": {"app_label", "model"},
		"postern_audit": {"act", "actor_name", "target_name", "source", "address", "user_agent", "detail"}, "postern_node": {"name", "version", "problems"},
		"postern_session": {"auth_hash", "csrf_secret", "address", "user_agent"},
	} {
		for _, column := range columns {
			change("update " + table + " set " + column + " = null where ctid = (select max(ctid) from " + table + ")")
		}
	}
	for _, at := range oddTimes {
		change("update postern_audit set at = " + at)
		change("update postern_node set started = " + at + ", seen = " + at)
		for _, column := range []string{"created", "last_seen", "expires"} {
			change("update postern_session set " + column + " = " + at)
			identity, err := s.Identity(t.Context(), id)
			if err != nil || at != "null" && !identity.Session.Expires.IsZero() {
				t.Errorf("%s = %s: %+v, %v", column, at, identity, err)
			}
			mustRun(t, s, "update postern_session set created = now(), last_seen = now(), expires = now() + interval '1 hour'")
		}
	}
}
