package guard

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// recording is a guard whose log and counts a test reads.
type recording struct {
	*Guard
	log    bytes.Buffer
	counts map[string]int
}

func newRecording(change func(*Settings)) *recording {
	r := &recording{counts: map[string]int{}}
	r.Guard = newGuard(func(s *Settings) {
		s.Log = slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		s.Refused = func(reason string) { r.counts[reason]++ }
		if change != nil {
			change(s)
		}
	})
	return r
}

func (r *recording) lines() int { return strings.Count(r.log.String(), "\n") }

// unsafe sends a POST whose handler checks its origin and CSRF token.
func (r *recording) unsafe(t *testing.T, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	return pass(r.Guard, request, func(x *Exchange) {
		err := x.CheckCSRF("", func() (string, error) { return "", nil })
		if refused, ok := IsCSRFError(err); ok {
			x.Answer(http.StatusForbidden, "text/plain", []byte(refused.Reason))
			return
		}
		t.Errorf("not refused: %v", err)
	})
}

func TestRefusals_FloodIsCountedAndSeldomLogged(t *testing.T) {
	const flood = 10_000
	r := newRecording(nil)
	for i := range flood {
		request := request("GET")
		request.Host = fmt.Sprintf("host%d.example", i)
		pass(r.Guard, request, func(*Exchange) { t.Error("a foreign host got through") })
	}
	if r.counts[RefusedHost] != flood {
		t.Errorf("%d of %d refusals counted", r.counts[RefusedHost], flood)
	}
	if lines := r.lines(); lines == 0 || lines > 64 {
		t.Errorf("%d refused hosts make %d lines, want 1 to 64", flood, lines)
	}
	before := r.lines()
	for range flood {
		r.unsafe(t, request("POST", "Origin", "https://evil.example"))
	}
	// The origin, once for the token and once for what CORS keeps back.
	if got := r.lines() - before; got != 2 {
		t.Errorf("after a flood of hosts, a refused origin makes %d lines, want 2", got)
	}
	if r.counts[RefusedOrigin] != flood || r.counts[RefusedCORS] != flood {
		t.Errorf("counted: %v", r.counts)
	}
}

