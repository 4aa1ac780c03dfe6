package admin_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// withRedis is a server with its sessions in Redis.
func withRedis(t *testing.T) (*postern.Server, string, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	c := siteConfig(t)
	c.SessionStore = redis.URL()
	srv, base := serve(t, c)
	return srv, base, redis
}

// refuseWrites has the server answer reads only, as one does whose disk is full
// or whose replicas are gone.
func refuseWrites(t *testing.T, redis *redistest.Server, refuse bool) {
	t.Helper()
	n := "0"
	if refuse {
		n = "1"
	}
	redis.Do(t, "CONFIG", "SET", "min-replicas-to-write", n)
}

const (
	saved        = "The change is saved. The user's sessions could not be removed from their store."
	mayNotEnded  = "Some of the sessions may not have ended"
	checkIt      = "Check whether the change was made before you try again."
	nothingDone  = "Nothing was changed"
	deletedUsers = "The user is deleted. The user's sessions could not be removed from their store."
)

func TestSessionsRemain_TheAdminSiteSaysWhatWasDone(t *testing.T) {
	srv, base, redis := withRedis(t)
	root, ada := enter(t, base, "root"), newBrowser(t, base)
	enter(t, base, "boss")
	login := map[string]string{"username": "ada", "password": goodPassword}
	if a := ada.api("POST", "/api/login/", login); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
		t.Fatal(a.status) // the password is confirmed from now on
	}
	for _, test := range []struct {
		what, path string
		form       url.Values
		says       string
		event      string
	}{
		{"end one session", "/admin/sessions/session/", url.Values{"session": {sessionOf(t, srv, "ada")}}, checkIt, ""},
		{"end a user's sessions", "/admin/auth/user/2/sessions/", url.Values{"action": {"all"}}, mayNotEnded, ""},
		{"end users' sessions", "/admin/auth/user/", url.Values{"user": {"2"}, "action": {"end"}}, mayNotEnded, ""},
		{"deactivate", "/admin/auth/user/", url.Values{"user": {"2"}, "action": {"deactivate"}}, saved, "user_deactivated root>ada"},
		{"activate", "/admin/auth/user/", url.Values{"user": {"2"}, "action": {"activate"}}, "", "user_activated root>ada"},
		{"deactivate on the user's page", "/admin/auth/user/2/change/", url.Values{"username": {"ada"}}, saved, "user_deactivated root>ada"},
		{"set the password", "/admin/auth/user/2/password/", url.Values{"password1": {"Xy9-longer-pass"}, "password2": {"Xy9-longer-pass"}}, saved, "password_changed root>ada"},
		{"delete", "/admin/auth/user/2/delete/", nil, deletedUsers, "user_deleted root>ada"},
		{"delete several", "/admin/auth/user/", url.Values{"user": {"3", "4"}, "action": {"delete"}, "sure": {"yes"}}, deletedUsers, "user_deleted root>boss"},
		{"log out", "/admin/logout/", nil, checkIt, ""},
	} {
		refuseWrites(t, redis, true)
		before := acts(t, srv, postern.AuditActs()...)
		a := root.post(test.path, test.form)
		refuseWrites(t, redis, false)
		now := acts(t, srv, postern.AuditActs()...)[len(before):]
		if test.says == "" && a.status != http.StatusSeeOther || test.says != "" && (a.status != http.StatusServiceUnavailable || !says(a.body, test.says)) {
			t.Errorf("%s: %d %.2000s", test.what, a.status, a.body)
		}
		if says(a.body, nothingDone) {
			t.Errorf("%s: says that nothing was changed", test.what)
		}
		if test.event == "" && len(now) > 0 || test.event != "" && !slices.Contains(now, test.event) {
			t.Errorf("%s: the events are %q", test.what, now)
		}
	}
	if a := ada.get("/api/user/"); a.status != http.StatusForbidden {
		t.Errorf("the session of a user who is deleted: %d", a.status)
	}
	for _, name := range []string{"ada", "clerk", "boss"} {
		if _, err := srv.User(t.Context(), name); !errors.Is(err, postern.ErrNoUser) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sessionOf(t *testing.T, srv *postern.Server, name string) string {
	t.Helper()
	sessions, err := srv.Sessions(t.Context(), postern.SessionQuery{Username: name})
	if err != nil || len(sessions) == 0 {
		t.Fatalf("%d sessions of %s, %v", len(sessions), name, err)
	}
	return sessions[0].ID
}

// TestSessionsRemain_TheRemedyHelps is what the message says: sessions that
// could not be removed come to life with their user, until they are ended.
func TestSessionsRemain_TheRemedyHelps(t *testing.T) {
	srv, base, redis := withRedis(t)
	ada := newBrowser(t, base)
	if a := ada.api("POST", "/api/login/", map[string]string{"username": "ada", "password": goodPassword}); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	key := ada.cookie("sessionid")
	alive := func(when string, want int) {
		t.Helper()
		ada.http.Jar.SetCookies(ada.base, []*http.Cookie{{Name: "sessionid", Value: key, Path: "/"}}) // a refusal deletes it
		if a := ada.get("/api/user/"); a.status != want {
			t.Errorf("%s: %d, want %d", when, a.status, want)
		}
	}
	refuseWrites(t, redis, true)
	var remain *postern.SessionsRemainError
	if err := srv.SetActive(t.Context(), "ada", false); !errors.As(err, &remain) || remain.Deleted || !errors.Is(err, postern.ErrUnavailable) {
		t.Errorf("deactivate: %v", err)
	}
	refuseWrites(t, redis, false)
	alive("deactivated", http.StatusForbidden)
	if err := srv.SetActive(t.Context(), "ada", true); err != nil {
		t.Fatal(err)
	}
	alive("activated again", http.StatusOK)
	if n, err := srv.RevokeSessions(t.Context(), "ada"); err != nil || n != 1 {
		t.Errorf("%d sessions revoked, %v", n, err)
	}
	alive("revoked", http.StatusForbidden)
	expectLines(t, acts(t, srv, "user_deactivated", "user_activated", "sessions_ended"),
		"user_deactivated >ada", "user_activated >ada", `sessions_ended >ada {"sessions":1}`)
}

func TestSessionsRemain_TheStoreIsStopped(t *testing.T) {
	srv, base, redis := withRedis(t)
	root := enter(t, base, "root")
	redis.Kill(t)
	// Whether the session was remembered decides how far the request gets.
	a := root.post("/admin/auth/user/", url.Values{"user": {"3"}, "action": {"deactivate"}})
	u, err := srv.User(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusServiceUnavailable || says(a.body, saved) == u.IsActive || says(a.body, nothingDone) {
		t.Errorf("clerk is active: %v, and the page says %d %s", u.IsActive, a.status, a.body)
	}
	var remain *postern.SessionsRemainError
	if err := srv.SetPassword(t.Context(), "ada", "Xy9-longer-pass"); !errors.As(err, &remain) || !strings.HasPrefix(err.Error(), "the change is saved, but") {
		t.Errorf("set a password: %v", err)
	}
	if err := srv.DeleteUser(t.Context(), "ada"); !errors.As(err, &remain) || !remain.Deleted {
		t.Errorf("delete a user: %v", err)
	}
	if _, err := srv.User(t.Context(), "ada"); !errors.Is(err, postern.ErrNoUser) {
		t.Errorf("the user is still there: %v", err)
	}
	if n, err := srv.RevokeSessions(t.Context(), "boss"); err == nil || errors.As(err, &remain) || n != 0 {
		t.Errorf("revoke sessions: %d, %v", n, err)
	}
	expectLines(t, acts(t, srv, "password_changed", "user_deleted", "sessions_ended"), "password_changed >ada", "user_deleted >ada")
}
