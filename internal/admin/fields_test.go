package admin_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
)

const (
	noNUL     = "Null characters are not allowed."
	noUTF8    = "This is not valid UTF-8."
	noChoice  = "Select a valid choice. That choice is not one of the available choices."
	noAddress = "This is not an address."
)

func says(body, message string) bool { return strings.Contains(html.UnescapeString(body), message) }

// TestAdminFields_TextThatIsNone sends NUL and invalid UTF-8 in every text of
// every form: the field says so, and nothing is stored.
func TestAdminFields_TextThatIsNone(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c postern.Config) {
		srv, base := serve(t, c)
		root := enter(t, base, "root")
		if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
			t.Fatal(a.status)
		}
		for _, test := range []struct {
			path   string
			form   url.Values
			fields []string
		}{
			{"/admin/auth/user/add/", url.Values{"username": {"new"}}, []string{"username", "email"}},
			{"/admin/auth/user/2/change/", url.Values{"username": {"ada"}, "is_active": {"on"}}, []string{"username", "email", "first_name", "last_name"}},
			{"/admin/auth/group/add/", url.Values{"name": {"new"}}, []string{"name"}},
			{"/admin/auth/group/1/change/", url.Values{"name": {"Support"}}, []string{"name"}},
		} {
			for _, field := range test.fields {
				for value, message := range map[string]string{"x\x00y": noNUL, "\x00": noNUL, "x\xffy": noUTF8, "x\xed\xa0\x80": noUTF8} {
					form := url.Values{}
					for name, values := range test.form {
						form[name] = values
					}
					form.Set(field, value)
					if a := root.post(test.path, form); a.status != http.StatusUnprocessableEntity || !says(a.body, message) || !strings.Contains(a.body, `id="wrong-`+field+`"`) {
						t.Errorf("%s with %q in %s: %d", test.path, value, field, a.status)
					}
				}
			}
		}
		for _, path := range []string{"/admin/auth/user/2/password/", "/admin/auth/user/add/", "/admin/password_change/"} {
			for plain, message := range map[string]string{
				"Xy9\x00-longer-pass": noNUL, "Xy9\xff-longer-pass": noUTF8, " \t\u3000": "This field may not be blank.",
				strings.Repeat("Xy9-", 1025): "This is too long.",
			} {
				form := url.Values{"username": {"new"}, "old_password": {goodPassword}, "password1": {plain}, "password2": {plain}}
				if a := root.post(path, form); a.status != http.StatusUnprocessableEntity || !says(a.body, message) {
					t.Errorf("%s with the password %.20q: %d", path, plain, a.status)
				}
			}
		}
		for _, own := range []string{"a\x00b", "a\xffb", strings.Repeat("x", 5000)} {
			if a := newConfirmation(t, base).post("/admin/auth/user/2/delete/", url.Values{"your_password": {own}}); a.status != http.StatusUnprocessableEntity {
				t.Errorf("own password %.20q: %d", own, a.status)
			}
			if a := root.post("/admin/password_change/", url.Values{"old_password": {own}, "password1": {"Xy9-longer-pass"}, "password2": {"Xy9-longer-pass"}}); a.status != http.StatusUnprocessableEntity {
				t.Errorf("old password %.20q: %d", own, a.status)
			}
			stranger := newBrowser(t, base)
			stranger.get("/admin/login/")
			for _, form := range []url.Values{{"username": {own}, "password": {goodPassword}}, {"username": {"root"}, "password": {own}}} {
				if a := stranger.post("/admin/login/", form); a.status != http.StatusOK || a.location != "" {
					t.Errorf("log in with %.20q: %d", own, a.status)
				}
			}
		}
		if _, err := srv.User(t.Context(), "new"); err == nil {
			t.Error("a user was made")
		}
		if u, err := srv.User(t.Context(), "ada"); err != nil || u.FirstName+u.LastName+u.Email != "" {
			t.Errorf("ada is %+v, %v", u, err)
		}
	})
}

// newConfirmation is root in a browser that has not given the password since
// the login.
func newConfirmation(t *testing.T, base string) *browser { return enter(t, base, "root") }

