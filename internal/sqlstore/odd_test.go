package sqlstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// oddValues are SQL literals of every type, readable or not.
var oddValues = []string{
	"null", "'text'", "2", "9223372036854775807", "0.5", "x'ff00fe'", "cast(x'ff' as text)", "cast(x'610062' as text)",
	"'2020-01-01'", "'2020-02-30 00:00:00'", "'9999-12-31 23:59:59-05:00'", "''", "x'31'", "replace(hex(zeroblob(3000)), '0', 'x')",
}

// openLoose opens a migrated database whose constraints are gone, as those of
// hand-made tables may be, with users and sessions.
func openLoose(t *testing.T, log *slog.Logger) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	s := openAt(t, path, Options{})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := outside(t, path)
	db.SetMaxOpenConns(1)
	mustExec(t, db, "pragma writable_schema = on")
	mustExec(t, db, "update sqlite_master set sql = replace(sql, ' NOT NULL', '') where type = 'table' and name not like 'sqlite%' and sql not like '%WITHOUT ROWID%'")
	mustExec(t, db, "pragma writable_schema = reset")
	db.Close()
	s = openAt(t, path, Options{Log: log})
	for i := range 9 {
		mustStart(t, s, i)
	}
	return s
}

func (s *Store) mustRun(t *testing.T, statement string, args ...any) {
	t.Helper()
	err := s.write.do(t.Context(), func(t *tx) error {
		_, err := t.exec(statement, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// walkUsers reads all pages, forwards and back, and returns the ids.
func walkUsers(t *testing.T, s *Store, l auth.UserList) (forth, back []int64) {
	t.Helper()
	last := ""
	for range 50 {
		page, err := s.ListUsers(t.Context(), l)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		for i := range page.Users {
			forth = append(forth, page.Users[i].ID)
		}
		if last = page.Previous; page.Next == "" {
			for i := len(page.Users) - 1; i >= 0; i-- {
				back = append(back, page.Users[i].ID)
			}
			break
		}
		l.Place = page.Next
	}
	for range 50 {
		if last == "" {
			break
		}
		l.Place = last
		page, err := s.ListUsers(t.Context(), l)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		for i := len(page.Users) - 1; i >= 0; i-- {
			back = append(back, page.Users[i].ID)
		}
		last = page.Previous
	}
	slices.Reverse(back)
	return forth, back
}

// readEverything runs every read of the store, of which none may fail.
func readEverything(t *testing.T, s *Store, users int, walk bool) {
	t.Helper()
	all, err := s.Users(t.Context(), auth.UserFilter{Limit: 1000})
	if err != nil || len(all) != users {
		t.Errorf("%d users, %v", len(all), err)
	}
	if newest, err := s.Users(t.Context(), auth.UserFilter{Limit: 1000, Newest: true}); err != nil || len(newest) != users {
		t.Errorf("%d newest users, %v", len(newest), err)
	}
	for sort := auth.ByID; walk && sort <= auth.ByLastLogin; sort++ {
		for _, descending := range []bool{false, true} {
			forth, back := walkUsers(t, s, auth.UserList{Sort: sort, Descending: descending, Limit: 3})
			distinct := slices.Compact(slices.Sorted(slices.Values(forth)))
			if len(forth) != users || len(distinct) != users || !slices.Equal(forth, back) {
				t.Errorf("sorted by %d (descending: %v): %v, and back %v", sort, descending, forth, back)
			}
		}
	}
	active := true
	for _, l := range []auth.UserList{{Search: "*user"}, {Active: &active}, {Staff: &active}, {Superuser: &active}, {Algorithm: "argon2"}, {Group: 1}, {NeverLoggedIn: true}, {JoinedFrom: time.Unix(0, 0)}, {LastLoginTo: time.Unix(0, 0)}} {
		if _, err := s.ListUsers(t.Context(), l); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for i := range all {
		if _, err := s.UserCard(t.Context(), all[i].ID); err != nil {
			t.Errorf("user %d: %v", all[i].ID, err)
		}
		if _, err := s.PermissionsOf(t.Context(), all[i].ID); err != nil {
			t.Errorf("permissions of %d: %v", all[i].ID, err)
		}
	}
	if _, err := s.Sessions(t.Context(), auth.SessionFilter{}); err != nil {
		t.Error(err)
	}
	for _, l := range []auth.SessionList{{Limit: 2}, {ByLastSeen: true}, {User: 1}} {
		seen := map[string]bool{}
		for range 30 {
			page, err := s.ListSessions(t.Context(), l)
			if err != nil {
				t.Errorf("%+v: %v", l, err)
				break
			}
			for i := range page.Identities {
				if id := page.Identities[i].Session.ID.String(); seen[id] {
					t.Errorf("session %s twice", id)
				} else {
					seen[id] = true
				}
			}
			if l.Place = page.Next; l.Place == "" {
				break
			}
		}
	}
	if _, err := s.CountLive(t.Context(), time.Now()); err != nil {
		t.Error(err)
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
	walkGroups(t, s)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	for i := range 9 {
		if _, err := s.Identity(t.Context(), benchSession(i).ID); err != nil && err != auth.ErrNoSession {
			t.Error(err)
		}
	}
}

func walkGroups(t *testing.T, s *Store) {
	t.Helper()
	var want int
	if err := outside(t, s.path).QueryRow("select count(*) from auth_group").Scan(&want); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]int{}
	l := auth.GroupList{Limit: 1}
	for range 20 {
		page, err := s.Groups(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Groups {
			seen[page.Groups[i].ID]++
		}
		if l.Place = page.Next; l.Place == "" {
			break
		}
	}
	if len(seen) != want {
		t.Errorf("groups %v, want %d", seen, want)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("group %d %d times", id, n)
		}
	}
}

func TestOddRow_StopsNoRead(t *testing.T) {
	columns := map[string][]string{
		"auth_user":                  {"password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
		"auth_group":                 {"name"},
		"auth_permission":            {"name", "codename", "content_type_id"},
		"django_content_type":        {"app_label", "model"},
		"auth_user_groups":           {"user_id", "group_id"},
		"auth_group_permissions":     {"group_id", "permission_id"},
		"auth_user_user_permissions": {"user_id", "permission_id"},
		"django_migrations":          {"app", "name", "applied"},
		"postern_session":            {"id", "user_id", "auth_hash", "csrf_secret", "created", "last_seen", "expires", "address", "user_agent"},
		"postern_audit":              {"at", "act", "actor_id", "actor_name", "target_id", "target_name", "source", "address", "user_agent", "detail"},
		"postern_node":               {"id", "name", "version", "started", "seen", "problems"},
		"postern_migration":          {"tstamp", "version_id"},
	}
	for table, names := range columns {
		t.Run(table, func(t *testing.T) {
			s := openLoose(t, nil)
			for _, id := range []int64{-5, 1<<63 - 1} {
				s.mustRun(t, "insert into auth_user (id, username, password, email, first_name, last_name, is_active, is_staff, is_superuser, date_joined) values ($1, 'id' || $1, '!', '', '', '', 1, 0, 0, '2020-01-01 00:00:00')", id)
			}
			for i := range 4 {
				s.mustRun(t, "insert into auth_group (name) values ($1)", fmt.Sprintf("group%d", i))
			}
			s.mustRun(t, "insert into auth_user_groups (user_id, group_id) values (1, 1), (2, 1)")
			s.mustRun(t, "insert into auth_group_permissions (group_id, permission_id) values (1, 1)")
			s.mustRun(t, "insert into auth_user_user_permissions (user_id, permission_id) values (1, 2)")
			if err := s.ReportNode(t.Context(), auth.Node{ID: "a", Started: time.Now(), Seen: time.Now()}, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			if err := s.WriteAudit(t.Context(), []auth.AuditEntry{{At: time.Now(), Act: auth.ActLogin}}); err != nil {
				t.Fatal(err)
			}
			db := outside(t, s.path)
			mustExec(t, db, "pragma synchronous = off")
			mustExec(t, db, "pragma foreign_keys = off")
			mustExec(t, db, "create table kept as select * from "+table)
			for _, column := range names {
				values := oddValues
				if table != "auth_user" {
					values = values[:8]
				}
				for _, value := range values {
					where := " where rowid = (select max(rowid) from " + table + ")"
					switch table {
					case "auth_user", "auth_group":
						where = " where id = 3"
					case "postern_session":
						where = " where id = (select max(id) from postern_session)"
					}
					statement := fmt.Sprintf("update %s set %s = %s%s", table, column, value, where)
					if _, err := db.Exec(statement); err != nil {
						continue // the type can't hold it
					}
					readEverything(t, s, 11, table == "auth_user")
					if t.Failed() {
						t.Fatal("with " + statement)
					}
					mustExec(t, db, "delete from "+table)
					mustExec(t, db, "insert into "+table+" select * from kept")
				}
			}
		})
	}
}

func TestOddRow_IsReadAsDjangoReadsIt(t *testing.T) {
	text, err := os.ReadFile("../django/testdata/datetimes.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Kind, UTC, Error string
		Value            json.RawMessage
		None             bool
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	s := openLoose(t, nil)
	for _, c := range all {
		var stored any
		if err := json.Unmarshal(c.Value, &stored); err != nil {
			t.Fatal(err)
		}
		switch c.Kind {
		case "integer":
			var n int64
			if err := json.Unmarshal(c.Value, &n); err != nil {
				t.Fatal(err)
			}
			stored = n
		case "blob":
			stored, _ = hex.DecodeString(stored.(string))
		}
		s.mustRun(t, "update auth_user set last_login = $1 where id = 1", stored)
		byID, err := s.UserByID(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		identity, err := s.Identity(t.Context(), benchSession(0).ID)
		if err != nil {
			t.Fatal(err)
		}
		if identity.User != *byID {
			t.Errorf("%s: the session's user is %+v, the user by id %+v", c.Value, identity.User, *byID)
		}
		want, _ := time.Parse(time.RFC3339Nano, c.UTC)
		if byID.MayLogIn() != (c.Error == "") || !byID.LastLogin.Equal(want) {
			t.Errorf("%.60s: %v, unreadable: %v; Django reads %q, error %q", c.Value, byID.LastLogin, byID.Unreadable, c.UTC, c.Error)
		}
	}
}

func TestOddRow_WarnsWithoutTheValue(t *testing.T) {
	var log bytes.Buffer
	s := openLoose(t, slog.New(slog.NewTextHandler(&log, nil)))
	s.mustRun(t, "update auth_user set password = x'7365637265742468617368', email = x'ff' where id = 2")
	for range 5 {
		u, err := s.UserByID(t.Context(), 2)
		if err != nil || u.MayLogIn() || u.Password != "" || !slices.Equal(u.Unreadable.Names(), []string{"password", "email"}) {
			t.Fatalf("%+v, %v", u, err)
		}
		if _, err := s.Identity(t.Context(), benchSession(1).ID); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "table=auth_user id=2 column=password") || !strings.Contains(lines[1], "column=email") {
		t.Errorf("log: %s", log.String())
	}
	if strings.Contains(log.String(), "secret") {
		t.Error("the value is in the log")
	}
}

func TestOddRow_SessionIsOverAndSwept(t *testing.T) {
	for _, change := range []string{"expires = 'never'", "created = 'x'", "id = 'short'", "user_id = 'x'", "created = x'00'"} {
		s := openLoose(t, nil)
		s.mustRun(t, "update postern_session set "+change+" where id = (select max(id) from postern_session)")
		if n, err := s.Sweep(t.Context(), time.Unix(1, 0), time.Time{}, 100); n != 1 || err != nil {
			t.Errorf("%s: swept %d, %v", change, n, err)
		}
		if n, err := s.Sweep(t.Context(), time.Unix(1, 0), time.Time{}, 100); n != 0 || err != nil {
			t.Errorf("%s: swept %d more, %v", change, n, err)
		}
	}
}

func TestOddRow_FlagThatIsNotOneIsInactive(t *testing.T) {
	s := openLoose(t, nil)
	s.mustRun(t, "update auth_user set is_active = null where id = 2")
	s.mustRun(t, "update auth_user set is_active = 2 where id = 3")
	s.mustRun(t, "update auth_user set is_active = 0 where id = 4")
	s.mustRun(t, "update auth_user set id = 0 where id = 9")
	inactive := false
	for _, reach := range []reach{defaultReach, {pick: 0, walk: 100}} { // by the index, and along the order
		s.reach = reach
		if ids, back := walkUsers(t, s, auth.UserList{Active: &inactive}); !slices.Equal(ids, []int64{2, 3, 4}) || len(back) != 3 {
			t.Errorf("inactive: %v, %v", ids, back)
		}
	}
	zero := int64(0)
	if users, err := s.Users(t.Context(), auth.UserFilter{After: &zero, Limit: 1}); err != nil || len(users) != 1 || users[0].ID != 1 {
		t.Errorf("after 0: %+v, %v", users, err)
	}
	if users, err := s.Users(t.Context(), auth.UserFilter{After: &zero, Newest: true}); err != nil || len(users) != 0 {
		t.Errorf("before 0: %+v, %v", users, err)
	}
}
