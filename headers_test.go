package postern_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

// raw sends a request as it is written and returns the answer.
func raw(t *testing.T, base, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// TestSecurityHeaders_AreOnEveryAnswer asks for each kind of answer that there
// is: pages, JSON, errors, redirects, preflights, probes and metrics.
func TestSecurityHeaders_AreOnEveryAnswer(t *testing.T) {
	c := testConfig(t)
	c.Throttle = postern.Throttle{Register: postern.Rate{Attempts: 1, Per: time.Hour}}
	_, base, admin := watched(t, c)
	const json = "Content-Type: application/json\nContent-Length: 2\n\n{}"
	raw(t, base, "POST /api/register/ HTTP/1.1\nHost: localhost\n"+json)
	_, schema, _ := fetch(t, base+"/api/schema/")
	for _, test := range []struct {
		base, request string
		status        int
	}{
		{base, "GET /api/user/ HTTP/1.1\nHost: localhost\n\n", 403},
		{base, "GET /api/user/ HTTP/1.1\nHost: localhost\nAccept: text/html\n\n", 403},
		{base, "GET /api/user HTTP/1.1\nHost: localhost\n\n", 301},
		{base, "POST /api/login/ HTTP/1.1\nHost: localhost\n" + json, 400},
		{base, "POST /api/login/ HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\n" + json, 403},
		{base, "POST /api/login/ HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Type: text/plain\nContent-Length: 2\n\n{}", 415},
		{base, "POST /api/login/ HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 1048577\n\n" + strings.Repeat(" ", 1<<20+1), 413},
		{base, "POST /api/register/ HTTP/1.1\nHost: localhost\n" + json, 429},
		{base, "PUT /api/user/ HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", 403},
		{base, "GET /api/login/ HTTP/1.1\nHost: localhost\n\n", 405},
		{base, "GET /api/user/ HTTP/1.1\nHost: evil.example\n\n", 400},
		{base, "GET /nowhere HTTP/1.1\nHost: localhost\n\n", 404},
		{base, "GET /nowhere HTTP/1.1\nHost: localhost\nAccept: text/html\n\n", 404},
		{base, "OPTIONS /api/login/ HTTP/1.1\nHost: localhost\nOrigin: http://localhost:3000\nAccess-Control-Request-Method: POST\n\n", 200},
		{base, "OPTIONS * HTTP/1.1\nHost: localhost\n\n", 404},
		{base, "GET /api/schema/ HTTP/1.1\nHost: localhost\nIf-None-Match: " + schema.Get("ETag") + "\n\n", 304},
		{base, "GET /api/docs/ HTTP/1.1\nHost: localhost\n\n", 200},
		{base, "GET /admin HTTP/1.1\nHost: localhost\n\n", 301},
		{base, "GET /admin/ HTTP/1.1\nHost: localhost\n\n", 302},
		{base, "GET /admin/login/ HTTP/1.1\nHost: localhost\n\n", 200},
		{base, "POST /admin/login/ HTTP/1.1\nHost: localhost\n" + json, 415},
		{base, "GET /admin/assets/nothing HTTP/1.1\nHost: localhost\n\n", 404},
		{base, "GET /-/live HTTP/1.1\nHost: localhost\n\n", 200},
		{base, "POST /-/live HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", 405},
		{base, "GET /-/metrics HTTP/1.1\nHost: localhost\n\n", 404},
		{admin, "GET /-/ready HTTP/1.1\nHost: localhost\n\n", 200},
		{admin, "GET /-/metrics HTTP/1.1\nHost: localhost\n\n", 200},
		{admin, "POST /-/metrics HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", 405},
		{admin, "GET /debug/pprof/ HTTP/1.1\nHost: localhost\n\n", 200},
		{admin, "GET /debug/pprof/nothing HTTP/1.1\nHost: localhost\n\n", 404},
		{admin, "GET /nowhere HTTP/1.1\nHost: localhost\n\n", 404},
		{admin, "GET /-/metrics HTTP/1.1\nHost: evil.example\n\n", 400},
	} {
		what, _, _ := strings.Cut(test.request, "\n")
		answer := raw(t, test.base, test.request)
		if answer.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", what, answer.StatusCode, test.status)
		}
		csp := answer.Header.Values("Content-Security-Policy")
		if len(csp) != 1 || !strings.Contains(csp[0], "default-src 'none'") || !strings.Contains(csp[0], "frame-ancestors 'none'") {
			t.Errorf("%s: %d with the policy %q", what, answer.StatusCode, csp)
		}
		if answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d may be sniffed", what, answer.StatusCode)
		}
	}
}