// TestAdminFields_IDsOfNobody sends ids that no page offers.
func TestAdminFields_IDsOfNobody(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c postern.Config) {
		srv, base := serve(t, c)
		root := enter(t, base, "root")
		if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
			t.Fatal(a.status)
		}
		ids := []string{"999999", "2147483648", "9223372036854775807", "9223372036854775808", strings.Repeat("9", 400), "-1", "0", "", "x", "1.5", "1e3", " 1", "0x1", "\x00", "1\x00", "\xff", "１"}
		ada := url.Values{"username": {"ada"}, "is_active": {"on"}}
		for _, id := range ids {
			for _, test := range []struct {
				path, field string
				form        url.Values
			}{
				{"/admin/auth/group/add/", "permissions", url.Values{"name": {"new"}}},
				{"/admin/auth/group/1/change/", "permissions", url.Values{"name": {"Support"}}},
				{"/admin/auth/user/2/change/", "permissions", ada},
				{"/admin/auth/user/2/change/", "groups", ada},
				{"/admin/auth/user/", "user", url.Values{"action": {"deactivate"}}},
				{"/admin/auth/user/", "user", url.Values{"action": {"activate"}}},
				{"/admin/auth/user/", "user", url.Values{"action": {"end"}}},
				{"/admin/auth/user/", "user", url.Values{"action": {"delete"}}},
				{"/admin/auth/group/", "group", url.Values{"action": {"delete"}}},
				{"/admin/sessions/session/", "session", nil},
				{"/admin/auth/user/2/sessions/", "session", nil},
			} {
				form := url.Values{}
				for name, values := range test.form {
					form[name] = values
				}
				form[test.field] = []string{id}
				if strings.HasPrefix(test.field, "user") {
					form[test.field] = []string{"2", id} // one of two is right
				}
				if a := root.post(test.path, form); a.status != http.StatusUnprocessableEntity || !says(a.body, noChoice) {
					t.Errorf("POST %s with %s=%.20q %v: %d %s", test.path, test.field, id, test.form["action"], a.status, a.location)
				}
			}
			escaped := url.PathEscape(id)
			if id == "" || id == "999999" {
				escaped = "999999"
			}
			for _, path := range []string{"/admin/auth/user/", "/admin/auth/group/"} {
				for _, act := range []string{"/change/", "/delete/", "/history/"} {
					if a := root.get(path + escaped + act); a.status != http.StatusNotFound {
						t.Errorf("GET %s%.40s%s: %d", path, escaped, act, a.status)
					}
					if act != "/history/" {
						if a := root.post(path+escaped+act, url.Values{"name": {"x"}, "username": {"x"}}); a.status != http.StatusNotFound {
							t.Errorf("POST %s%.40s%s: %d", path, escaped, act, a.status)
						}
					}
				}
			}
			for _, act := range []string{"/password/", "/sessions/"} {
				if a := root.post("/admin/auth/user/"+escaped+act, url.Values{"action": {"all"}}); a.status != http.StatusNotFound {
					t.Errorf("POST %.40s%s: %d", escaped, act, a.status)
				}
			}
		}
		if u, err := srv.User(t.Context(), "ada"); err != nil || !u.IsActive {
			t.Errorf("ada is %+v, %v", u, err)
		}
		expectLines(t, acts(t, srv, "user_activated", "user_deactivated", "sessions_ended", "group_changed", "user_changed"))
		// What is over already, or gone since the page was shown, is no mistake.
		if a := root.post("/admin/sessions/session/", url.Values{"session": {strings.Repeat("0", 64)}}); a.status != http.StatusSeeOther {
			t.Errorf("end a session that is over: %d", a.status)
		}
		if a := root.post("/admin/auth/user/", url.Values{"user": {"2", "999999"}, "action": {"delete"}, "sure": {"yes"}}); a.status != http.StatusSeeOther {
			t.Errorf("delete somebody who is gone: %d", a.status)
		}
	})
}

// TestAdminFields_Queries asks every list for what can't be: an empty list, a
// 404 or a message, and never an error of the server.
func TestAdminFields_Queries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c postern.Config) {
		_, base := serve(t, c)
		root := enter(t, base, "root")
		values := []string{
			"\x00", "a\x00b", "\xff", "a\xed\xa0\x80", "-1", "0", "999999", "2147483648", "9223372036854775808", strings.Repeat("9", 400), "x", "%", `\`, "'", "*", "\u3164",
			"fe80::1%\x00", "fe80::1%eth0", "0000-01-01", "9999-12-31", "0001-01-01", "2026-02-30", strings.Repeat("x", 5000), "eyJsIjoidXNlcnMxIiwiayI6IlxkODAwIiwiaSI6Ijk5OTk5OTk5OTk5OTk5OTk5OTk5In0", "e30", "bnVsbA",
		}
		for path, names := range map[string][]string{
			"/admin/auth/user/": {"q", "sort", "place", "active", "staff", "superuser", "joined_from", "joined_to", "login_from", "login_to", "never", "algorithm", "group", "done"},
			// its own page, as the list that led to it is kept
			"/admin/auth/user/2/change/":  {"_changelist_filters", "done"},
			"/admin/auth/user/2/history/": {"before"},
			"/admin/auth/group/":          {"q", "place"},
			"/admin/sessions/session/":    {"user", "address", "sort", "place"},
			"/admin/audit/":               {"act", "user", "source", "address", "from", "to", "before"},
			"/admin/login/":               {"next"},
		} {
			for _, name := range names {
				for _, value := range values {
					if a := root.get(path + "?" + url.Values{name: {value}}.Encode()); a.status >= 500 || a.status == http.StatusUnprocessableEntity {
						t.Errorf("GET %s with %s=%.40q: %d", path, name, value, a.status)
					}
					if a := root.get(path + "?%00=%ff&" + name + "=%zz&" + name); a.status >= 500 {
						t.Errorf("GET %s with a malformed query: %d", path, a.status)
					}
				}
			}
		}
		for _, filter := range []string{"act", "user", "source", "address", "from", "to"} {
			for _, value := range values {
				if a := root.post("/admin/audit/export/", url.Values{filter: {value}}); a.status >= 500 {
					t.Errorf("export with %s=%.40q: %d", filter, value, a.status)
				}
			}
		}
		if a := root.get("/admin/auth/user/?q=%00"); a.status != http.StatusOK || strings.Contains(a.body, ">ada<") {
			t.Errorf("a search for NUL: %d", a.status)
		}
		if a := root.get("/admin/audit/?address=x"); !says(a.body, noAddress) {
			t.Error("an address that is none has no message")
		}
	})
}
