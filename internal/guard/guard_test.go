package guard

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/django"
)

func newGuard(change func(*Settings)) *Guard {
	s := Settings{
		AllowedHosts:   []string{"example.com"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		CORS: CORSSettings{
			Origins: []string{"https://app.example.com"}, Methods: []string{"GET", "POST"},
			Headers: []string{"content-type"}, MaxAge: time.Hour,
		},
		CSRF: CSRFSettings{
			TrustedOrigins: []string{"https://app.example.com", "https://*.trusted.example"},
			Cookie:         CookieSettings{Name: "csrftoken", Path: "/", SameSite: "Lax"},
			Age:            time.Hour,
		},
		Session:  CookieSettings{Name: "sessionid", Path: "/", SameSite: "Lax", HTTPOnly: true},
		Headers:  HeaderSettings{FrameOptions: "DENY", ReferrerPolicy: "same-origin"},
		MaxBody:  1 << 10,
		Log:      slog.New(slog.DiscardHandler),
		Now:      func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewToken: func() (string, error) { return django.NewSecret(rand.Reader) },
	}
	if change != nil {
		change(&s)
	}
	return New(s)
}

// pass sends a request through the guard and returns the answer, with what
// the handler saw.
func pass(g *Guard, r *http.Request, handler Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.Wrap(handler).ServeHTTP(w, r)
	return w
}

func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://example.com/x", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestOnlyATrustedProxyIsBelieved(t *testing.T) {
	for _, test := range []struct {
		name, peer string
		headers    []string
		address    string
		secure     bool
		host       string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1", false, "example.com"},
		{"a stranger claims everything", "192.0.2.1:5",
			[]string{"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"},
			"192.0.2.1", false, "example.com"},
		{"a trusted proxy tells", "10.0.0.1:5",
			[]string{"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.example.com"},
			"198.51.100.7", true, "www.example.com"},
		{"a chain of trusted proxies", "10.0.0.1:5", []string{"X-Forwarded-For", "198.51.100.7, 10.1.1.1, 10.2.2.2"}, "198.51.100.7", false, "example.com"},
		{"the client wrote the front of the list itself", "10.0.0.1:5", []string{"X-Forwarded-For", "127.0.0.1, 198.51.100.7"}, "198.51.100.7", false, "example.com"},
		{"the list in several headers", "10.0.0.1:5", []string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-For", "198.51.100.7, 10.9.9.9"}, "198.51.100.7", false, "example.com"},
		{"garbage ends the walk at the last proxy", "10.0.0.1:5", []string{"X-Forwarded-For", "198.51.100.7, unknown, 10.3.3.3"}, "10.3.3.3", false, "example.com"},
		{"an IPv6 client with a port", "[fd00::1]:5", []string{"X-Forwarded-For", "[2001:db8::1]:4711"}, "2001:db8::1", false, "example.com"},
		{"an IPv4 address in IPv6 form", "[::ffff:10.0.0.1]:5", []string{"X-Forwarded-For", "::ffff:198.51.100.7"}, "198.51.100.7", false, "example.com"},
		{"https in any case", "10.0.0.1:5", []string{"X-Forwarded-Proto", "HTTPS"}, "10.0.0.1", true, "example.com"},
		{"http", "10.0.0.1:5", []string{"X-Forwarded-Proto", "http"}, "10.0.0.1", false, "example.com"},
		{"a unix socket is not trusted unless told so", "@", []string{"X-Forwarded-For", "198.51.100.7"}, "invalid IP", false, "example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGuard(func(s *Settings) { s.AllowedHosts = []string{"*"} })
			r := request("GET", test.headers...)
			r.RemoteAddr = test.peer
			seen := false
			pass(g, r, func(x *Exchange) {
				seen = true
				if x.Address.String() != test.address || x.Secure != test.secure || x.Host != test.host {
					t.Errorf("address %s, secure %v, host %s", x.Address, x.Secure, x.Host)
				}
			})
			if !seen {
				t.Error("the request did not get through")
			}
		})
	}
}

