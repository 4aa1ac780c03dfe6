package admin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

var reauthentications = []string{"reauthenticated", "reauthentication_failed", "password_changed"}

func TestReauthentication_RenewsTheSessionsKey(t *testing.T) {
	t.Run("Redis", func(t *testing.T) {
		c := siteConfig(t)
		c.SessionStore = redistest.Start(t).URL()
		testRenewal(t, c)
	})
	eachDatabase(t, testRenewal)
}

func testRenewal(t *testing.T, c postern.Config) {
	c.Session.Limit = 2
	srv, base := serve(t, c)
	root, other := enter(t, base, "root"), enter(t, base, "root")
	planted, token := root.cookie("sessionid"), root.cookie("csrftoken")
	before, err := srv.Sessions(t.Context(), postern.SessionQuery{Username: "root"})
	if err != nil || len(before) != 2 {
		t.Fatalf("%d sessions, %v", len(before), err)
	}
	thief := newBrowser(t, base)
	thief.http.Jar.SetCookies(thief.base, []*http.Cookie{{Name: "sessionid", Value: planted, Path: "/"}, {Name: "csrftoken", Value: token, Path: "/"}})
	if a := thief.get("/api/user/"); a.status != http.StatusOK {
		t.Fatalf("with the copied cookies: %d", a.status)
	}
	if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
		t.Fatalf("add a group: %d", a.status)
	}
	if root.cookie("sessionid") == planted {
		t.Error("the key is still the same")
	}
	if root.cookie("csrftoken") != token {
		t.Error("the CSRF token changed: forms in other tabs are out of date")
	}
	if a := thief.get("/api/user/"); a.status != http.StatusForbidden {
		t.Errorf("the old key opens the session: %d", a.status)
	}
	if a := thief.post("/admin/auth/user/2/delete/", nil); a.status/100 != 3 || !strings.HasPrefix(a.location, "/admin/login/") {
		t.Errorf("the old key deletes a user: %d %s", a.status, a.location)
	}
	// Another tab of this browser has the cookie, and an older token in its page.
	if a := root.api("GET", "/api/user/", nil); a.status != http.StatusOK {
		t.Errorf("another tab: %d", a.status)
	}
	if a := root.api("POST", "/api/login/", map[string]string{"username": "ada", "password": "wrong"}, "X-CSRFToken", token); a.status != http.StatusUnauthorized {
		t.Errorf("a form of another tab: %d %s", a.status, a.body)
	}
	if a := root.post("/admin/auth/user/", url.Values{"user": {"2"}, "action": {"deactivate"}}); a.status != http.StatusSeeOther {
		t.Errorf("a form afterwards: %d", a.status)
	}
	// The password is not asked for again, with the new key.
	if a := root.post("/admin/auth/group/1/delete/", url.Values{"your_password": nil}); a.status != http.StatusSeeOther {
		t.Errorf("confirmed before: %d", a.status)
	}
	if a := other.get("/api/user/"); a.status != http.StatusOK {
		t.Errorf("the user's other session: %d", a.status)
	}
	after, err := srv.Sessions(t.Context(), postern.SessionQuery{Username: "root"})
	if err != nil || len(after) != 2 {
		t.Fatalf("%d sessions, %v", len(after), err)
	}
	for i := range after { // sorted by when they began
		if !after[i].Created.Equal(before[i].Created) || !after[i].Expires.Equal(before[i].Expires) {
			t.Errorf("session %d is %+v, was %+v: it lives longer", i, after[i], before[i])
		}
	}
	expectLines(t, acts(t, srv, reauthentications...), "reauthenticated root>")
}

// TestReauthentication_AFormSentTwice is a double click: the second request has
// the old key, and must not take the new one away from the browser.
func TestReauthentication_AFormSentTwice(t *testing.T) {
	_, base := serve(t, siteConfig(t))
	root := enter(t, base, "root")
	old := root.cookie("sessionid")
	if a := root.post("/admin/auth/user/2/delete/", nil); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	second := newBrowser(t, base)
	second.http.Jar.SetCookies(second.base, []*http.Cookie{{Name: "sessionid", Value: old, Path: "/"}})
	a := second.post("/admin/auth/user/2/delete/", nil)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/admin/login/") || len(a.header["Set-Cookie"]) > 0 {
		t.Errorf("the second: %d %s %q", a.status, a.location, a.header["Set-Cookie"])
	}
	if a := root.get(a.location); a.status != http.StatusFound || a.location != "/admin/" {
		t.Errorf("the login, with the new key: %d %s", a.status, a.location)
	}
}

