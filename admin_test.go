package postern_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pages/browsertest"
)

// withStaff opens a server with a superuser, root, and these users, all with
// goodPassword.
func withStaff(t *testing.T, users ...postern.NewUser) (*postern.Server, string) {
	t.Helper()
	srv, base := startServer(t, testConfig(t))
	for _, u := range append([]postern.NewUser{{Username: "root", Email: "root@example.com", IsStaff: true, IsSuperuser: true}}, users...) {
		u.Password = goodPassword
		if _, err := srv.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	return srv, base
}

// enter logs in at the admin site.
func enter(p *browsertest.Tab, name string) {
	p.Open("/admin/")
	p.Fill("#id_username", name)
	p.Fill("#id_password", goodPassword)
	p.Follow("form button.main")
}

func TestAFreshSuperuserLogsInAndLooksAround(t *testing.T) {
	t.Parallel()
	srv, base := withStaff(t)
	p := browsertest.Start(t).Person(t, base)
	if status := p.Open("/admin/auth/user/?q=x"); status != http.StatusOK || !strings.HasPrefix(p.Path(), "/admin/login/?") {
		t.Fatalf("a stranger is at %s: %d", p.Path(), status)
	}
	p.Inspect("admin-login")
	p.Fill("#id_username", "root")
	p.Fill("#id_password", "wrong")
	p.Follow("form button.main")
	p.WaitText("Please enter the correct username and password")
	if got := browsertest.Eval[string](p, `document.querySelector('#id_username').value + '|' + document.querySelector('#id_password').value`); got != "root|" {
		t.Errorf("the form has %q", got)
	}
	p.Inspect("admin-login-refused")
	p.Fill("#id_password", goodPassword)
	if status := p.Follow("form button.main"); status != http.StatusOK || p.Path() != "/admin/auth/user/?q=x" {
		t.Fatalf("the login leads to %s: %d", p.Path(), status)
	}
	p.WaitText("Nobody matches.")
	p.Inspect("admin-users-none")

	// What there is to see, once there is something.
	for i := range 60 {
		if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: fmt.Sprintf("user%02d", i), Email: fmt.Sprintf("user%02d@example.com", i)}); err != nil {
			t.Fatal(err)
		}
	}
	p.Follow(`nav a[href="/admin/auth/user/"]`)
	p.Click("summary")
	p.Inspect("admin-users")
	p.Follow(`a[rel=next]`)
	if got := browsertest.Eval[int](p, `document.querySelectorAll('tbody tr').length`); got != 11 {
		t.Errorf("the second page has %d rows, not 11", got)
	}
	p.Follow(`a[rel=prev]`)
	p.Follow(`th a[href*="sort=date_joined"]`)
	p.Follow(`th a[href*="sort=-date_joined"]`)
	if got := p.Text("tbody th"); got != "user59" {
		t.Errorf("the newest is %q", got)
	}
	p.Fill("#q", "user4")
	p.Follow("form[role=search] button.main")
	p.WaitText("Found: 10")

	for _, page := range []struct{ name, path string }{
		{"admin-user-add", "/admin/auth/user/add/"},
		{"admin-user", "/admin/auth/user/1/change/"},
		{"admin-password", "/admin/auth/user/2/password/"},
		{"admin-own-password", "/admin/password_change/"},
		{"admin-user-delete", "/admin/auth/user/2/delete/"},
		{"admin-groups-none", "/admin/auth/group/"},
		{"admin-group-add", "/admin/auth/group/add/"},
		{"admin-sessions", "/admin/sessions/session/"},
		{"admin-audit", "/admin/audit/"},
		{"admin-dashboard", "/admin/"},
	} {
		if status := p.Open(page.path); status != http.StatusOK {
			t.Errorf("%s: %d", page.path, status)
		}
		p.Inspect(page.name)
	}
	p.Speak("de") // whose words are longer
	for _, path := range []string{"/admin/auth/user/", "/admin/auth/user/1/change/", "/admin/auth/group/add/", "/admin/sessions/session/", "/admin/audit/", "/admin/", "/api/docs/", "/api/register/"} {
		p.Open(path)
		if got := browsertest.Eval[string](p, "document.documentElement.lang"); got != "de" {
			t.Errorf("%s is in %q", path, got)
		}
		p.Fits("de" + strings.ReplaceAll(path, "/", "-") + "narrow")
	}
	p.Speak("en")
	p.Look("light", 1200)
	if status := p.Open("/admin/auth/user/999999/change/"); status != http.StatusNotFound {
		t.Errorf("a user that isn't there: %d", status)
	}
	p.Inspect("admin-missing")
	p.Follow("#log-out")
	p.WaitText("You are logged out.")
	if p.Open("/admin/"); !strings.HasPrefix(p.Path(), "/admin/login/") {
		t.Errorf("after the logout one gets to %s", p.Path())
	}
}