func TestAForeignHostIsRefused(t *testing.T) {
	for _, host := range []string{"evil.example", "example.com.evil.example", "example.com@evil.example", "a b", "", "example.com:x"} {
		r := request("GET")
		r.Host = host
		w := pass(newGuard(nil), r, func(*Exchange) { t.Errorf("host %q got through", host) })
		if w.Code != http.StatusBadRequest {
			t.Errorf("host %q: status %d", host, w.Code)
		}
	}
}

func TestCookieIsReadAsDjangoReadsIt(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		want    string
		found   bool
	}{
		{"none", nil, "", false},
		{"one", []string{"sessionid=abc"}, "abc", true},
		{"the last wins", []string{"sessionid=a; sessionid=b"}, "b", true},
		{"the last of several headers wins", []string{"sessionid=a", "x=1; sessionid=b"}, "b", true},
		{"the name's case counts", []string{"SessionID=a"}, "", false},
		{"spaces go", []string{"  sessionid =  a  ;x"}, "a", true},
		{"empty", []string{"sessionid="}, "", true},
		{"without a sign it is no name", []string{"sessionid"}, "", false},
		{"a value may hold the sign", []string{"sessionid=a=b"}, "a=b", true},
		{"quotes go", []string{`sessionid="abc"`}, "abc", true},
		{"escapes in quotes", []string{`sessionid="a\"b\\c\073d"`}, `a"b\c;d`, true},
		{"one quote stays", []string{`sessionid="`}, `"`, true},
		{"not what it starts with", []string{"sessionid2=a; xsessionid=b"}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			for _, h := range test.headers {
				headers = append(headers, "Cookie", h)
			}
			pass(newGuard(nil), request("GET", headers...), func(x *Exchange) {
				if got, found := x.Cookie("sessionid"); got != test.want || found != test.found {
					t.Errorf("got %q, %v", got, found)
				}
			})
		})
	}
}

func TestAHundredThousandCookiesAreNotAllLookedAt(t *testing.T) {
	many := strings.Repeat("a=b; ", 100_000) + "sessionid=abc"
	pass(newGuard(nil), request("GET", "Cookie", many), func(x *Exchange) {
		if _, found := x.Cookie("sessionid"); found {
			t.Error("the cookie beyond the bound was found")
		}
	})
}

func TestCookiesAreWrittenAsDjangoWritesThem(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Settings)
		https  bool
		want   string
	}{
		{"plain", nil, false, "sessionid=k; expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Max-Age=3600; Path=/; SameSite=Lax"},
		{"over https", nil, true, "sessionid=k; expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Max-Age=3600; Path=/; SameSite=Lax; Secure"},
		{"never Secure", func(s *Settings) { s.Session.Secure = SecureNever }, true, "sessionid=k; expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Max-Age=3600; Path=/; SameSite=Lax"},
		{"everything set", func(s *Settings) {
			s.Session = CookieSettings{Name: "__Secure-s", Domain: "example.com", Path: "/app", SameSite: "None", Secure: SecureAlways, SessionOnly: true}
		}, false, "__Secure-s=k; Domain=example.com; Path=/app; SameSite=None; Secure"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request("GET", "X-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[test.https])
			r.RemoteAddr = "10.0.0.1:1"
			w := pass(newGuard(test.change), r, func(x *Exchange) { x.SetSessionCookie("k", time.Hour); x.NotFound() })
			if got := w.Header().Get("Set-Cookie"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	w := pass(newGuard(nil), request("GET"), func(x *Exchange) { x.DeleteSessionCookie(); x.NotFound() })
	if got, want := w.Header().Get("Set-Cookie"), `sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCORSAnswersOnlyWhomTheSettingsName(t *testing.T) {
	for _, test := range []struct {
		origin  string
		allowed bool
	}{
		{"https://app.example.com", true},
		{"https://app.example.com/", true},
		{"HTTPS://app.example.com", true},
		{"https://APP.example.com", false},
		{"http://app.example.com", false},
		{"https://app.example.com:443", false},
		{"https://app.example.com.evil.example", false},
		{"https://evil.example/https://app.example.com", false},
		{"https://x@app.example.com", false},
		{"null", false},
		{"", false},
		{"https://[", false},
		{"https:", false},
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			r := request(method, "Origin", test.origin)
			if method == "OPTIONS" {
				r.Header.Set("Access-Control-Request-Method", "POST")
			}
			h := pass(newGuard(nil), r, func(x *Exchange) { x.NotFound() }).Header()
			got := h.Get("Access-Control-Allow-Origin")
			if test.allowed && (got != test.origin || h.Get("Access-Control-Allow-Credentials") != "true") {
				t.Errorf("%s from %q: allows %q", method, test.origin, got)
			}
			if !test.allowed && (got != "" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Allow-Methods") != "") {
				t.Errorf("%s from %q: allows %q", method, test.origin, got)
			}
			if !strings.Contains(h.Get("Vary"), "origin") {
				t.Errorf("%s from %q: Vary is %q", method, test.origin, h.Get("Vary"))
			}
		}
	}
}

func TestARegexOfOriginsIsMatchedFromTheBeginning(t *testing.T) {
	g := newGuard(func(s *Settings) {
		s.CORS = CORSSettings{Regexes: []*regexp.Regexp{regexp.MustCompile(`https://\w+\.example\.com$|http://local`)}}
	})
	for origin, allowed := range map[string]bool{
		"https://app.example.com":                      true,
		"http://localhost:3000":                        true,
		"https://evil.example/https://app.example.com": false,
		"https://xhttp://local":                        false,
	} {
		h := pass(g, request("GET", "Origin", origin), func(x *Exchange) { x.NotFound() }).Header()
		if got := h.Get("Access-Control-Allow-Origin") != ""; got != allowed {
			t.Errorf("%s: allowed is %v", origin, got)
		}
	}
}

func TestAnyOriginMeansWithoutCredentials(t *testing.T) {
	g := newGuard(func(s *Settings) { s.CORS = CORSSettings{AllowAll: true} })
	h := pass(g, request("GET", "Origin", "https://any.example"), func(x *Exchange) { x.NotFound() }).Header()
	if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("headers %v", h)
	}
}