func TestReauthentication_EachLeavesAnEvent(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	newPassword := func(old string) url.Values {
		return url.Values{"old_password": {old}, "password1": {"Xy9-longer-pass"}, "password2": {"Xy9-longer-pass"}}
	}
	wrong := url.Values{"your_password": {"wr0ng"}}
	for _, test := range []struct {
		path string
		form url.Values
	}{
		{"/admin/auth/user/2/delete/", wrong},
		{"/admin/auth/group/add/", url.Values{"name": {"x"}, "your_password": {"wr0ng"}}},
		{"/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "is_active": {"on"}, "is_staff": {"on"}, "your_password": {"wr0ng"}}},
		{"/admin/auth/user/2/password/", url.Values{"action": {"disable"}, "your_password": {"wr0ng"}}},
		{"/admin/audit/export/", wrong},
		{"/admin/auth/user/", url.Values{"user": {"2"}, "action": {"delete"}, "sure": {"yes"}, "your_password": {"wr0ng"}}},
		{"/admin/password_change/", newPassword("wr0ng")},
		{"/admin/password_change/", newPassword(strings.Repeat("x", 5000))},
	} {
		root := enter(t, base, "root")
		before := root.cookie("sessionid")
		count := len(acts(t, srv, reauthentications...))
		if a := root.post(test.path, test.form); a.status != http.StatusUnprocessableEntity || strings.Contains(a.body, "wr0ng") {
			t.Errorf("%s: %d", test.path, a.status)
		}
		if root.cookie("sessionid") != before {
			t.Errorf("%s: the key changed with a wrong password", test.path)
		}
		now := acts(t, srv, reauthentications...)
		if len(now) != count+1 || now[count] != "reauthentication_failed root>" {
			t.Errorf("%s: the events are %q", test.path, now[count:])
		}
	}
	entries, err := srv.Audit(t.Context(), postern.AuditQuery{Act: "reauthentication_failed", Limit: 1})
	if err != nil || len(entries) != 1 || entries[0].Address != "127.0.0.1" || entries[0].ActorID != 1 || entries[0].Source != "admin" {
		t.Errorf("the entry is %+v, %v", entries, err)
	}
	count := len(acts(t, srv, reauthentications...))
	root := enter(t, base, "root")
	if a := root.post("/admin/password_change/", newPassword(goodPassword)); a.status != http.StatusSeeOther {
		t.Fatalf("change the own password: %d %s", a.status, a.body)
	}
	expectLines(t, acts(t, srv, reauthentications...)[count:], "reauthenticated root>", "password_changed root>root")
	if a := root.get("/admin/audit/?act=reauthentication_failed"); a.status != http.StatusOK || !strings.Contains(a.body, "Own password wrong") {
		t.Errorf("the log shows %d", a.status)
	}
	if a := root.get("/admin/audit/", "Accept-Language", "de"); !strings.Contains(a.body, "Eigenes Passwort falsch") {
		t.Error("the event has no name in German")
	}
}

func TestReauthentication_IsThrottledLikeALogin(t *testing.T) {
	for name, throttle := range map[string]postern.Throttle{
		"by account": {LoginAccount: postern.Rate{Attempts: 3, Per: time.Hour}, Login: postern.Rate{Attempts: 1000, Per: time.Hour}},
		"by address": {LoginAccount: postern.Rate{Attempts: 1000, Per: time.Hour}, Login: postern.Rate{Attempts: 3, Per: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			config := siteConfig(t)
			config.Throttle = throttle
			srv, base := serve(t, config)
			root := enter(t, base, "root") // one attempt
			var last answer
			for i := range 5 {
				path, form := "/admin/auth/user/2/delete/", url.Values{"your_password": {"wr0ng"}}
				if i%2 == 1 {
					path, form = "/admin/password_change/", url.Values{"old_password": {"wr0ng"}, "password1": {"Xy9-longer-pass"}, "password2": {"Xy9-longer-pass"}}
				}
				last = root.post(path, form)
			}
			if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" || !strings.Contains(last.body, "too many attempts") {
				t.Errorf("the fifth: %d", last.status)
			}
			if a := root.post("/admin/auth/user/2/delete/", nil); a.status != http.StatusTooManyRequests {
				t.Errorf("the right password after them: %d", a.status)
			}
			if got := len(acts(t, srv, "reauthentication_failed")); got < 2 || got > 3 {
				t.Errorf("%d failures were verified", got)
			}
		})
	}
}

// TestOwnPassword_NothingIsHashedAfterTheChange: a gate that is busy then would
// have the page say that nothing was changed.
func TestOwnPassword_NothingIsHashedAfterTheChange(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	root := enter(t, base, "root")
	hashes := func() string {
		w := httptest.NewRecorder()
		srv.OperationsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/-/metrics", nil))
		_, count, _ := strings.Cut(w.Body.String(), "postern_gate_wait_seconds_count ")
		count, _, _ = strings.Cut(count, "\n")
		return count
	}
	if hashes() != "5" { // four users and the login
		t.Fatalf("%q hashes", hashes())
	}
	a := root.post("/admin/password_change/", url.Values{"old_password": {goodPassword}, "password1": {"Xy9-longer-pass"}, "password2": {"Xy9-longer-pass"}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if hashes() != "7" { // the old password, and the new one
		t.Errorf("%s hashes, want 7", hashes())
	}
	if a := root.get("/api/user/"); a.status != http.StatusOK {
		t.Errorf("the new session: %d", a.status)
	}
	expectLines(t, acts(t, srv, "reauthenticated", "password_changed", "login"), "login root>", "reauthenticated root>", "password_changed root>root", "login root>")
}
