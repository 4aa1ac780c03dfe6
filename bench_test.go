package postern_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
)

// BenchmarkUser is GET /api/user/ with a session, without the network, beside
// a handler that does nothing but send the same headers and body.
func BenchmarkUser(b *testing.B) {
	srv, err := postern.Open(b.Context(), postern.Config{
		Database: "sqlite:" + filepath.Join(b.TempDir(), "p.sqlite3"), SecretKey: testSecret, AllowedHosts: []string{"localhost"},
		Passwords: postern.Passwords{Argon2MemoryKiB: 64, Argon2Time: 1},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	body := `{"username":"user","password":"` + goodPassword + `","password2":"` + goodPassword + `"}`
	registered := newRecorder(srv.Handler(), "POST", "/api/register/", body)
	if registered.Code != http.StatusCreated {
		b.Fatalf("%d %s", registered.Code, registered.Body)
	}
	r := httptest.NewRequest("GET", "http://localhost/api/user/", nil)
	for _, line := range registered.Header().Values("Set-Cookie") {
		pair, _, _ := strings.Cut(line, ";")
		r.Header.Add("Cookie", pair)
	}
	model := httptest.NewRecorder()
	srv.Handler().ServeHTTP(model, r)
	if model.Code != http.StatusOK {
		b.Fatalf("%d %s", model.Code, model.Body)
	}
	for name, h := range map[string]http.Handler{
		"postern": srv.Handler(),
		"empty": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range model.Header() {
				w.Header()[name] = value
			}
			_, _ = w.Write(model.Body.Bytes())
		}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