func TestRefusals_LogNamesTheValueAndTheSetting(t *testing.T) {
	for _, test := range []struct {
		name, host, peer string
		headers          []string
		reason           string
		want             []string
	}{
		{"a host", "Shop.example.net:8000", "", nil, RefusedHost,
			[]string{"host not allowed", "host=Shop.example.net:8000", `fix="add \"shop.example.net\" to POSTERN_ALLOWED_HOSTS"`}},
		{"an IP address as host", "203.0.113.9", "", nil, RefusedHost, []string{`add \"203.0.113.9\" to POSTERN_ALLOWED_HOSTS`}},
		{"what is no host", "exa mple", "", nil, RefusedHost, []string{`host="exa mple"`}},
		{"a host that an untrusted proxy passes on", "backend:8000", "192.0.2.1:5", []string{"X-Forwarded-Host", "example.com"}, RefusedHost,
			[]string{`add \"192.0.2.1\" to POSTERN_TRUSTED_PROXIES`, "X-Forwarded-Host is not believed"}},
		{"the same over a unix socket", "backend", "@", []string{"X-Forwarded-Host", "example.com"}, RefusedHost,
			[]string{`add \"unix\" to POSTERN_TRUSTED_PROXIES`}},
		{"an origin", "", "", []string{"Origin", "https://www.example.com:8443"}, RefusedOrigin,
			[]string{"origin not trusted", "origin=https://www.example.com:8443", `add \"https://www.example.com:8443\" to POSTERN_CSRF_TRUSTED_ORIGINS`}},
		{"an origin that may not read", "", "", []string{"Origin", "https://www.example.com"}, RefusedCORS,
			[]string{"origin not allowed by CORS", `add \"https://www.example.com\" to POSTERN_CORS_ALLOWED_ORIGINS`}},
		{"an opaque origin, which nothing allows", "", "", []string{"Origin", "null"}, RefusedOrigin, []string{"origin=null"}},
		{"https that an untrusted proxy ends", "", "192.0.2.1:5", []string{"Origin", "https://example.com"}, RefusedOrigin,
			[]string{`add \"192.0.2.1\" to POSTERN_TRUSTED_PROXIES`, "sees http"}},
		{"https that a trusted proxy does not tell of", "", "10.0.0.1:5", []string{"Origin", "https://example.com"}, RefusedOrigin,
			[]string{`have the proxy \"10.0.0.1\" set X-Forwarded-Proto`}},
		{"a missing token", "", "", nil, RefusedCSRF, []string{`problem="CSRF cookie not set."`}},
		{"no referer", "", "10.0.0.1:5", []string{"X-Forwarded-Proto", "https"}, RefusedReferer, []string{"referer not trusted"}},
		{"a referer", "", "10.0.0.1:5", []string{"X-Forwarded-Proto", "https", "Referer", "https://other.example/page?token=hunter2"}, RefusedReferer,
			[]string{"referer=https://other.example ", `add \"https://other.example\" to POSTERN_CSRF_TRUSTED_ORIGINS`}},
		{"a proxy's header twice", "", "10.0.0.1:5", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http"}, RefusedForwarded,
			[]string{"header=X-Forwarded-Proto", "have the proxy set X-Forwarded-Proto"}},
		{"a password in an origin", "", "", []string{"Origin", "https://user:hunter2@www.example.com/path?hunter2"}, RefusedOrigin, []string{"origin=https://www.example.com"}},
		{"bytes that are no text", "", "", []string{"Origin", "https://\xff\x1b[31m.example"}, RefusedOrigin, []string{`\x1b[31m`}},
		{"a long origin", "", "", []string{"Origin", "https://" + strings.Repeat("a", 5000)}, RefusedOrigin, []string{"aaa…"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRecording(nil)
			sent := request("POST", test.headers...)
			if test.host != "" {
				sent.Host = test.host
			}
			if test.peer != "" {
				sent.RemoteAddr = test.peer
			}
			pass(r.Guard, sent, func(x *Exchange) {
				_ = x.CheckCSRF("", func() (string, error) { return "", nil })
				x.NotFound()
			})
			if r.counts[test.reason] != 1 {
				t.Errorf("counted %v, want one %s", r.counts, test.reason)
			}
			for _, want := range test.want {
				if !strings.Contains(r.log.String(), want) {
					t.Errorf("the log lacks %s:\n%s", want, &r.log)
				}
			}
			if strings.Contains(r.log.String(), "hunter2") || r.log.Len() > 4000 || strings.Contains(r.log.String(), "\x1b") {
				t.Errorf("the log shows too much:\n%.5000s", &r.log)
			}
		})
	}
}

func TestRefusals_OurOwnPagesNeedNoCORSEntry(t *testing.T) {
	for name, headers := range map[string][]string{
		"no origin":         nil,
		"our own":           {"Origin", "http://example.com"},
		"by fetch metadata": {"Origin", "https://example.com", "Sec-Fetch-Site", "same-origin"},
		"an allowed one":    {"Origin", "https://app.example.com"},
	} {
		r := newRecording(nil)
		pass(r.Guard, request("GET", headers...), func(x *Exchange) { x.NotFound() })
		if len(r.counts) > 0 || r.log.Len() > 0 {
			t.Errorf("%s: counted %v, logged %s", name, r.counts, &r.log)
		}
	}
}

func TestRefusals_ThrottledAnswersAreCounted(t *testing.T) {
	r := newRecording(nil)
	for range 1000 {
		pass(r.Guard, request("POST"), func(x *Exchange) { x.Answer(http.StatusTooManyRequests, "", nil) })
	}
	if r.counts[RefusedThrottled] != 1000 || r.lines() != 1 {
		t.Errorf("counted %v in %d lines, want 1000 in one", r.counts, r.lines())
	}
	for _, want := range []string{"client=192.0.2.1", "POSTERN_THROTTLE_LOGIN", "POSTERN_TRUSTED_PROXIES"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &r.log)
		}
	}
}

func TestRefusals_BodiesWithoutMemoryAreCounted(t *testing.T) {
	const sent = 100
	r := newRecording(nil)
	r.bodies.bound = 0
	for range sent {
		pass(r.Guard, httptest.NewRequest("POST", "http://example.com/api/login/", strings.NewReader("{}")), func(x *Exchange) {
			if _, err := x.Body(); !errors.Is(err, ErrTooManyBodies) {
				t.Errorf("the body is read: %v", err)
			}
		})
	}
	if r.counts[RefusedBodies] != sent || r.lines() != 1 {
		t.Errorf("counted %v in %d lines, want %d in one", r.counts, r.lines(), sent)
	}
	for _, want := range []string{"too many request bodies", "client=192.0.2.1", "POSTERN_TRUSTED_PROXIES"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &r.log)
		}
	}
}