// TestSecurityHeaders_LeaveAnApplicationItsPolicy: what a page behind
// RequireUser loads is not ours to say.
func TestSecurityHeaders_LeaveAnApplicationItsPolicy(t *testing.T) {
	srv, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	c.register("ada")
	page := srv.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	r, err := http.NewRequest("GET", base+"/page", nil)
	if err != nil {
		t.Fatal(err)
	}
	anonymous := newRecorder(page, "GET", "/page", "")
	if anonymous.Code != http.StatusForbidden || anonymous.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("refused with %d %v", anonymous.Code, anonymous.Header())
	}
	for _, cookie := range c.http.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") != "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the page has %d %v", w.Code, w.Header())
	}
}

func TestOperations_ARebindingPageReadsNothing(t *testing.T) {
	_, _, admin := watched(t, testConfig(t))
	main, _ := listenAs(t, openServer(t, testConfig(t)), postern.Listen{Metrics: true})
	port := admin[strings.LastIndexByte(admin, ':'):]
	for _, path := range []string{"/-/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1"} {
		for host, want := range map[string]int{
			"evil.example" + port: 400, "rebind.127.0.0.1.evil.example" + port: 400,
			"127.0.0.1" + port: 200, "localhost" + port: 200, "10.1.2.3" + port: 200, "[fd00::7]" + port: 200,
		} {
			if want == 200 && strings.Contains(path, "profile?") {
				continue // a second long
			}
			request := fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\nX-Forwarded-Host: localhost\n\n", path, host)
			if answer := raw(t, admin, request); answer.StatusCode != want {
				t.Errorf("%s for %s: %d, want %d", path, host, answer.StatusCode, want)
			}
			if path == "/-/metrics" {
				if answer := raw(t, main[0], request); answer.StatusCode != want {
					t.Errorf("%s of the main address for %s: %d, want %d", path, host, answer.StatusCode, want)
				}
			}
		}
	}
	page := "GET /debug/pprof/profile?seconds=50 HTTP/1.1\nHost: localhost" + port + "\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\n\n"
	if answer := raw(t, admin, page); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site has the process profiled: %d", answer.StatusCode)
	}
	f := scrape(t, admin)
	if f[`postern_requests_refused_total{reason="operations_host"}`] != 8 || f[`postern_requests_refused_total{reason="cross_site"}`] != 1 {
		t.Errorf("the refusals are not counted")
	}
}

func TestRefusals_AreCountedByReason(t *testing.T) {
	c := testConfig(t)
	c.Throttle = postern.Throttle{Register: postern.Rate{Attempts: 1, Per: time.Hour}}
	_, base, admin := watched(t, c)
	client := newClient(t, base)
	client.register("ann")
	client.do("POST", "/api/register/", map[string]string{})
	client.do("POST", "/api/logout/", nil, "X-CSRFToken", "forged")
	client.do("POST", "/api/logout/", nil, "Origin", "https://evil.example")
	raw(t, base, "GET /api/user/ HTTP/1.1\nHost: evil.example\n\n")
	form := "POST /api/login/ HTTP/1.1\nHost: localhost\nContent-Type: application/x-www-form-urlencoded\nSec-Fetch-Site: %s\nContent-Length: 21\n%s\nusername=a&password=b"
	if answer := raw(t, base, fmt.Sprintf(form, "cross-site", "")); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a cross-site form logs in: %d", answer.StatusCode)
	}
	for what, want := range map[string]int{"Origin: http://localhost:3000\n": 401, "Origin: https://evil.example\n": 403} {
		if answer := raw(t, base, fmt.Sprintf(form, "cross-site", what)); answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", what, answer.StatusCode, want)
		}
	}
	f := scrape(t, admin)
	for reason, want := range map[string]float64{"host": 1, "origin": 2, "csrf": 1, "throttled": 1, "cross_site": 1, "cors": 2, "operations_host": 0} {
		f.expect(t, fmt.Sprintf("postern_requests_refused_total{reason=%q}", reason), want)
	}
}