func TestAnUnsafeRequestMustProveWhereItComesFrom(t *testing.T) {
	const secret = "gSKySeWfASoKYuYV2JeqMuNjF80ImA9Y"
	const masked = "R1RPVp90hv3ctPi0tzswAxkJIdcHRlW6XJrdDtV5HdhMh96Ll8wMcRXSdb2f3LVU"
	const cookie = "csrftoken=" + secret
	for _, test := range []struct {
		name, form string
		https      bool
		headers    []string
		want       string // "" passes
	}{
		{"token in the header", "", false, []string{"Cookie", cookie, "X-CSRFToken", masked}, ""},
		{"plain token", "", false, []string{"Cookie", cookie, "X-CSRFToken", secret}, ""},
		{"masked cookie", "", false, []string{"Cookie", "csrftoken=" + masked, "X-CSRFToken", secret}, ""},
		{"token in the form", masked, false, []string{"Cookie", cookie}, ""},
		{"the form's token wins over the header's", "x", false, []string{"Cookie", cookie, "X-CSRFToken", masked}, "CSRF token from POST has incorrect length."},
		{"a wrong token in the form", strings.Repeat("a", 64), false, []string{"Cookie", cookie}, "CSRF token from POST incorrect."},
		{"no token", "", false, []string{"Cookie", cookie}, "CSRF token missing."},
		{"no cookie", "", false, []string{"X-CSRFToken", masked}, "CSRF cookie not set."},
		{"a cookie planted by another", "", false, []string{"Cookie", "csrftoken=" + strings.Repeat("b", 32), "X-CSRFToken", strings.Repeat("b", 32)}, "CSRF token from the 'X-Csrftoken' HTTP header incorrect."},
		{"a token without its cookie's secret", "", false, []string{"Cookie", "csrftoken=" + strings.Repeat("b", 32), "X-CSRFToken", masked}, "CSRF token from the 'X-Csrftoken' HTTP header incorrect."},
		{"bytes of the right number, as Django reads headers", "", false, []string{"Cookie", cookie, "X-CSRFToken", strings.Repeat("ä", 16)}, "CSRF token from the 'X-Csrftoken' HTTP header has invalid characters."},
		{"our own origin", "", false, []string{"Origin", "http://example.com", "Cookie", cookie, "X-CSRFToken", masked}, ""},
		{"our own origin by the other scheme", "", true, []string{"Origin", "http://example.com", "Cookie", cookie, "X-CSRFToken", masked}, "Origin checking failed - http://example.com does not match any trusted origins."},
		{"a trusted subdomain", "", false, []string{"Origin", "https://a.b.trusted.example", "Cookie", cookie, "X-CSRFToken", masked}, ""},
		{"a trusted subdomain by the other scheme", "", false, []string{"Origin", "http://a.trusted.example", "Cookie", cookie, "X-CSRFToken", masked}, "Origin checking failed - http://a.trusted.example does not match any trusted origins."},
		{"what only ends like it", "", false, []string{"Origin", "https://untrusted.example", "Cookie", cookie, "X-CSRFToken", masked}, "Origin checking failed - https://untrusted.example does not match any trusted origins."},
		{"an opaque origin", "", false, []string{"Origin", "null", "Cookie", cookie, "X-CSRFToken", masked}, "Origin checking failed - null does not match any trusted origins."},
		{"https without referer", "", true, []string{"Cookie", cookie, "X-CSRFToken", masked}, "Referer checking failed - no Referer."},
		{"https, our own referer", "", true, []string{"Referer", "https://example.com/login", "Cookie", cookie, "X-CSRFToken", masked}, ""},
		{"https, a trusted referer", "", true, []string{"Referer", "https://x.trusted.example/", "Cookie", cookie, "X-CSRFToken", masked}, ""},
		{"https, another referer", "", true, []string{"Referer", "https://example.com.evil.example/", "Cookie", cookie, "X-CSRFToken", masked}, "Referer checking failed - https://example.com.evil.example/ does not match any trusted origins."},
		{"https, an insecure referer", "", true, []string{"Referer", "http://example.com/", "Cookie", cookie, "X-CSRFToken", masked}, "Referer checking failed - Referer is insecure while host is secure."},
		{"https, a referer that is none", "", true, []string{"Referer", "example.com", "Cookie", cookie, "X-CSRFToken", masked}, "Referer checking failed - Referer is malformed."},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request("POST", test.headers...)
			if test.https {
				r.RemoteAddr = "10.0.0.1:1"
				r.Header.Set("X-Forwarded-Proto", "https")
			}
			passed := false
			pass(newGuard(nil), r, func(x *Exchange) {
				passed = true
				got := ""
				if err := x.CheckCSRF(secret, func() (string, error) { return test.form, nil }); err != nil {
					refused, ok := IsCSRFError(err)
					if !ok {
						t.Fatal(err)
					}
					got = refused.Reason
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
			if !passed {
				t.Error("the request did not get through")
			}
		})
	}
}

func TestAPanicIsABare500AndLeaksNothing(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(func(s *Settings) { s.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := pass(g, request("GET", "Cookie", "sessionid=verysecret"), func(*Exchange) { panic("password is hunter2") })
	if w.Code != 500 || w.Body.String() != `{"detail":"A server error occurred."}` || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), w.Header().Get("X-Request-Id")) {
		t.Error("the log does not name the request")
	}
	if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), "verysecret") {
		t.Errorf("the log holds a secret: %s", log.String())
	}
}

func TestTheLogLineHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(func(s *Settings) { s.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	r := httptest.NewRequest("POST", "http://example.com/api/login/?password=s3cret", strings.NewReader("password=s3cret"))
	r.Header.Set("Cookie", "sessionid=s3cret; csrftoken=s3cret")
	r.Header.Set("X-CSRFToken", "s3cret")
	r.Header.Set("Authorization", "s3cret")
	r.Header.Set("Referer", "https://x/?s3cret")
	pass(g, r, func(x *Exchange) { x.NotFound() })
	if !strings.Contains(log.String(), `"path":"/api/login/"`) || strings.Contains(log.String(), "s3cret") {
		t.Errorf("log: %s", log.String())
	}
}

func TestAHandlerBehindTheGuardCanStream(t *testing.T) {
	w := pass(newGuard(nil), request("GET"), func(x *Exchange) {
		_, _ = x.Write([]byte("part"))
		var stream http.ResponseWriter = x
		stream.(http.Flusher).Flush()
	})
	if !w.Flushed || w.Body.String() != "part" {
		t.Errorf("flushed %v, body %q", w.Flushed, w.Body)
	}
}

func TestABodyIsReadUpToTheLimit(t *testing.T) {
	for _, test := range []struct {
		name    string
		size    int
		chunked bool
		ok      bool
	}{
		{"none", 0, false, true},
		{"at the limit", 1 << 10, false, true},
		{"over the limit", 1<<10 + 1, false, false},
		{"far over the limit", 1 << 22, false, false},
		{"at the limit, of unknown length", 1 << 10, true, true},
		{"over the limit, of unknown length", 1<<10 + 1, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://example.com/x", strings.NewReader(strings.Repeat("a", test.size)))
			if test.chunked {
				r.ContentLength = -1
			}
			pass(newGuard(nil), r, func(x *Exchange) {
				body, err := x.Body()
				if test.ok && (err != nil || len(body) != test.size) {
					t.Errorf("read %d bytes, %v", len(body), err)
				}
				if !test.ok && err != ErrBodyTooLarge {
					t.Errorf("read %d bytes, %v", len(body), err)
				}
			})
		})
	}
}