func TestWhoIsDeactivatedIsOutAtOnce(t *testing.T) {
	t.Parallel()
	_, base := withStaff(t, postern.NewUser{Username: "mallory", Email: "m@example.com"}, postern.NewUser{Username: "ada", Email: "ada@example.com"})
	browser := browsertest.Start(t)
	mallory, root := browser.Person(t, base), browser.Person(t, base)
	mallory.Open("/api/login/")
	mallory.Fill("#field-username", "mallory")
	mallory.Fill("#field-password", goodPassword)
	mallory.Follow("form[data-form=fields] button")
	if status := mallory.Open("/api/protected/"); status != http.StatusOK {
		t.Fatalf("mallory, logged in: %d", status)
	}

	enter(root, "root")
	root.Follow(`nav a[href="/admin/auth/user/"]`)
	root.Fill("#q", "mall")
	root.Follow("form[role=search] button.main")
	root.WaitText("Found: 1")
	root.Click("[data-all=user]")
	if got := root.Text("[data-selected] output"); got != "1" {
		t.Errorf("%q are selected", got)
	}
	root.Follow("button[value=deactivate]")
	root.WaitText("The users are shut out")
	if !root.Has(".badge.bad") {
		t.Error("the list does not show the user as inactive, or not the same search")
	}
	if status := mallory.Open("/api/protected/"); status != http.StatusForbidden {
		t.Errorf("mallory, shut out: %d", status)
	}

	root.Follow("tbody th a")
	root.WaitText("There is no live session.")
	root.Open("/admin/audit/?act=user_deactivated")
	if got := root.Text("tbody"); !strings.Contains(got, "root") || !strings.Contains(got, "mallory") || !strings.Contains(got, "127.0.0.1") {
		t.Errorf("the audit log says %q", got)
	}
	root.Open("/admin/auth/user/?q=mallory")
	root.Click("[name=user]")
	root.Follow("button[value=activate]")
	root.WaitText("The users may log in.")
	root.Open("/admin/auth/user/?q=root")
	root.Click("[name=user]")
	root.Follow("button[value=deactivate]")
	root.WaitText("Nobody changes the rights or the state of their own account.")
}

