package postern_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"
)

// client is a browser of sorts: it keeps cookies and sends the CSRF token.
type client struct {
	t    *testing.T
	base string
	http *http.Client
	csrf string
}

func newClient(t *testing.T, base string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, base: base, http: &http.Client{Jar: jar, Transport: &http.Transport{}}}
}

// at is the same browser with the same cookies at another node; what becomes
// of either's cookies is not the other's.
func (c *client) at(base string) *client {
	c.t.Helper()
	other := newClient(c.t, base)
	other.csrf = c.csrf
	from, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	to, err := url.Parse(base)
	if err != nil {
		c.t.Fatal(err)
	}
	other.http.Jar.SetCookies(to, c.http.Jar.Cookies(from))
	return other
}

// do sends v as JSON (nil: no body) and returns status and body.
func (c *client) do(method, path string, v any, headers ...string) (int, string) {
	c.t.Helper()
	status, _, body := c.full(method, path, v, headers...)
	return status, body
}

func (c *client) full(method, path string, v any, headers ...string) (int, http.Header, string) {
	c.t.Helper()
	var body io.Reader
	if v != nil {
		text, err := json.Marshal(v)
		if err != nil {
			c.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if v != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.csrf != "" {
		r.Header.Set("X-CSRFToken", c.csrf)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, problem := range described(c.base, method, path, response.StatusCode, response.Header, text) {
		c.t.Errorf("%s %s: %s", method, path, problem)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == "csrftoken" {
			c.csrf = cookie.Value
		}
	}
	return response.StatusCode, response.Header, string(text)
}

const goodPassword = "tr0ub4dor-x9"

// register makes a user, who is then logged in.
func (c *client) register(name string) {
	c.t.Helper()
	status, body := c.do("POST", "/api/register/", map[string]string{
		"username": name, "email": name + "@example.com", "password": goodPassword, "password2": goodPassword,
	})
	if status != http.StatusCreated {
		c.t.Fatalf("register %s: %d %s", name, status, body)
	}
}

func (c *client) login(name, password string) (int, string) {
	c.t.Helper()
	return c.do("POST", "/api/login/", map[string]string{"username": name, "password": password})
}

// isIn fails the test unless the client's session is alive (or over).
func (c *client) isIn(want bool) {
	c.t.Helper()
	status, body := c.do("GET", "/api/user/", nil)
	if want && status != http.StatusOK || !want && status != http.StatusForbidden {
		c.t.Errorf("GET /api/user/: %d %s, want the session to be alive: %v", status, body, want)
	}
}

// isOutSoon waits for the end of a session that another process ended: it is
// noticed within a second. It returns when the last request began that was
// answered otherwise, zero if none was.
func (c *client) isOutSoon() (lastOther time.Time) {
	c.t.Helper()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		began := time.Now()
		status, body := c.do("GET", "/api/user/", nil)
		if status == http.StatusForbidden {
			return lastOther
		}
		lastOther = began
		if time.Now().After(patience) {
			c.t.Errorf("GET /api/user/: %d %s, long after the session's end", status, body)
			return lastOther
		}
	}
}