func TestRefusals_DevelopersReadTheFixInTheAnswer(t *testing.T) {
	for _, explain := range []bool{false, true} {
		r := newRecording(func(s *Settings) { s.Explain = explain })
		foreign := request("GET")
		foreign.Host = "shop.example"
		host := pass(r.Guard, foreign, func(*Exchange) {})
		origin := r.unsafe(t, request("POST", "Origin", "http://localhost:5173"))
		cors := pass(r.Guard, request("GET", "Origin", "http://localhost:5173"), func(x *Exchange) { x.NotFound() })
		const hostFix, originFix = `add \"shop.example\" to POSTERN_ALLOWED_HOSTS`, `add "http://localhost:5173" to POSTERN_CSRF_TRUSTED_ORIGINS`
		if got := strings.Contains(host.Body.String(), hostFix); got != explain {
			t.Errorf("explain %v: %s", explain, host.Body)
		}
		if got := strings.Contains(origin.Body.String(), originFix); got != explain {
			t.Errorf("explain %v: %s", explain, origin.Body)
		}
		if got := cors.Header().Get(fixHeader) == `add "http://localhost:5173" to POSTERN_CORS_ALLOWED_ORIGINS`; got != explain {
			t.Errorf("explain %v: the header says %q", explain, cors.Header().Get(fixHeader))
		}
		if !explain && (host.Body.String() != `{"detail":"Bad Request (400)"}` ||
			origin.Body.String() != "Origin checking failed - http://localhost:5173 does not match any trusted origins.") {
			t.Errorf("the answers are %s and %s, want the model's", host.Body, origin.Body)
		}
	}
}

func TestRepeatedHeaders(t *testing.T) {
	const trusted, other = "https://app.example.com", "https://evil.example"
	for _, test := range []struct {
		name   string
		values []string
		want   string // what CheckOrigin says, "" passes
	}{
		{"one", []string{trusted}, ""},
		{"the same twice", []string{trusted, trusted}, ""},
		{"trusted first", []string{trusted, other}, "https://app.example.com,https://evil.example does not match"},
		{"trusted last", []string{other, trusted}, "https://evil.example,https://app.example.com does not match"},
		{"two trusted", []string{trusted, "https://x.trusted.example"}, "does not match"},
		{"an empty one", []string{trusted, ""}, "https://app.example.com, does not match"},
		{"in one line", []string{trusted + ", " + trusted}, "does not match"},
	} {
		t.Run("Origin "+test.name, func(t *testing.T) {
			r := request("POST")
			r.Header["Origin"] = test.values
			w := pass(newGuard(nil), r, func(x *Exchange) {
				err := x.CheckOrigin()
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				x.NotFound()
			})
			if got := w.Header().Get("Access-Control-Allow-Origin") != ""; got != (test.want == "") {
				t.Errorf("CORS allows it: %v", got)
			}
		})
	}
	const secret = "gSKySeWfASoKYuYV2JeqMuNjF80ImA9Y"
	for name, test := range map[string]struct {
		headers []string
		want    string
	}{
		"the token twice":         {[]string{"X-CSRFToken", secret, "X-CSRFToken", secret}, ""},
		"two tokens":              {[]string{"X-CSRFToken", secret, "X-CSRFToken", strings.Repeat("a", 32)}, "has incorrect length"},
		"two tokens, right last":  {[]string{"X-CSRFToken", strings.Repeat("a", 32), "X-CSRFToken", secret}, "has incorrect length"},
		"two referers over https": {[]string{"X-CSRFToken", secret, "X-Forwarded-Proto", "https", "Referer", "https://example.com/", "Referer", "https://evil.example/"}, "Referer is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("POST", append(test.headers, "Cookie", "csrftoken="+secret)...)
			r.RemoteAddr = "10.0.0.1:1"
			pass(newGuard(nil), r, func(x *Exchange) {
				err := x.CheckCSRF(secret, func() (string, error) { return "", nil })
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
			})
		})
	}
}