func TestOneSessionEndsAndTheOthersDoNot(t *testing.T) {
	t.Parallel()
	_, base := withStaff(t, postern.NewUser{Username: "ada"})
	phone, desk := newClient(t, base), newClient(t, base)
	for i, c := range []*client{phone, desk} {
		agent := []string{
			"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
			"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		}[i]
		if status, body := c.do("POST", "/api/login/", map[string]string{"username": "ada", "password": goodPassword}, "User-Agent", agent); status != http.StatusOK {
			t.Fatal(status, body)
		}
	}
	p := browsertest.Start(t).Person(t, base)
	enter(p, "root")
	p.Open("/admin/auth/user/2/change/")
	p.Inspect("admin-user-sessions")
	rows := browsertest.Eval[string](p, `[...document.querySelectorAll('#sessions ~ form tbody th')].map(e => e.innerText).join(';')`)
	if !strings.Contains(rows, "Safari · iOS") || !strings.Contains(rows, "Firefox · Linux") {
		t.Errorf("the devices are %q", rows)
	}
	browsertest.Eval[bool](p, `[...document.querySelectorAll('#sessions ~ form tbody tr')].find(e => e.innerText.includes('Firefox')).querySelector('button').id = 'desk', true`)
	p.Follow("#desk")
	p.WaitText("The sessions have ended, on every node.")
	phone.isIn(true)
	desk.isIn(false)
	p.Open("/admin/sessions/session/?user=ada")
	p.Inspect("admin-sessions-of-one")
	p.Click("[name=session]")
	p.Follow("form[method=post] button.danger")
	p.WaitText("There is no such live session.")
	phone.isIn(false)
}

func TestWrongInputStaysInItsField(t *testing.T) {
	t.Parallel()
	srv, base := withStaff(t, postern.NewUser{Username: "ada", Email: "ada@example.com"}, postern.NewUser{Username: "taken"})
	p := browsertest.Start(t).Person(t, base)
	enter(p, "root")
	p.Open("/admin/auth/user/2/change/")
	value := func(selector string) string {
		return browsertest.Eval[string](p, `document.querySelector('`+selector+`').value`)
	}
	p.Fill("#username", "not a name!")
	p.Fill("#first_name", "Augusta")
	browsertest.Eval[bool](p, `document.querySelector('#email').type = 'text', true`) // past the browser's own check
	p.Fill("#email", "nowhere")
	if status := p.Follow("form button.main"); status != http.StatusUnprocessableEntity {
		t.Errorf("wrong input: %d", status)
	}
	for selector, want := range map[string]string{"#wrong-username": "Enter a valid username", "#wrong-email": "Enter a valid email address."} {
		if got := p.Text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q", selector, got)
		}
	}
	if value("#username") != "not a name!" || value("#first_name") != "Augusta" || value("#email") != "nowhere" {
		t.Error("what was typed is gone")
	}
	p.Inspect("admin-user-refused")
	if u, err := srv.User(t.Context(), "ada"); err != nil || u.FirstName != "" {
		t.Errorf("something was saved: %+v, %v", u, err)
	}

	p.Fill("#username", "taken")
	p.Fill("#email", "augusta@example.com")
	p.Follow("form button.main")
	if got := p.Text("#wrong-username"); !strings.Contains(got, "already exists") {
		t.Errorf("a taken name: %q", got)
	}
	p.Fill("#username", "augusta")
	p.Click("#is_staff")
	p.Follow("form button.main")
	if got := p.Text("#wrong-your_password"); !strings.Contains(got, "Give your own password") {
		t.Errorf("rights without the password: %q", got)
	}
	if !browsertest.Eval[bool](p, `document.querySelector('#is_staff').checked`) {
		t.Error("the tick is gone")
	}
	p.Fill("#your_password", "wrong")
	p.Follow("form button.main")
	if got := p.Text("#wrong-your_password"); !strings.Contains(got, "This is not your password.") || value("#your_password") != "" {
		t.Errorf("with a wrong password: %q", got)
	}
	p.Fill("#your_password", goodPassword)
	p.Follow("button[name=_continue]")
	p.WaitText("Saved.")
	u, err := srv.User(t.Context(), "augusta")
	if err != nil || !u.IsStaff || u.IsSuperuser || u.FirstName != "Augusta" || u.Email != "augusta@example.com" {
		t.Errorf("saved is %+v, %v", u, err)
	}
	// Who has just given the password is not asked again.
	p.Follow(`a[href$="/password/"]`)
	if p.Has("#your_password") {
		t.Error("the password is asked for again")
	}
	p.Fill("#password1", "12345")
	p.Fill("#password2", "12345")
	p.Follow("button[value=set]")
	p.Inspect("admin-password-refused")
	if got := p.Text("#wrong-password1"); !strings.Contains(got, "too short") {
		t.Errorf("a weak password: %q", got)
	}
	p.Fill("#password1", "correct-horse-41")
	p.Fill("#password2", "correct-horse-41")
	p.Follow("button[value=set]")
	p.WaitText("The password was changed.")
	c := newClient(t, base)
	if status, body := c.login("augusta", "correct-horse-41"); status != http.StatusOK {
		t.Errorf("with the new password: %d %s", status, body)
	}
	p.Follow(`a[href$="/password/"]`)
	p.Follow("button[value=disable]")
	p.WaitText("can no longer log in with a password")
	c.isIn(false)
}

