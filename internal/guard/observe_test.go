package guard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEachRequestIsObservedOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		host    string
		handler Handler
		want    string
	}{
		{"answered", "example.com", func(x *Exchange) { x.Route = "/x"; x.Answer(201, "", nil) }, "/x GET 201"},
		{"nothing written", "example.com", func(x *Exchange) { x.Route = "/x" }, "/x GET 200"},
		{"a panic", "example.com", func(x *Exchange) { panic("x") }, " GET 500"},
		{"broken off", "example.com", func(x *Exchange) { panic(http.ErrAbortHandler) }, " GET 0"},
		{"a foreign host", "evil.example", func(x *Exchange) { x.Route = "/x" }, " GET 400"},
	} {
		var seen []string
		var traced []int
		g := newGuard(func(s *Settings) {
			s.Observe = func(route, method string, status int, took time.Duration) {
				seen = append(seen, fmt.Sprintf("%s %s %d", route, method, status))
			}
			s.Trace = func(r *http.Request) (*http.Request, func(*Exchange)) {
				r = r.WithContext(context.WithValue(r.Context(), traceKey{}, true))
				return r, func(x *Exchange) { traced = append(traced, x.Status()) }
			}
		})
		r := request("GET")
		r.Host = test.host
		func() {
			defer func() { _ = recover() }()
			pass(g, r, func(x *Exchange) {
				if x.Request.Context().Value(traceKey{}) == nil {
					t.Errorf("%s: the handler does not see the trace", test.name)
				}
				test.handler(x)
			})
		}()
		if diff := cmp.Diff([]string{test.want}, seen); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if len(traced) != 1 {
			t.Errorf("%s: the trace ends %d times", test.name, len(traced))
		}
	}
}

type traceKey struct{}

func TestAProbeNeedsNoHostAndNoHTTPS(t *testing.T) {
	g := newGuard(func(s *Settings) { s.Headers.SSLRedirect = true })
	r := request("GET", "Origin", "https://app.example.com")
	r.Host = "10.1.2.3:80"
	w := httptest.NewRecorder()
	g.Probe("/-/live", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.String() != "here" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", w.Header())
	}
}

// BenchmarkObserved is what a request pays for being observed: the difference
// between the two.
func BenchmarkObserved(b *testing.B) {
	for name, observe := range map[string]func(string, string, int, time.Duration){
		"not": nil, "observed": func(string, string, int, time.Duration) {},
	} {
		b.Run(name, func(b *testing.B) {
			g := newGuard(func(s *Settings) { s.Observe, s.Now = observe, time.Now })
			handler := g.Wrap(func(x *Exchange) { x.Quiet = true; x.Answer(http.StatusOK, "", nil) })
			w, r := httptest.NewRecorder(), request("GET")
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}