func TestRepeatedHeaders_OfAProxy(t *testing.T) {
	for _, test := range []struct {
		name    string
		peer    string
		headers []string
		passes  bool
	}{
		{"the scheme twice", "10.0.0.1:1", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Proto", "https"}, true},
		{"two schemes", "10.0.0.1:1", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http"}, false},
		{"two hosts", "10.0.0.1:1", []string{"X-Forwarded-Host", "example.com", "X-Forwarded-Host", "example.org"}, false},
		{"two hosts of a stranger, which nobody reads", "192.0.2.1:1", []string{"X-Forwarded-Host", "a", "X-Forwarded-Host", "b"}, true},
		{"a chain of schemes in one line", "10.0.0.1:1", []string{"X-Forwarded-Proto", "https, http"}, true},
		{"addresses in two lines", "10.0.0.1:1", []string{"X-Forwarded-For", "192.0.2.7", "X-Forwarded-For", "10.0.0.2"}, true},
	} {
		r := request("GET", test.headers...)
		r.RemoteAddr = test.peer
		passed := false
		w := pass(newGuard(nil), r, func(x *Exchange) { passed = true; x.NotFound() })
		if passed != test.passes || !passed && w.Code != http.StatusBadRequest {
			t.Errorf("%s: passes %v, status %d", test.name, passed, w.Code)
		}
	}
}

func TestRepeatedHeaders_ContentTypesBecomeOne(t *testing.T) {
	for name, test := range map[string]struct{ sent, want []string }{
		"one":            {[]string{"text/plain"}, []string{"text/plain"}},
		"two":            {[]string{"application/json", "text/plain"}, []string{"application/json,text/plain"}},
		"the same twice": {[]string{"text/plain", "text/plain"}, []string{"text/plain", "text/plain"}},
	} {
		r := request("POST")
		r.Header["Content-Type"] = test.sent
		pass(newGuard(nil), r, func(x *Exchange) {
			if got := x.Request.Header["Content-Type"]; strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		})
	}
}

func TestCheckOrigin_RefusesWhatTheBrowserCallsCrossSite(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		passes  bool
	}{
		{"no browser", nil, true},
		{"an address bar", []string{"Sec-Fetch-Site", "none"}, true},
		{"our own page", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a sibling domain", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"what no browser sends", []string{"Sec-Fetch-Site", "x"}, false},
		{"twice", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, false},
		{"another site that is trusted", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"}, true},
		{"a sibling that is trusted", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://a.trusted.example"}, true},
		{"another site that is not", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
		{"another site without a name", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, false},
	} {
		r := newRecording(nil)
		pass(r.Guard, request("POST", test.headers...), func(x *Exchange) {
			err := x.CheckOrigin()
			var refused *CSRFError
			if (err == nil) != test.passes || err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: %v", test.name, err)
			}
		})
		if sum := r.counts[RefusedCrossSite] + r.counts[RefusedOrigin]; (sum == 0) != test.passes {
			t.Errorf("%s: counted %v", test.name, r.counts)
		}
	}
}

func TestOperations_AnswerNoPageOfAnotherName(t *testing.T) {
	for _, test := range []struct {
		host    string
		headers []string
		status  int
	}{
		{"127.0.0.1:9000", nil, 200},
		{"[::1]:9000", nil, 200},
		{"10.1.2.3:9000", nil, 200},  // a pod's address, as Prometheus asks for it
		{"[fd00::7]:9000", nil, 200}, // the same in IPv6
		{"localhost:9000", nil, 200},
		{"LOCALHOST.", nil, 200},
		{"node.localhost:9000", nil, 200},
		{"example.com:9000", nil, 200},
		{"evil.example:9000", nil, 400},
		{"evil.example", []string{"X-Forwarded-Host", "localhost"}, 400},
		{"localhost.evil.example:9000", nil, 400},
		{"127.0.0.1.evil.example", nil, 400},
		{"127.1", nil, 400},
		{"0x7f000001", nil, 400},
		{"", nil, 400},
		{"localhost:9000", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"localhost:9000", []string{"Sec-Fetch-Site", "same-site"}, 403}, // another port of this machine
		{"localhost:9000", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"localhost:9000", []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		for _, allowed := range [][]string{{"example.com"}, {"example.com", "*"}} {
			g := newRecording(func(s *Settings) { s.AllowedHosts = allowed })
			r := request("GET", test.headers...)
			r.Host, r.RemoteAddr = test.host, "10.0.0.1:1" // a trusted proxy: also a browser beside one
			w := httptest.NewRecorder()
			g.Operations("/-/metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })).ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("host %q, %v, allowed %v: %d, want %d", test.host, test.headers, allowed, w.Code, test.status)
			}
			if (w.Code == 200) != (len(g.counts) == 0) || w.Header().Get("Content-Security-Policy") == "" {
				t.Errorf("host %q: counted %v, headers %v", test.host, g.counts, w.Header())
			}
		}
	}
}