func TestGroupsGiveTheirMembersRights(t *testing.T) {
	t.Parallel()
	_, base := withStaff(t, postern.NewUser{Username: "clerk", IsStaff: true})
	browser := browsertest.Start(t)
	root, clerk := browser.Person(t, base), browser.Person(t, base)
	enter(clerk, "clerk")
	if clerk.Has(`nav a[href="/admin/auth/user/"]`) {
		t.Error("who has no rights is shown the users")
	}
	clerk.Inspect("admin-dashboard-without-rights")
	if status := clerk.Open("/admin/auth/user/"); status != http.StatusForbidden {
		t.Errorf("without rights: %d", status)
	}
	clerk.Inspect("admin-forbidden")

	enter(root, "root")
	root.Open("/admin/auth/group/add/")
	root.Fill("#name", "Support")
	browsertest.Eval[bool](root, `[...document.querySelectorAll('.choices label')].filter(e => /Can (view|change) user/.test(e.innerText)).forEach(e => e.click()), true`)
	root.Fill("#your_password", goodPassword)
	root.Follow("button[name=_continue]")
	root.WaitText("Added.")
	root.Inspect("admin-group")
	root.Open("/admin/auth/user/2/change/")
	browsertest.Eval[bool](root, `document.querySelector('[name=groups]').click(), true`)
	root.Follow("button[name=_save]")
	root.WaitText("Saved.")
	root.Open("/admin/auth/user/2/history/")
	root.WaitText("User changed")
	root.Inspect("admin-history")
	root.Open("/admin/auth/group/")
	root.Inspect("admin-groups")

	if status := clerk.Open("/admin/auth/user/"); status != http.StatusOK {
		t.Errorf("with the group's rights: %d", status)
	}
	clerk.Open("/admin/auth/user/1/change/")
	clerk.WaitText("You may look at this account, and not change it.")
	clerk.Inspect("admin-user-read-only")

	root.Open("/admin/auth/group/")
	root.Click("[name=group]")
	root.Follow("button[value=delete]")
	root.WaitText("Support")
	root.Inspect("admin-groups-delete")
	root.Follow("button.danger")
	root.WaitText("What was selected is deleted.")
	if status := clerk.Open("/admin/auth/user/"); status != http.StatusForbidden {
		t.Errorf("after the end of the group: %d", status)
	}
}

func TestNobodyFramesTheAdminSite(t *testing.T) {
	t.Parallel()
	_, base := withStaff(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>Win a prize</title><iframe src="%s/admin/login/"></iframe>`, base)
	}))
	defer evil.Close()
	p := browsertest.Start(t).Person(t, evil.URL)
	p.Open("/")
	refused := func(complaint string) bool { return strings.Contains(complaint, "frame-ancestors") }
	eventually(t, "the browser refuses to show the frame", func() bool { return slices.ContainsFunc(p.TakeComplaints(), refused) })
}

func TestTheSitePutsItsPagesIntoOtherLanguages(t *testing.T) {
	config := testConfig(t)
	config.Passwords.MinLength = 12 // not the default
	srv, base := startServer(t, config)
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "johannes", Password: "correct-horse-41", IsStaff: true}); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("GET", base+"/admin/login/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "de-AT,de;q=0.9")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(content)
	if !strings.Contains(body, `<html lang="de">`) || !strings.Contains(body, "Anmelden") || answer.Header.Get("Content-Language") != "de" {
		t.Errorf("in German: %s", body)
	}

	// What the validators say has the server's own numbers in it.
	s := newStaff(t, base, "")
	s.get("/admin/login/")
	s.post("/admin/login/", url.Values{"username": {"johannes"}, "password": {"correct-horse-41"}})
	refused := s.post("/admin/password_change/", url.Values{"old_password": {"correct-horse-41"}, "password1": {"johannes"}, "password2": {"johannes"}}, "Accept-Language", "de")
	if refused.status != http.StatusUnprocessableEntity || strings.Contains(refused.body, "assword is too") {
		t.Errorf("in German: %d %s", refused.status, refused.body)
	}
	for _, want := range []string{"mindestens 12 Zeichen", "ähnelt dem Benutzernamen"} {
		if !strings.Contains(refused.body, want) {
			t.Errorf("%q is missing in %s", want, refused.body)
		}
	}
}
