package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestDenied_EachRefusalLeavesAnEvent(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	root, clerk := enter(t, base, "root"), enter(t, base, "clerk")
	for _, test := range []struct {
		what, method, path string
		form               url.Values
		status             int
		want               string
	}{
		{"a page", "GET", "/admin/auth/user/", nil, 403, `permission_denied clerk> {"page":"/admin/auth/user/"}`},
		{"a user's page", "GET", "/admin/auth/user/2/change/", nil, 403, `permission_denied clerk> {"page":"/admin/auth/user/{id}/change/"}`},
		{"a group's page", "GET", "/admin/auth/group/7/change/", nil, 403, `permission_denied clerk> {"group":7,"page":"/admin/auth/group/{id}/change/"}`},
		{"the audit log", "GET", "/admin/audit/?user=ada", nil, 403, `permission_denied clerk> {"page":"/admin/audit/"}`},
		{"an act", "POST", "/admin/auth/user/2/delete/", nil, 403, `permission_denied clerk> {"page":"/admin/auth/user/{id}/delete/"}`},
		{"a bulk act", "POST", "/admin/auth/user/", url.Values{"user": {"2"}, "action": {"deactivate"}}, 403, `permission_denied clerk> {"page":"/admin/auth/user/"}`},
	} {
		before := len(acts(t, srv, "permission_denied"))
		a := clerk.get(test.path)
		if test.method == "POST" {
			before = len(acts(t, srv, "permission_denied"))
			a = clerk.post(test.path, test.form)
		}
		now := acts(t, srv, "permission_denied")
		if a.status != test.status || len(now) != before+1 || now[before] != test.want {
			t.Errorf("%s: %d, %q", test.what, a.status, now[before:])
		}
	}

	// Who may change users, and tries what only superusers may.
	if a := root.post("/admin/auth/user/3/change/", permit(t, root, "clerk", "Can view user", "Can change user", "Can delete user", "Can delete session")); a.status != http.StatusSeeOther {
		t.Fatalf("permit: %d", a.status)
	}
	for _, test := range []struct {
		what, path string
		form       url.Values
		status     int
	}{
		{"edit a superuser", "/admin/auth/user/4/change/", url.Values{"username": {"boss"}}, 403},
		{"set a superuser's password", "/admin/auth/user/4/password/", url.Values{"action": {"disable"}}, 403},
		{"deactivate a superuser", "/admin/auth/user/", url.Values{"user": {"4"}, "action": {"deactivate"}}, 409},
		{"end a superuser's sessions", "/admin/auth/user/", url.Values{"user": {"4"}, "action": {"end"}}, 409},
		{"end all of a superuser's sessions", "/admin/auth/user/4/sessions/", url.Values{"action": {"all"}}, 409},
		{"delete a superuser", "/admin/auth/user/4/delete/", nil, 409},
		{"delete superusers", "/admin/auth/user/", url.Values{"user": {"4"}, "action": {"delete"}, "sure": {"yes"}}, 409},
		{"give rights that the form does not offer", "/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "is_active": {"on"}, "is_superuser": {"on"}}, 303},
	} {
		before := len(acts(t, srv, "permission_denied"))
		a := clerk.post(test.path, test.form)
		now := acts(t, srv, "permission_denied")
		if a.status != test.status || len(now) != before+1 || !strings.HasPrefix(now[before], "permission_denied clerk>") {
			t.Errorf("%s: %d, %q", test.what, a.status, now[before:])
		}
	}
	if u, err := srv.User(t.Context(), "ada"); err != nil || u.IsSuperuser {
		t.Errorf("ada is %+v, %v", u, err)
	}
	before := len(acts(t, srv, "permission_denied"))
	if a := clerk.post("/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "first_name": {"Ada"}, "is_active": {"on"}}); a.status != http.StatusSeeOther {
		t.Errorf("what a clerk may: %d", a.status)
	}
	if now := acts(t, srv, "permission_denied"); len(now) != before {
		t.Errorf("what is allowed is noted: %q", now[before:])
	}
	if a := root.get("/admin/audit/?act=permission_denied", "Accept-Language", "de"); !strings.Contains(a.body, "Zugriff verweigert") || !strings.Contains(a.body, "clerk") {
		t.Error("the log does not show it in German")
	}
}

// permit is the form that gives a user permissions, by their names.
func permit(t *testing.T, root *browser, user string, names ...string) url.Values {
	t.Helper()
	form := url.Values{"username": {user}, "is_active": {"on"}, "is_staff": {"on"}}
	page := root.get("/admin/auth/user/3/change/").body
	for _, name := range names {
		_, rest, found := strings.Cut(page[:strings.Index(page, name+"<")+1], "name=\"permissions\"")
		for found {
			var next string
			if _, next, found = strings.Cut(rest, "name=\"permissions\""); found {
				rest = next
			}
		}
		_, rest, _ = strings.Cut(rest, `value="`)
		id, _, _ := strings.Cut(rest, `"`)
		form.Add("permissions", id)
	}
	return form
}

func TestDenied_WhoIsNotStaff(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	b := newBrowser(t, base)
	right := b.get("/admin/login/")
	refused := b.post("/admin/login/", url.Values{"username": {"ada"}, "password": {goodPassword}})
	wrong := b.post("/admin/login/", url.Values{"username": {"ada"}, "password": {"wr0ng"}})
	if right.status != http.StatusOK || refused.status != http.StatusOK || b.cookie("sessionid") != "" {
		t.Errorf("log in: %d", refused.status)
	}
	if len(refused.body) != len(wrong.body) {
		t.Error("the right password can be told from a wrong one")
	}
	expectLines(t, acts(t, srv, "permission_denied", "login_failed"), `permission_denied ada> {"reason":"not staff"}`, "login_failed >ada")
	if a := b.api("POST", "/api/login/", map[string]string{"username": "ada", "password": goodPassword}); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	b.get("/admin/login/")
	if a := b.get("/admin/audit/"); a.status != http.StatusFound {
		t.Errorf("with a session: %d", a.status)
	}
	expectLines(t, acts(t, srv, "permission_denied")[1:], `permission_denied ada> {"page":"/admin/audit/"}`)
}

func TestDenied_AStormIsBounded(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	clerk := enter(t, base, "clerk")
	stranger := newBrowser(t, base)
	for range 200 {
		clerk.get("/admin/audit/")
	}
	stranger.api("POST", "/api/login/", map[string]string{"username": "ada", "password": "wr0ng"})
	lines := acts(t, srv, "permission_denied", "login_failed")
	noted := 0
	for _, line := range lines {
		if line == "login_failed >ada" {
			noted++
		}
	}
	if len(lines) > 100 || len(lines) < 2 || noted != 1 {
		t.Errorf("%d entries of 200 refusals, the failed login among them %d times", len(lines), noted)
	}
	if !strings.Contains(strings.Join(lines, "\n"), `{"more":`) {
		t.Error("nothing says how many were left out")
	}
}
