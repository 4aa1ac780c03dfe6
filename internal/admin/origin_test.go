package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAdminOrigin_OnlyTheSitesOwn posts to every page that acts. Without fetch
// metadata, as on plain http, Origin or Referer must be the request's own:
// that the API trusts an origin counts for nothing here.
func TestAdminOrigin_OnlyTheSitesOwn(t *testing.T) {
	srv, base := serve(t, siteConfig(t))
	root := enter(t, base, "root")
	if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	own := base // http://127.0.0.1:port
	const trusted = "http://localhost:3000"
	refused := map[string][]string{
		"trusted origin":                     {"Origin", trusted},
		"trusted origin and own referer":     {"Origin", trusted, "Referer", own + "/admin/"},
		"trusted referer":                    {"Referer", trusted + "/page"},
		"opaque origin":                      {"Origin", "null"},
		"own host over https":                {"Origin", strings.Replace(own, "http:", "https:", 1)},
		"own host, another port":             {"Origin", "http://127.0.0.1:1"},
		"longer host":                        {"Origin", own + ".evil.example"},
		"own origin as userinfo":             {"Referer", own + "@evil.example/"},
		"referer without a host":             {"Referer", "/admin/"},
		"malformed referer":                  {"Referer", "http://[127.0.0.1/"},
		"cross-site":                         {"Sec-Fetch-Site", "cross-site", "Origin", trusted},
		"same-site":                          {"Sec-Fetch-Site", "same-site", "Origin", own},
		"not started by a page":              {"Sec-Fetch-Site", "none"},
		"fetch metadata and another origin":  {"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.example"},
		"over https without any header":      {"X-Forwarded-Proto", "https"},
		"over https, referer of plain http":  {"X-Forwarded-Proto", "https", "Referer", own + "/admin/"},
		"over https, origin of plain http":   {"X-Forwarded-Proto", "https", "Origin", own},
		"over https, a trusted http referer": {"X-Forwarded-Proto", "https", "Referer", trusted + "/"},
	}
	paths := map[string]url.Values{
		"/admin/login/":                    {"username": {"root"}, "password": {goodPassword}},
		"/admin/password_change/":          {"old_password": {goodPassword}, "password1": {"correct-horse-42"}, "password2": {"correct-horse-42"}},
		"/admin/auth/user/":                {"user": {"2"}, "action": {"deactivate"}},
		"/admin/auth/user/add/":            {"username": {"planted"}, "password1": {"correct-horse-42"}, "password2": {"correct-horse-42"}},
		"/admin/auth/user/2/change/":       {"username": {"planted"}},
		"/admin/auth/user/2/password/":     {"action": {"disable"}},
		"/admin/auth/user/2/delete/":       {},
		"/admin/auth/user/2/sessions/":     {"action": {"all"}},
		"/admin/auth/group/":               {"group": {"1"}, "action": {"delete"}},
		"/admin/auth/group/add/":           {"name": {"planted"}},
		"/admin/auth/group/1/change/":      {"name": {"planted"}},
		"/admin/auth/group/1/delete/":      {},
		"/admin/sessions/session/":         {"session": {strings.Repeat("0", 64)}},
		"/admin/audit/export/":             {},
		"/admin/logout/":                   {},
		"/admin/login/?next=/admin/audit/": {"username": {"root"}, "password": {goodPassword}},
	}
	for what, headers := range refused {
		for path, form := range paths {
			if a := root.post(path, form, headers...); a.status != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d %s, not 403", what, path, a.status, a.location)
			}
		}
	}
	if u, err := srv.User(t.Context(), "ada"); err != nil || !u.IsActive {
		t.Errorf("ada is %+v, %v", u, err)
	}
	if _, err := srv.User(t.Context(), "planted"); err == nil {
		t.Error("a user was planted")
	}
	for _, headers := range [][]string{
		nil, // no browser
		{"Origin", own},
		{"Referer", own + "/admin/auth/user/?q=x"},
		{"Sec-Fetch-Site", "same-origin", "Origin", own},
		{"X-Forwarded-Proto", "https", "Origin", strings.Replace(own, "http:", "https:", 1)},
		{"X-Forwarded-Proto", "https", "Referer", strings.Replace(own, "http:", "https:", 1) + "/admin/"},
	} {
		if a := root.post("/admin/auth/user/", url.Values{"user": {"2"}, "action": {"activate"}}, headers...); a.status != http.StatusSeeOther {
			t.Errorf("the site's own form with %q: %d", headers, a.status)
		}
	}
}

// TestAdminOrigin_BehindAProxyThatNobodyTrusts is a server that takes its own
// public origin for a foreign one, and has been told to trust it: a browser's
// word counts.
func TestAdminOrigin_BehindAProxyThatNobodyTrusts(t *testing.T) {
	config := siteConfig(t)
	config.CSRF.TrustedOrigins = []string{"https://app.example.com"}
	_, base := serve(t, config)
	s := newBrowser(t, base)
	s.get("/admin/login/")
	login := url.Values{"username": {"root"}, "password": {goodPassword}}
	if a := s.post("/admin/login/", login, "Origin", "https://app.example.com"); a.status != http.StatusForbidden {
		t.Errorf("without fetch metadata: %d", a.status)
	}
	if a := s.post("/admin/login/", login, "Origin", "https://app.example.com", "Sec-Fetch-Site", "same-origin"); a.status != http.StatusSeeOther {
		t.Errorf("with it: %d", a.status)
	}
}

// TestAdminOrigin_TheAPIGoesOnTrusting is what front ends on other origins rely on.
func TestAdminOrigin_TheAPIGoesOnTrusting(t *testing.T) {
	_, base := serve(t, siteConfig(t))
	for _, accept := range []string{"application/json", "text/html"} {
		b := newBrowser(t, base)
		if a := b.api("POST", "/api/login/", map[string]string{"username": "ada", "password": goodPassword},
			"Origin", "http://localhost:3000", "Accept", accept); a.status != http.StatusOK {
			t.Errorf("log in from a trusted origin, %s: %d %s", accept, a.status, a.body)
		}
		if a := b.api("POST", "/api/logout/", nil, "Origin", "http://localhost:3000", "Accept", accept); a.status != http.StatusOK {
			t.Errorf("log out from a trusted origin, %s: %d %s", accept, a.status, a.body)
		}
	}
}