func TestHTTPSRedirect_StatusIsTheModelsForEveryMethod(t *testing.T) {
	g := newGuard(func(s *Settings) { s.Headers.SSLRedirect, s.Headers.HSTSSeconds = true, 60 })
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		w := pass(g, request(method), func(*Exchange) { t.Error("http got through") })
		if w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "https://example.com/x" || w.Header().Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: answer %d, %v", method, w.Code, w.Header())
		}
	}
	r := request("GET", "X-Forwarded-Proto", "https")
	r.RemoteAddr = "10.0.0.1:1"
	if h := pass(g, r, func(x *Exchange) { x.NotFound() }).Header(); h.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("headers %v", h)
	}
}

func FuzzCookie(f *testing.F) {
	f.Add("sessionid=abc; x=y")
	f.Add(`sessionid="a\"b\073"; sessionid`)
	f.Add("=;;=")
	g := newGuard(nil)
	f.Fuzz(func(t *testing.T, header string) {
		r := request("GET")
		r.Header["Cookie"] = []string{header}
		pass(g, r, func(x *Exchange) {
			value, found := x.Cookie("sessionid")
			if !found && value != "" {
				t.Fatalf("a value %q that was not found", value)
			}
			if found && !strings.Contains(header, "sessionid") {
				t.Fatalf("found in %q", header)
			}
			if len(value) > len(header) {
				t.Fatalf("%q grew to %q", header, value)
			}
		})
	})
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "null", "", "https://x.trusted.example", "https://[", "HTTPS://app.example.com/x"} {
		f.Add(s)
	}
	g := newGuard(nil)
	f.Fuzz(func(t *testing.T, origin string) {
		r := request("POST")
		r.Header["Origin"] = []string{origin}
		w := pass(g, r, func(x *Exchange) {
			if x.CheckOrigin() != nil {
				x.NotFound()
				return
			}
			if origin != "http://example.com" && origin != "https://app.example.com" &&
				!strings.Contains(strings.ToLower(origin), "trusted.example") {
				t.Fatalf("origin %q is trusted", origin)
			}
			x.NotFound()
		})
		plain := strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(origin)
		if w.Header().Get("Access-Control-Allow-Origin") != "" && !strings.Contains(plain, "://app.example.com") {
			t.Fatalf("CORS allows %q", origin)
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("198.51.100.7, 10.0.0.2")
	f.Add("[::1]:80,,unknown")
	g := newGuard(nil)
	f.Fuzz(func(t *testing.T, header string) {
		r := request("GET")
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{header}
		pass(g, r, func(x *Exchange) {
			if !x.Address.IsValid() || x.Address.Zone() != "" || x.Address.Is4In6() {
				t.Fatalf("address %v of %q", x.Address, header)
			}
		})
	})
}

func BenchmarkGuard(b *testing.B) {
	g := newGuard(nil)
	h := g.Wrap(func(x *Exchange) { x.WriteHeader(http.StatusNoContent) })
	r := request("GET", "Cookie", "csrftoken=x; sessionid=y")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
