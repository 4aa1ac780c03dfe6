package postern_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-auth/postern"
)

// newRecorder sends one request from a client without cookies.
func newRecorder(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequireUserLetsOnlyLiveSessionsThrough(t *testing.T) {
	srv := openServer(t, testConfig(t))
	mux := http.NewServeMux()
	mux.Handle("/api/", srv.Handler())
	mux.Handle("/", srv.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := postern.UserFrom(r.Context())
		if !ok {
			t.Error("no user behind RequireUser")
			return
		}
		fmt.Fprintf(w, "%s %s %s", r.Method, user.Username, postern.CSRFToken(r.Context()))
	})))
	server := httptest.NewServer(mux)
	defer server.Close()

	c := newClient(t, server.URL)
	if status, body := c.do("GET", "/page", nil); status != 403 || body != `{"detail":"Authentication credentials were not provided."}` {
		t.Errorf("anonymous: %d %s", status, body)
	}
	c.register("user")
	status, h, body := c.full("GET", "/page", nil)
	fields := strings.Fields(body)
	if status != 200 || len(fields) != 3 || fields[1] != "user" || len(fields[2]) != 64 {
		t.Fatalf("logged in: %d %s", status, body)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Vary"), "Cookie") {
		t.Errorf("headers %v", h)
	}
	if status, _ := c.do("POST", "/page", nil, "X-CSRFToken", fields[2]); status != 200 {
		t.Errorf("POST with the page's token: %d", status)
	}
	if status, body := c.do("POST", "/page", nil, "X-CSRFToken", strings.Repeat("a", 64)); status != 403 || !strings.Contains(body, "CSRF Failed") {
		t.Errorf("POST with a wrong token: %d %s", status, body)
	}
	if status, body := c.do("POST", "/page", nil, "Origin", "https://evil.example"); status != 403 || !strings.Contains(body, "Origin checking failed") {
		t.Errorf("POST from another origin: %d %s", status, body)
	}
	if status, _ := newClient(t, server.URL).do("GET", "/page", nil, "Cookie", "sessionid=abcdefghijklmnopqrstuvwxyz012345"); status != 403 {
		t.Errorf("a made-up session: %d", status)
	}
	if err := srv.SetActive(t.Context(), "user", false); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.do("GET", "/page", nil); status != 403 {
		t.Errorf("a deactivated user: %d", status)
	}
	if _, ok := postern.UserFrom(t.Context()); ok || postern.CSRFToken(t.Context()) != "" {
		t.Error("a user outside of RequireUser")
	}
}
