package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pages/browsertest"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	browsertest.End()
	os.Exit(code)
}

const goodPassword = "tr0ub4dor-x9"

func siteConfig(t *testing.T) postern.Config {
	t.Helper()
	return postern.Config{
		Database:       "sqlite:" + filepath.Join(t.TempDir(), "postern.sqlite3"),
		SecretKey:      "r7Qz-mK2x_Wd9Lp4Tn8Vb3Ys6Hc1Fg5Ja0Ue",
		AllowedHosts:   []string{"127.0.0.1", "localhost"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		CORS:           postern.CORS{AllowedOrigins: []string{"http://localhost:3000"}},
		CSRF:           postern.CSRF{TrustedOrigins: []string{"http://localhost:3000"}},
		Passwords:      postern.Passwords{Argon2MemoryKiB: 64, Argon2Time: 1},
		Throttle:       postern.Throttle{Off: true},
	}
}

// eachDatabase runs a test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, test func(*testing.T, postern.Config)) {
	t.Run("SQLite", func(t *testing.T) { test(t, siteConfig(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		c := siteConfig(t)
		c.Database = pgtest.Database(t)
		test(t, c)
	})
}

// serve starts a server with the superuser root (id 1), the user ada (2), clerk,
// who is staff (3), and the superuser boss (4), all with goodPassword.
func serve(t *testing.T, c postern.Config) (*postern.Server, string) {
	t.Helper()
	srv, err := postern.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := srv.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	for _, u := range []postern.NewUser{
		{Username: "root", IsStaff: true, IsSuperuser: true}, {Username: "ada"},
		{Username: "clerk", IsStaff: true}, {Username: "boss", IsStaff: true, IsSuperuser: true},
	} {
		u.Password = goodPassword
		if _, err := srv.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	return srv, web.URL
}

// browser keeps cookies, follows no redirect and sends the CSRF token.
type browser struct {
	t    *testing.T
	base *url.URL
	http *http.Client
}

type answer struct {
	status   int
	location string
	body     string
	header   http.Header
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, base: at, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// enter logs a user in at the admin site.
func enter(t *testing.T, base, name string) *browser {
	t.Helper()
	b := newBrowser(t, base)
	b.get("/admin/login/")
	if a := b.post("/admin/login/", url.Values{"username": {name}, "password": {goodPassword}}); a.status != http.StatusSeeOther {
		t.Fatalf("%s can't log in: %d %s", name, a.status, a.body)
	}
	return b
}

func (b *browser) cookie(name string) string {
	at := *b.base
	at.Path = "/admin/"
	cookies := b.http.Jar.Cookies(&at)
	if i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == name }); i >= 0 {
		return cookies[i].Value
	}
	return ""
}

func (b *browser) send(method, target string, body io.Reader, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base.String()+target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header.Get("Location"), string(text), got.Header}
}

func (b *browser) get(target string, headers ...string) answer {
	b.t.Helper()
	return b.send("GET", target, nil, headers...)
}

// post sends a form with the CSRF token, and with the password that may be
// asked for unless the form has it.
func (b *browser) post(target string, form url.Values, headers ...string) answer {
	b.t.Helper()
	sent := url.Values{"csrfmiddlewaretoken": {b.cookie("csrftoken")}, "your_password": {goodPassword}}
	for name, values := range form {
		sent[name] = values
	}
	return b.send("POST", target, strings.NewReader(sent.Encode()),
		append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// api sends JSON to the API.
func (b *browser) api(method, path string, body map[string]string, headers ...string) answer {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(method, path, bytes.NewReader(text),
		append([]string{"Content-Type", "application/json", "X-CSRFToken", b.cookie("csrftoken")}, headers...)...)
}

// acts are the entries of the audit log of these acts, oldest first, as
// "act actor>target detail".
func acts(t *testing.T, srv *postern.Server, wanted ...string) (lines []string) {
	t.Helper()
	if err := srv.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := srv.Audit(t.Context(), postern.AuditQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(entries) {
		if slices.Contains(wanted, e.Act) {
			lines = append(lines, strings.TrimSpace(e.Act+" "+e.ActorName+">"+e.TargetName+" "+e.Detail))
		}
	}
	return lines
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
