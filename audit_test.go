package postern_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

// written are the entries of the audit log, oldest first, as "act who>whom source".
func written(t *testing.T, d *postern.Directory) (lines []string) {
	t.Helper()
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := d.Audit(t.Context(), postern.AuditQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		lines = append(lines, e.Act+" "+e.ActorName+">"+e.TargetName+" "+e.Source)
	}
	return lines
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("written down is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEachActIsWrittenDownOnce(t *testing.T) {
	srv, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	c.register("ada")
	if status, _ := c.do("POST", "/api/logout/", nil); status != http.StatusOK {
		t.Fatal(status)
	}
	c.do("POST", "/api/logout/", nil) // nobody is logged in
	c.login("ada", "wrong")
	c.login("my-secret-typed-as-a-name", "wrong")
	c.login("ada", goodPassword)
	if status, _ := c.do("POST", "/api/register/", map[string]string{"username": "ada", "password": goodPassword, "password2": goodPassword}); status != http.StatusBadRequest {
		t.Errorf("register again: %d", status)
	}
	for _, act := range []error{
		srv.SetPassword(t.Context(), "ada", "correct-horse-43"),
		srv.SetActive(t.Context(), "ada", false),
		srv.SetActive(t.Context(), "ada", false), // changes nothing
		srv.SetActive(t.Context(), "ada", true),
	} {
		if act != nil {
			t.Fatal(act)
		}
	}
	c.login("ada", "correct-horse-43")
	if _, err := srv.RevokeSessions(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := srv.DeleteUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	got := written(t, srv.Directory)
	var failures, others []string // failures are written a moment later
	for _, line := range got {
		if strings.HasPrefix(line, "login_failed") {
			failures = append(failures, line)
		} else {
			others = append(others, line)
		}
	}
	expectLines(t, failures, "login_failed >ada api", "login_failed > api")
	expectLines(t, others,
		"register ada> api", "logout ada> api", "login ada> api",
		"password_changed >ada go", "user_deactivated >ada go", "user_activated >ada go",
		"login ada> api", "sessions_ended >ada go", "user_deleted >ada go",
	)
}

func TestActsOfStaffAreWrittenDownAsTheirs(t *testing.T) {
	srv, _, root := crowd(t)
	for _, act := range []struct {
		path string
		form url.Values
	}{
		{"/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "email": {"other@example.com"}, "is_active": {"on"}, "is_staff": {"on"}}},
		{"/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "email": {"other@example.com"}, "is_active": {"on"}, "is_staff": {"on"}}}, // changes nothing
		{"/admin/auth/user/2/password/", url.Values{"password1": {"correct-horse-44"}, "password2": {"correct-horse-44"}}},
		{"/admin/auth/user/", url.Values{"user": {"2", "3"}, "action": {"deactivate"}}},
		{"/admin/auth/group/1/delete/", nil},
		{"/admin/auth/user/2/delete/", nil},
		{"/admin/logout/", nil},
	} {
		if a := root.post(act.path, act.form); a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", act.path, a.status, a.body)
		}
	}
	got := written(t, srv.Directory)
	expectLines(t, got[4:],
		"login root> admin", "reauthenticated root> admin", "group_created root>Support admin",
		"user_changed root>ada admin", "password_changed root>ada admin",
		"user_deactivated root>ada admin", "user_deactivated root>clerk admin",
		"group_deleted root>Support admin", "user_deleted root>ada admin", "logout root> admin",
	)
	entries, err := srv.Audit(t.Context(), postern.AuditQuery{Act: "user_changed"})
	if err != nil || len(entries) != 1 || entries[0].Detail != `{"email":"changed","is_staff":true}` || entries[0].Address != "127.0.0.1" {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestTheAuditLogHoldsNoSecret(t *testing.T) {
	config := testConfig(t)
	srv, base := startServer(t, config)
	c := newClient(t, base)
	c.register("ada")
	c.login("typed-a-pass-phrase", "wr0ng-pass-phrase")
	c.login("ada", "wr0ng-pass-phrase")
	c.login("ada", goodPassword)
	if err := srv.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"typed-a-pass-phrase", "wr0ng-pass-phrase", goodPassword}
	for _, cookie := range c.http.Jar.Cookies(at) {
		if cookie.Name == "sessionid" {
			secrets = append(secrets, cookie.Value)
		}
	}
	if len(secrets) != 4 {
		t.Fatal("there is no session")
	}
	files, err := filepath.Glob(strings.TrimPrefix(config.Database, "sqlite:") + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("secret %d stands in %s", i, filepath.Base(file))
			}
		}
	}
}

func TestAStormOfWrongPasswordsIsNoStormOfEntries(t *testing.T) {
	srv, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	c.register("ada")
	before := len(written(t, srv.Directory))
	for range 600 {
		c.login("ada", "wrong")
	}
	got := len(written(t, srv.Directory)) - before
	if got > 600 || got < 2 {
		t.Errorf("%d entries of 600 failures", got)
	}
}

func TestTheAuditLogIsBoundedByAge(t *testing.T) {
	config := testConfig(t)
	began := time.Now()
	var passed atomic.Int64 // the server's own goroutines look at the clock, too
	config.Now, config.AuditAge = func() time.Time { return began.Add(time.Duration(passed.Load())) }, 24*time.Hour
	config.RecallEntries = -1
	srv := openServer(t, config)
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "old"}); err != nil {
		t.Fatal(err)
	}
	passed.Add(int64(25 * time.Hour))
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "new"}); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.ClearExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectLines(t, written(t, srv.Directory), "user_created >new go")

	config.AuditAge = -1
	config.Database = "sqlite:" + filepath.Join(t.TempDir(), "none.sqlite3")
	none := openServer(t, config)
	if _, err := none.CreateUser(t.Context(), postern.NewUser{Username: "ada"}); err != nil {
		t.Fatal(err)
	}
	expectLines(t, written(t, none.Directory))
}
