package postern_test

import (
	"encoding/csv"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/admin"
)

// staff is a client of the admin site that sends forms and follows no redirect.
type staff struct{ *client }

func newStaff(t *testing.T, base, name string) staff {
	t.Helper()
	s := staff{newClient(t, base)}
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if name == "" {
		return s
	}
	s.get("/admin/login/")
	if a := s.post("/admin/login/", url.Values{"username": {name}, "password": {goodPassword}}); a.status != http.StatusSeeOther {
		t.Fatalf("%s can't log in: %d %s", name, a.status, a.body)
	}
	return s
}

type answered struct {
	status   int
	location string
	body     string
	header   http.Header
}

func (s staff) send(r *http.Request) answered {
	s.t.Helper()
	answer, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answered{answer.StatusCode, answer.Header.Get("Location"), string(body), answer.Header}
}

func (s staff) get(path string) answered {
	s.t.Helper()
	r, err := http.NewRequest("GET", s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(r)
}

// post sends a form with the CSRF token and the password that may be asked for.
func (s staff) post(path string, form url.Values, headers ...string) answered {
	s.t.Helper()
	sent := url.Values{"your_password": {goodPassword}}
	at, err := url.Parse(s.base)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range s.http.Jar.Cookies(at) {
		if c.Name == "csrftoken" {
			sent.Set("csrfmiddlewaretoken", c.Value)
		}
	}
	for name, values := range form {
		sent[name] = values
	}
	r, err := http.NewRequest("POST", s.base+path, strings.NewReader(sent.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.send(r)
}

// permit gives a user exactly these permissions, as a superuser does it.
func (s staff) permit(user string, names ...string) {
	s.t.Helper()
	page := s.get(user)
	form := url.Values{}
	for _, field := range []string{"username", "first_name", "last_name", "email"} {
		if found := regexp.MustCompile(`name="` + field + `" type="\w+" value="([^"]*)"`).FindStringSubmatch(page.body); found != nil {
			form.Set(field, found[1])
		}
	}
	for _, flag := range []string{"is_active", "is_staff", "is_superuser"} {
		if regexp.MustCompile(`name="` + flag + `" type="checkbox" value="on" checked`).MatchString(page.body) {
			form.Set(flag, "on")
		}
	}
	for _, name := range names {
		found := regexp.MustCompile(`name="permissions" value="(\d+)"[^>]*><label[^>]*>[^<]*` + name + `<`).FindStringSubmatch(page.body)
		if found == nil {
			s.t.Fatalf("there is no permission %q", name)
		}
		form.Add("permissions", found[1])
	}
	if a := s.post(user, form); a.status != http.StatusSeeOther {
		s.t.Fatalf("permit %q: %d %s", names, a.status, a.body)
	}
}

// everyPage are the paths of all pages, for the user 2 and the group 1.
func everyPage() []string {
	var paths []string
	for _, pattern := range admin.Routes() {
		id := "2"
		if strings.Contains(pattern, "/group/") {
			id = "1"
		}
		paths = append(paths, strings.ReplaceAll(pattern, "{id}", id))
	}
	return paths
}

// crowd are root (1), ada (2), clerk (3, staff), boss (4, superuser), and a
// group (1).
func crowd(t *testing.T) (srv *postern.Server, base string, root staff) {
	t.Helper()
	srv, base = withStaff(t,
		postern.NewUser{Username: "ada", Email: "ada@example.com"},
		postern.NewUser{Username: "clerk", IsStaff: true},
		postern.NewUser{Username: "boss", IsStaff: true, IsSuperuser: true},
	)
	root = newStaff(t, base, "root")
	if a := root.post("/admin/auth/group/add/", url.Values{"name": {"Support"}}); a.status != http.StatusSeeOther {
		t.Fatalf("make a group: %d %s", a.status, a.body)
	}
	return srv, base, root
}

func TestWhoIsNotStaffGetsNoFurtherThanTheLogin(t *testing.T) {
	srv, base, _ := crowd(t)
	ada := staff{newClient(t, base)}
	ada.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if status, body := ada.login("ada", goodPassword); status != http.StatusOK {
		t.Fatal(status, body)
	}
	for name, s := range map[string]staff{"a stranger": newStaff(t, base, ""), "a user": ada} {
		s.get("/admin/login/") // for the cookie
		for _, path := range append(everyPage(), "/admin/nothing/", "/admin/auth/user/2/nothing/") {
			if strings.HasSuffix(path, "/login/") || strings.HasSuffix(path, "/logout/") {
				continue
			}
			for method, a := range map[string]answered{"GET": s.get(path), "POST": s.post(path, url.Values{"user": {"2"}, "action": {"deactivate"}, "is_superuser": {"on"}})} {
				if a.status/100 != 3 || !strings.HasPrefix(a.location, "/admin/login/?next=") || a.body != "" {
					t.Errorf("%s: %s %s: %d %s %s", name, method, path, a.status, a.location, a.body)
				}
			}
		}
	}
	if u, err := srv.User(t.Context(), "ada"); err != nil || !u.IsActive || u.IsSuperuser {
		t.Errorf("ada is %+v, %v", u, err)
	}
	if a := ada.post("/admin/login/", url.Values{"username": {"ada"}, "password": {goodPassword}}); a.status != http.StatusOK || !strings.Contains(a.body, "for a staff account") {
		t.Errorf("a user who is not staff logs in: %d", a.status)
	}
}

func TestStaffWithoutRightsDoesNothing(t *testing.T) {
	srv, base, _ := crowd(t)
	clerk := newStaff(t, base, "clerk")
	free := map[string]bool{"/admin/": true, "/admin/auth/": true, "/admin/login/": true, "/admin/logout/": true, "/admin/password_change/": true}
	forms := url.Values{
		"user": {"2", "3"}, "action": {"deactivate"}, "username": {"owned"}, "name": {"owned"}, "is_superuser": {"on"}, "is_staff": {"on"},
		"is_active": {"on"}, "password1": {"correct-horse-42"}, "password2": {"correct-horse-42"}, "permissions": {"1"},
	}
	for _, path := range everyPage() {
		if free[path] {
			continue
		}
		for method, a := range map[string]answered{"GET": clerk.get(path), "POST": clerk.post(path, forms)} {
			if a.status != http.StatusForbidden && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	if a := clerk.get("/admin/"); a.status != http.StatusOK || strings.Contains(a.body, "What happened last") {
		t.Errorf("the overview: %d, with the audit log", a.status)
	}
	for _, name := range []string{"ada", "clerk", "boss"} {
		if u, err := srv.User(t.Context(), name); err != nil || !u.IsActive || u.IsSuperuser != (name == "boss") {
			t.Errorf("%s is %+v, %v", name, u, err)
		}
	}
}

func TestStaffDoesWhatItMayAndNoMore(t *testing.T) {
	srv, base, root := crowd(t)
	const ada, self, boss = "/admin/auth/user/2/", "/admin/auth/user/3/", "/admin/auth/user/4/"
	clerk := newStaff(t, base, "clerk")
	look := func(name string) *postern.User {
		t.Helper()
		u, err := srv.User(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	expect := func(what string, a answered, status int) {
		t.Helper()
		if a.status != status {
			t.Errorf("%s: %d, not %d", what, a.status, status)
		}
	}
	weapons := url.Values{"is_active": {"on"}, "is_staff": {"on"}, "is_superuser": {"on"}, "permissions": {"1", "2", "3"}, "groups": {"1"}}
	with := func(name string) url.Values {
		form := url.Values{"username": {name}, "first_name": {"Changed"}}
		for k, v := range weapons {
			form[k] = v
		}
		return form
	}

	root.permit(self+"change/", "Can view user", "Can change user")
	expect("change a user", clerk.post(ada+"change/", with("ada")), http.StatusSeeOther)
	if u := look("ada"); u.FirstName != "Changed" || u.IsStaff || u.IsSuperuser {
		t.Errorf("a clerk made of ada %+v", u)
	}
	expect("change itself", clerk.post(self+"change/", with("clerk")), http.StatusSeeOther)
	if u := look("clerk"); u.FirstName != "Changed" || u.IsSuperuser {
		t.Errorf("a clerk made of itself %+v", u)
	}
	form := url.Values{"username": {"clerk"}, "first_name": {"Changed"}} // is_active, is_staff unticked
	expect("shut out itself", clerk.post(self+"change/", form), http.StatusSeeOther)
	if u := look("clerk"); !u.IsActive || !u.IsStaff {
		t.Errorf("a clerk made of itself %+v", u)
	}
	for _, a := range []answered{
		clerk.post(boss+"change/", with("boss")), clerk.get(boss + "password/"),
		clerk.post(boss+"password/", url.Values{"password1": {"correct-horse-42"}, "password2": {"correct-horse-42"}}),
		clerk.post(ada+"delete/", nil), clerk.post("/admin/auth/user/add/", url.Values{"username": {"new"}}),
		clerk.post(ada+"sessions/", url.Values{"action": {"all"}}), clerk.post("/admin/auth/group/1/change/", url.Values{"name": {"x"}}),
		clerk.get("/admin/audit/"), clerk.post("/admin/audit/export/", nil),
	} {
		expect("what it may not", a, http.StatusForbidden)
	}
	expect("deactivate a superuser", clerk.post("/admin/auth/user/", url.Values{"user": {"2", "4"}, "action": {"deactivate"}}), http.StatusConflict)
	if u := look("ada"); !u.IsActive {
		t.Error("of two, one was deactivated")
	}
	expect("deactivate itself", clerk.post("/admin/auth/user/", url.Values{"user": {"3"}, "action": {"deactivate"}}), http.StatusConflict)

	// The rights of another member of staff are not for the taking.
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "colleague", Password: goodPassword, IsStaff: true}); err != nil {
		t.Fatal(err)
	}
	expect("a colleague's password", clerk.post("/admin/auth/user/5/password/", url.Values{"password1": {"correct-horse-42"}, "password2": {"correct-horse-42"}}), http.StatusForbidden)

	root.permit(self+"change/", "Can view user", "Can add user", "Can delete user")
	expect("add a user", clerk.post("/admin/auth/user/add/", with("new")), http.StatusSeeOther)
	if u := look("new"); u.IsStaff || u.IsSuperuser {
		t.Errorf("a clerk made %+v", u)
	}
	expect("delete a superuser", clerk.post(boss+"delete/", nil), http.StatusConflict)
	expect("delete itself", clerk.post(self+"delete/", nil), http.StatusConflict)
	expect("delete a user", clerk.post("/admin/auth/user/6/delete/", nil), http.StatusSeeOther)
	if _, err := srv.User(t.Context(), "new"); err == nil {
		t.Error("the user is still there")
	}

	root.permit(self+"change/", "Can view session", "Can delete session")
	victim := newClient(t, base)
	victim.login("boss", goodPassword)
	sessions, err := srv.Sessions(t.Context(), postern.SessionQuery{Username: "boss"})
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	expect("end a superuser's session", clerk.post("/admin/sessions/session/", url.Values{"session": {sessions[0].ID}}), http.StatusConflict)
	expect("end a superuser's sessions", clerk.post(boss+"sessions/", url.Values{"action": {"all"}}), http.StatusConflict)
	victim.isIn(true)

	root.permit(self+"change/", "Can view group", "Can change group")
	expect("rename a group", clerk.post("/admin/auth/group/1/change/", url.Values{"name": {"Helpers"}, "permissions": {"1", "2"}}), http.StatusSeeOther)
	if a := clerk.get("/admin/auth/group/1/change/"); !strings.Contains(a.body, "Helpers") || strings.Contains(a.body, " checked") {
		t.Error("a clerk changed what a group permits, or not its name")
	}
}

func TestSuperusersHoldToTheRulesToo(t *testing.T) {
	srv, base, root := crowd(t)
	form := url.Values{"username": {"root"}} // no flag is ticked
	if a := root.post("/admin/auth/user/1/change/", form); a.status != http.StatusSeeOther {
		t.Errorf("edit oneself: %d", a.status)
	}
	if u, err := srv.User(t.Context(), "root"); err != nil || !u.IsActive || !u.IsSuperuser {
		t.Errorf("a superuser lowered itself: %+v, %v", u, err)
	}
	if a := root.post("/admin/auth/user/1/delete/", nil); a.status != http.StatusConflict {
		t.Errorf("delete oneself: %d", a.status)
	}
	boss := newStaff(t, base, "boss")
	if a := root.post("/admin/auth/user/4/change/", url.Values{"username": {"boss"}, "is_active": {"on"}, "is_staff": {"on"}}); a.status != http.StatusSeeOther {
		t.Errorf("lower another superuser: %d %s", a.status, a.body)
	}
	// boss is no superuser from now on, in its open session too.
	if a := boss.post("/admin/auth/user/1/delete/", nil); a.status != http.StatusForbidden {
		t.Errorf("a former superuser deletes: %d", a.status)
	}
	if err := srv.SetActive(t.Context(), "boss", false); err != nil {
		t.Fatal(err)
	}
	if a := boss.get("/admin/"); a.status != http.StatusFound {
		t.Errorf("who was shut out sees %d", a.status)
	}
	if a := root.post("/admin/logout/", nil); a.status != http.StatusSeeOther {
		t.Errorf("log out: %d", a.status)
	}
	if a := root.get("/admin/"); a.status != http.StatusFound {
		t.Errorf("after the logout: %d", a.status)
	}
}

func TestNoFormCountsThatIsNotTheSites(t *testing.T) {
	srv, _, root := crowd(t)
	root = newStaff(t, root.base, "root") // who has not given the password since the login
	path, form := "/admin/auth/user/", url.Values{"user": {"2"}, "action": {"deactivate"}}
	wrong := url.Values{"csrfmiddlewaretoken": {strings.Repeat("a", 64)}}
	none := url.Values{"csrfmiddlewaretoken": nil}
	for name, values := range form {
		wrong[name], none[name] = values, values
	}
	for what, a := range map[string]answered{
		"no token":                   root.post(path, none),
		"a wrong token":              root.post(path, wrong),
		"another origin":             root.post(path, form, "Origin", "https://evil.example"),
		"an origin the API trusts":   root.post(path, form, "Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"),
		"a page of another site":     root.post(path, form, "Sec-Fetch-Site", "cross-site"),
		"logout from elsewhere":      root.post("/admin/logout/", nil, "Sec-Fetch-Site", "cross-site"),
		"login from elsewhere":       root.post("/admin/login/", nil, "Sec-Fetch-Site", "cross-site"),
		"something that is no form":  root.post(path, form, "Content-Type", "text/plain"),
		"a password that is missing": root.post("/admin/auth/user/2/delete/", url.Values{"your_password": nil}),
		"a password that is wrong":   root.post("/admin/auth/user/2/delete/", url.Values{"your_password": {"wr0ng-pass"}}),
	} {
		if a.status != http.StatusForbidden && a.status != http.StatusUnsupportedMediaType && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", what, a.status)
		}
		if strings.Contains(a.body, "wr0ng-pass") {
			t.Errorf("%s: the page repeats a password", what)
		}
	}
	if u, err := srv.User(t.Context(), "ada"); err != nil || !u.IsActive {
		t.Errorf("ada is %+v, %v", u, err)
	}
	if a := root.post(path, form); a.status != http.StatusSeeOther {
		t.Errorf("the site's own form: %d", a.status)
	}
}

func TestPagesOfTheAdminSiteAreForNobodyElse(t *testing.T) {
	_, base, root := crowd(t)
	r, err := http.NewRequest("GET", base+"/admin/auth/user/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "http://localhost:3000") // which may use the API
	a := root.send(r)
	if a.status != http.StatusOK {
		t.Fatalf("%d", a.status)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	if strings.Contains(a.body, "$argon2") || strings.Contains(a.body, "argon2$") {
		t.Error("the page shows a hash")
	}
}

func TestLoginsAtTheAdminSiteAreThrottled(t *testing.T) {
	config := testConfig(t)
	config.Throttle = postern.Throttle{LoginAccount: postern.Rate{Attempts: 3, Per: time.Hour}}
	srv, base := startServer(t, config)
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "root", Password: goodPassword, IsStaff: true, IsSuperuser: true}); err != nil {
		t.Fatal(err)
	}
	s := newStaff(t, base, "")
	s.get("/admin/login/")
	last := answered{}
	for range 5 {
		last = s.post("/admin/login/", url.Values{"username": {"root"}, "password": {"wrong"}})
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("the fifth attempt: %d", last.status)
	}
	if status, _ := newClient(t, base).login("root", goodPassword); status != http.StatusTooManyRequests {
		t.Errorf("the API has throttles of its own: %d", status)
	}
}

func TestTheAuditLogLeavesAsAFileOfValues(t *testing.T) {
	srv, _, root := crowd(t)
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "=cmd()"}); err == nil {
		t.Error("a username with a formula is allowed: this test says less than it should")
	}
	root = newStaff(t, root.base, "root")
	if a := root.post("/admin/audit/export/", url.Values{"your_password": {"wr0ng-pass"}}); a.status != http.StatusUnprocessableEntity || a.header.Get("Content-Disposition") != "" {
		t.Errorf("with a wrong password: %d", a.status)
	}
	a := root.post("/admin/audit/export/", url.Values{"act": {"user_created"}})
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment; ") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 5 || rows[1][2] != "user_created" || rows[1][6] != "boss" {
		t.Errorf("%q, %v", rows, err)
	}
	if log := root.get("/admin/audit/").body; !strings.Contains(log, "Audit log exported") {
		t.Error("the export is not written down")
	}
}

func TestWithoutTheAdminSiteItsPathsAreNobodys(t *testing.T) {
	config := testConfig(t)
	config.NoAdmin = true
	_, base := startServer(t, config)
	for _, path := range []string{"/admin/", "/admin/login/", "/admin/assets/style.css"} {
		answer, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

func TestTheOverviewListsTheNodes(t *testing.T) {
	config := testConfig(t)
	srv, base := startServer(t, config)
	other, err := postern.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "root", Password: goodPassword, IsStaff: true, IsSuperuser: true}); err != nil {
		t.Fatal(err)
	}
	root := newStaff(t, base, "root")
	await := func(want int) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			got := strings.Count(root.get("/admin/").body, "Last heard of")
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d nodes are listed, want %d", got, want)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	await(2)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	await(1)
}
