package postern_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

// rawAnswer sends text on a connection of its own, and returns the answer to
// it, which has to come well before a body would be too late.
func rawAnswer(t *testing.T, base, text string) (int, http.Header, string) {
	t.Helper()
	conn := dialRaw(t, base)
	_ = conn.SetDeadline(time.Now().Add(8 * time.Second))
	fmt.Fprint(conn, text)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func dialRaw(t *testing.T, base string) net.Conn {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// posting is a POST with a body of that type, from an address.
func posting(path, from, contentType, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, from, contentType, len(body), body)
}

// headOf is a request up to its body.
func headOf(request string) string {
	head, _, _ := strings.Cut(request, "\r\n\r\n")
	return head + "\r\n\r\n"
}

func throttledConfig(t *testing.T) postern.Config {
	c := testConfig(t)
	rate := postern.Rate{Attempts: 3, Per: 24 * time.Hour}
	c.Throttle = postern.Throttle{Login: rate, Register: rate, LoginAccount: postern.Rate{Attempts: 1000, Per: time.Hour}}
	return c
}

func TestThrottle_CountsAttemptBeforeItsBody(t *testing.T) {
	const from = "198.51.100.1"
	for _, path := range []string{"/api/login/", "/api/register/"} {
		_, base := startServer(t, throttledConfig(t))
		for _, attempt := range []struct {
			contentType, body string
			want              int
		}{
			{"application/json", "{", http.StatusBadRequest},
			{"text/plain", "x", http.StatusUnsupportedMediaType},
			{"application/json", "{}", http.StatusBadRequest},
			{"application/json", "{", http.StatusTooManyRequests},
			{"text/plain", "x", http.StatusTooManyRequests},
		} {
			if status, _, body := rawAnswer(t, base, posting(path, from, attempt.contentType, attempt.body)); status != attempt.want {
				t.Fatalf("%s: %q: %d %s, want %d", path, attempt.body, status, body, attempt.want)
			}
		}
		// The headers are enough: the body is not waited for.
		for _, size := range []int{10, 1 << 20, 1 << 30} {
			head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, from, size)
			status, h, body := rawAnswer(t, base, head)
			if status != http.StatusTooManyRequests || h.Get("Retry-After") == "" || !strings.HasPrefix(body, `{"detail":"Request was throttled. `) {
				t.Errorf("%s: headers of %d bytes: %d %s", path, size, status, body)
			}
		}
		if status, _, body := rawAnswer(t, base, posting(path, "198.51.100.2", "application/json", "{")); status != http.StatusBadRequest {
			t.Errorf("%s: another address: %d %s", path, status, body)
		}
	}
}

func TestThrottle_AdminSiteCountsAttemptBeforeItsBody(t *testing.T) {
	const form, from = "application/x-www-form-urlencoded", "198.51.100.1"
	_, base := startServer(t, throttledConfig(t))
	for range 3 {
		if status, _, _ := rawAnswer(t, base, posting("/admin/login/", from, form, "username=a")); status != http.StatusForbidden {
			t.Fatalf("a form without a token: %d", status)
		}
	}
	status, h, _ := rawAnswer(t, base, headOf(posting("/admin/login/", from, form, "username=a")))
	if status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("headers of one attempt too many: %d", status)
	}
	if status, _, _ := rawAnswer(t, base, headOf(posting("/api/login/", from, form, "username=a"))); status != http.StatusTooManyRequests {
		t.Errorf("the API counts for itself: %d", status)
	}
}

// A page of another site must not use up the attempts of its visitors.
func TestThrottle_ForeignOriginsAreNotCounted(t *testing.T) {
	const from = "198.51.100.1"
	_, base := startServer(t, throttledConfig(t))
	foreign := func(request, header string) string { return strings.Replace(request, "\r\n", "\r\n"+header+"\r\n", 1) }
	for range 5 {
		for _, path := range []string{"/api/login/", "/api/register/", "/admin/login/"} {
			request := foreign(posting(path, from, "application/x-www-form-urlencoded", "a=b"), "Origin: https://evil.example")
			if status, _, body := rawAnswer(t, base, request); status != http.StatusForbidden {
				t.Fatalf("%s: %d %s", path, status, body)
			}
		}
		request := foreign(posting("/admin/login/", from, "application/x-www-form-urlencoded", "a=b"), "Sec-Fetch-Site: cross-site")
		if status, _, body := rawAnswer(t, base, request); status != http.StatusForbidden {
			t.Fatalf("cross-site: %d %s", status, body)
		}
	}
	if status, _, body := rawAnswer(t, base, posting("/api/login/", from, "application/json", "{}")); status != http.StatusBadRequest {
		t.Errorf("the visitor's own attempt: %d %s", status, body)
	}
}

func TestBodies_ClientSendsTooManyAtOnce(t *testing.T) {
	const size = 1 << 20
	_, base := startServer(t, testConfig(t))
	body := `{"username":"` + strings.Repeat("a", size-15) + `"}`
	whole := posting("/api/login/", "198.51.100.1", "application/json", body)
	var stalled []net.Conn
	for range 8 {
		conn := dialRaw(t, base)
		fmt.Fprint(conn, whole[:len(whole)-1])
		stalled = append(stalled, conn)
	}
	// What the last of them sent may not have been read yet.
	var status int
	var h http.Header
	var answer string
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
		if status, h, answer = rawAnswer(t, base, whole); status == http.StatusServiceUnavailable {
			break
		}
	}
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") != "1" || answer != `{"detail":"Too many requests at once. Try again in a moment."}` {
		t.Fatalf("a ninth body: %d %v %s", status, h, answer)
	}
	// Nor does the admin site have room for this client, but for others it does.
	form := "username=" + strings.Repeat("a", size-9)
	if status, h, _ := rawAnswer(t, base, posting("/admin/login/", "198.51.100.1", "application/x-www-form-urlencoded", form)); status != http.StatusServiceUnavailable || h.Get("Retry-After") != "1" {
		t.Errorf("the admin site: %d", status)
	}
	if status, _, body := rawAnswer(t, base, posting("/api/login/", "198.51.100.2", "application/json", "{}")); status != http.StatusBadRequest {
		t.Errorf("another client: %d %s", status, body)
	}
	for _, conn := range stalled {
		conn.Close()
	}
}

func TestAdminSite_FormsHaveAtMostThousandFields(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	_, base := startServer(t, testConfig(t))
	if status, _, _ := rawAnswer(t, base, posting("/admin/login/", "198.51.100.1", form, strings.Repeat("a=b&", 999)+"a=b")); status != http.StatusForbidden {
		t.Errorf("1,000 fields without a token: %d", status)
	}
	if status, _, _ := rawAnswer(t, base, posting("/admin/login/", "198.51.100.1", form, strings.Repeat("a=b&", 1000)+"a=b")); status != http.StatusBadRequest {
		t.Errorf("1,001 fields: %d", status)
	}
}
