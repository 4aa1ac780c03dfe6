package postern_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
)

// What people do in Django's admin without thinking works here, too.

func TestAFormLeadsOnAsDjangosDoes(t *testing.T) {
	_, _, root := crowd(t)
	const list = "/admin/auth/user/"
	page := root.get(list + "?q=ada&sort=-username&done=saved")
	const kept = "?_changelist_filters=q%3Dada%26sort%3D-username"
	if !strings.Contains(page.body, `href="`+list+`2/change/`+kept+`"`) {
		t.Errorf("the list's links don't keep its search: %s", page.body)
	}
	if page := root.get(list + "2/change/" + kept); !strings.Contains(page.body, `href="`+list+`?q=ada&amp;sort=-username"`) {
		t.Errorf("the way back has lost the search: %s", page.body)
	}
	form := func(button string) url.Values {
		return url.Values{"username": {"ada"}, "is_active": {"on"}, button: {"1"}}
	}
	for _, tt := range []struct {
		path   string
		form   url.Values
		wanted string
	}{
		{list + "2/change/" + kept, form("_save"), list + "?q=ada&sort=-username&done=saved"},
		{list + "2/change/" + kept, form("_continue"), list + "2/change/" + kept + "&done=saved"},
		{list + "2/change/" + kept, form("_addanother"), list + "add/?done=saved"},
		{list + "2/change/", form("_save"), list + "?done=saved"},
		{list + "2/change/?_changelist_filters=//evil.example%0d%0aX:1%3D1%26done%3Dended", form("_save"), list + "?%2F%2Fevil.example%0D%0AX%3A1=1&done=saved"},
		{list + "add/", url.Values{"username": {"bob"}, "_save": {"1"}}, list + "5/change/?done=added"},
		{list + "add/", url.Values{"username": {"eve"}, "_addanother": {"1"}}, list + "add/?done=added"},
		{"/admin/auth/group/add/", url.Values{"name": {"Sales"}, "_addanother": {"1"}}, "/admin/auth/group/add/?done=added"},
		{"/admin/auth/group/1/change/", url.Values{"name": {"Helpers"}, "_save": {"1"}}, "/admin/auth/group/?done=saved"},
	} {
		if a := root.post(tt.path, tt.form); a.status != http.StatusSeeOther || a.location != tt.wanted {
			t.Errorf("%s %v leads to %d %s", tt.path, tt.form, a.status, a.location)
		}
	}
	for _, tt := range []struct {
		path   string
		status int
		wanted string
	}{
		{"/admin", http.StatusMovedPermanently, "/admin/"}, {"/admin/auth/user", http.StatusMovedPermanently, list},
		{"/admin/auth/", http.StatusFound, "/admin/"}, {"/admin/auth/user/2/", http.StatusFound, list + "2/change/"},
		{"/admin/auth/group/1/", http.StatusFound, "/admin/auth/group/1/change/"},
	} {
		if a := root.get(tt.path); a.status != tt.status || a.location != tt.wanted {
			t.Errorf("%s leads to %d %s", tt.path, a.status, a.location)
		}
	}
}

func TestSeveralAreDeletedOnceOneIsSure(t *testing.T) {
	srv, base, root := crowd(t)
	const list = "/admin/auth/user/"
	there := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := srv.User(t.Context(), name); (err == nil) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "bob"}); err != nil {
		t.Fatal(err)
	}
	both := url.Values{"user": {"2", "5"}, "action": {"delete"}}
	if a := root.post(list+"?q=a", both); a.status != http.StatusOK || !strings.Contains(a.body, "<strong>ada</strong>") || !strings.Contains(a.body, "<strong>bob</strong>") {
		t.Errorf("the question: %d %s", a.status, a.body)
	}
	there(true, "ada", "bob")
	sure := url.Values{"user": {"2", "5"}, "action": {"delete"}, "sure": {"yes"}}
	fresh := newStaff(t, base, "root") // who has not given the password since the login
	unsure := url.Values{"user": sure["user"], "action": sure["action"], "sure": sure["sure"], "your_password": {"wr0ng-pass"}}
	if a := fresh.post(list, unsure); a.status != http.StatusUnprocessableEntity {
		t.Errorf("with a wrong password: %d", a.status)
	}
	for what, users := range map[string][]string{"oneself": {"2", "1"}, "nobody who is there": {"99"}} {
		a := root.post(list, url.Values{"user": users, "action": {"delete"}, "sure": {"yes"}})
		if a.status != http.StatusConflict && !strings.HasSuffix(a.location, "done=nothing") {
			t.Errorf("delete %s: %d %s", what, a.status, a.location)
		}
	}

	clerk := newStaff(t, base, "clerk")
	root.permit("/admin/auth/user/3/change/", "Can view user", "Can change user")
	if a := clerk.post(list, sure); a.status != http.StatusForbidden {
		t.Errorf("without the permission: %d", a.status)
	}
	root.permit("/admin/auth/user/3/change/", "Can view user", "Can delete user", "Can view group", "Can delete group")
	if a := clerk.post(list, url.Values{"user": {"2", "4"}, "action": {"delete"}, "sure": {"yes"}}); a.status != http.StatusConflict {
		t.Errorf("a superuser among them: %d", a.status)
	}
	if a := clerk.post("/admin/auth/group/", url.Values{"group": {"1"}, "action": {"delete"}, "sure": {"yes"}}); a.status != http.StatusForbidden {
		t.Errorf("a group, by who is no superuser: %d", a.status)
	}
	there(true, "ada", "bob", "root", "boss")
	if a := clerk.post(list+"?q=a", sure); a.status != http.StatusSeeOther || a.location != list+"?q=a&done=deleted-all" {
		t.Errorf("with all that it takes: %d %s %s", a.status, a.location, a.body)
	}
	there(false, "ada", "bob")
}

func TestWhoWasRenamedKeepsItsHistory(t *testing.T) {
	_, base, root := crowd(t)
	const ada = "/admin/auth/user/2/"
	for _, name := range []string{"ada", "augusta", "augusta"} {
		form := url.Values{"username": {name}, "is_active": {"on"}, "first_name": {"Ada " + name}}
		if a := root.post(ada+"change/", form); a.status != http.StatusSeeOther {
			t.Fatal(a.status, a.body)
		}
	}
	h := root.get(ada + "history/")
	if h.status != http.StatusOK || strings.Count(h.body, "User changed</th>") != 2 || strings.Count(h.body, "User added</th>") != 1 {
		t.Errorf("the history: %d %s", h.status, h.body)
	}
	if strings.Contains(h.body, "Group added") { // the group's id is 1, root's too
		t.Error("a user's history is mixed with a group's")
	}
	if g := root.get("/admin/auth/group/1/history/"); strings.Count(g.body, "Group added</th>") != 1 || strings.Contains(g.body, "User added") {
		t.Errorf("the group's history: %d %s", g.status, g.body)
	}
	clerk := newStaff(t, base, "clerk")
	for _, permissions := range [][]string{{"Can view log entry"}, {"Can view user", "Can change user"}} {
		root.permit("/admin/auth/user/3/change/", permissions...)
		if a := clerk.get(ada + "history/"); a.status != http.StatusForbidden {
			t.Errorf("with %q: %d", permissions, a.status)
		}
	}
}
