package pages

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/postern-auth/postern/internal/guard"
)

var testFiles = fstest.MapFS{
	"hello.html": {Data: []byte(`{{define "content"}}<h1>{{.Title}}</h1><p>{{.Content}}</p><i>{{t "Skip to content"}}</i>{{end}}`)},
}

// serve runs a handler behind a guard.
func serve(h guard.Handler, r *http.Request) *http.Response {
	g := guard.New(guard.Settings{
		AllowedHosts: []string{"*"}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		NewToken: func() (string, error) { return strings.Repeat("a", 32), nil },
	})
	w := httptest.NewRecorder()
	g.Wrap(h).ServeHTTP(w, r)
	return w.Result()
}

func page(t *testing.T, header http.Header) (*http.Response, string) {
	t.Helper()
	site, err := New("/x/", testFiles)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/x/", nil)
	r.Header = header
	answer := serve(func(x *guard.Exchange) {
		if err := site.Show(x, http.StatusOK, "hello", &Page{Title: "A <b>", Content: `"><script>alert(1)</script>`}); err != nil {
			t.Error(err)
		}
	}, r)
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestAPageKeepsItsContentToItself(t *testing.T) {
	answer, body := page(t, http.Header{})
	if strings.Contains(body, "<script>") || !strings.Contains(body, "<h1>A &lt;b&gt;</h1>") {
		t.Errorf("text got into the page unescaped: %s", body)
	}
	policy := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is too wide: %q", policy)
	}
	if got := answer.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

func TestAPageSpeaksTheViewersLanguage(t *testing.T) {
	for _, tt := range []struct{ accept, language, text string }{
		{"", "en", "Skip to content"},
		{"de", "de", "Zum Inhalt springen"},
		{"de-AT, en;q=0.5", "de", "Zum Inhalt springen"},
		{"tlh, en-GB;q=0.3", "en", "Skip to content"},
		{"\x00;;q=nonsense", "en", "Skip to content"},
		{strings.Repeat("de,", 5000), "en", "Skip to content"},
	} {
		answer, body := page(t, http.Header{"Accept-Language": {tt.accept}})
		if !strings.Contains(body, `<html lang="`+tt.language+`">`) || !strings.Contains(body, "<i>"+tt.text+"</i>") ||
			answer.Header.Get("Content-Language") != tt.language {
			t.Errorf("Accept-Language %.20q: want %s, got %s %s", tt.accept, tt.language, answer.Header.Get("Content-Language"), body)
		}
		if vary := strings.Join(answer.Header["Vary"], ","); !strings.Contains(vary, "Accept-Language") {
			t.Errorf("Vary is %q", vary)
		}
	}
}

func TestAnAssetIsKeptForEverUnderItsHashedName(t *testing.T) {
	site, err := New("/x/", testFiles)
	if err != nil {
		t.Fatal(err)
	}
	get := func(method, path, encoding string) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept-Encoding", encoding)
		return serve(func(x *guard.Exchange) {
			if !site.ServeAsset(x) {
				x.NotFound()
			}
		}, r)
	}
	style := "/x/assets/" + hashedName("style.css")
	plain, zipped := get("GET", style, ""), get("GET", style, "br, gzip")
	if plain.StatusCode != 200 || plain.Header.Get("Content-Type") != "text/css; charset=utf-8" ||
		plain.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || plain.Header.Get("Content-Encoding") != "" {
		t.Errorf("plain: %v %v", plain.StatusCode, plain.Header)
	}
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.ContentLength >= plain.ContentLength ||
		!strings.Contains(zipped.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("compressed: %v %v", zipped.ContentLength, zipped.Header)
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/x/assets/style.css", 404},
		{"GET", "/x/assets/../pages.go", 404},
		{"GET", "/x/assets/", 404},
		{"POST", style, 405},
		{"HEAD", style, 200},
		{"GET", "/y/", 404},
	} {
		if got := get(tt.method, tt.path, "").StatusCode; got != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, got, tt.status)
		}
	}
}

func TestLocalPathNeverLeadsAway(t *testing.T) {
	for next, want := range map[string]string{
		"/admin/users/?q=a%20b": "/admin/users/?q=a%20b",
		"/":                     "/",
		"":                      "",
		"admin/":                "",
		"//evil.example":        "",
		"///evil.example":       "",
		`/\evil.example`:        "",
		`\/evil.example`:        "",
		"/\t/evil.example":      "",
		"\n//evil.example":      "",
		"https://evil.example/": "",
		"javascript:alert(1)":   "",
		"/a\x00b":               "",
		"/%zz":                  "",
		"/für/?q=ü":             "/f%C3%BCr/?q=%C3%BC",
		"/\u2028/\xff":          "/%E2%80%A8/%FF",
	} {
		if got := LocalPath(next); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestAMomentIsExactForMachinesAndShortForPeople(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	want := `<time datetime="2026-02-03T03:05:06Z" title="2026-02-03 03:05:06 UTC">2026-02-03 03:05 UTC</time>`
	if got := string(moment(at)); got != want {
		t.Errorf("moment = %s, want %s", got, want)
	}
	if got := moment(time.Time{}); got != "" {
		t.Errorf("no time is shown as %q", got)
	}
}

// TestEveryTemplateIsParsed: at run time each is when it is first shown.
func TestEveryTemplateIsParsed(t *testing.T) {
	rooms, err := filepath.Glob("../*/templates")
	if err != nil {
		t.Fatal(err)
	}
	parsed := 0
	for _, room := range rooms {
		if room == "../pages/templates" { // the layout
			continue
		}
		site, err := New("/", os.DirFS(room))
		if err != nil {
			t.Errorf("%s: %v", room, err)
			continue
		}
		for tag, set := range site.templates {
			for name, parse := range set {
				parsed++
				if _, err := parse(); err != nil {
					t.Errorf("%s, %s, %s: %v", room, tag, name, err)
				}
			}
		}
	}
	if parsed < 20 {
		t.Errorf("%d templates parsed", parsed)
	}
}
