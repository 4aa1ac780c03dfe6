package postern_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

// examples are those of the document: of what each method of each path reads,
// and of what it answers.
type examples map[string]map[string]struct {
	RequestBody struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Responses map[string]struct {
		Content map[string]struct{ Example json.RawMessage }
	}
}

// TestOpenAPI_ExamplesAreRealAnswers asks the server for each answer that the
// document has an example of.
func TestOpenAPI_ExamplesAreRealAnswers(t *testing.T) {
	t.Parallel()
	for _, unauthenticated := range []int{http.StatusForbidden, http.StatusUnauthorized} {
		t.Run(fmt.Sprint(unauthenticated), func(t *testing.T) {
			a := newAsker(t, unauthenticated)
			document := a.examples(t)
			total := 0
			for _, path := range []string{"/api/register/", "/api/login/", "/api/user/", "/api/protected/", "/api/logout/"} {
				for method, operation := range document[path] {
					method = strings.ToUpper(method)
					body := string(operation.RequestBody.Content["application/json"].Example)
					for status, response := range operation.Responses {
						example := response.Content["application/json"].Example
						if example == nil || method == "HEAD" {
							continue
						}
						total++
						got := a.provoke(t, method, path, status, body)
						if want := status + " " + alike(t, example); got != want {
							t.Errorf("%s %s answers\n%s, the example is\n%s", method, path, got, want)
						}
					}
				}
			}
			if total < 50 {
				t.Errorf("%d examples", total)
			}
		})
	}
}

// asker asks servers of one configuration, in one state each.
type asker struct {
	sound, throttled, broken, closed http.Handler
	unauthenticated                  int
}

func newAsker(t *testing.T, unauthenticated int) *asker {
	t.Helper()
	config := func() postern.Config {
		c := testConfig(t)
		c.UnauthenticatedStatus = unauthenticated
		return c
	}
	a := &asker{sound: openServer(t, config()).Handler(), unauthenticated: unauthenticated}

	c := config()
	rate := postern.Rate{Attempts: 1, Per: time.Hour}
	c.Throttle = postern.Throttle{Login: rate, Register: rate}
	a.throttled = openServer(t, c).Handler()
	for _, path := range []string{"/api/login/", "/api/register/"} {
		put(a.throttled, "POST", path, `{"username":"a","password":"b"}`)
	}

	c = config()
	a.broken = openServer(t, c).Handler()
	breakDatabase(t, c)

	srv, err := postern.Open(t.Context(), config())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	a.closed = srv.Handler()
	return a
}

// breakDatabase takes the tables away, so that statements fail.
func breakDatabase(t *testing.T, c postern.Config) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(c.Database, "sqlite:")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"postern_session", "auth_user"} {
		if _, err := db.Exec("ALTER TABLE " + table + " RENAME TO gone_" + table); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *asker) examples(t *testing.T) examples {
	t.Helper()
	_, _, text := put(a.sound, "GET", "/api/schema/", "")
	var document struct{ Paths examples }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document.Paths
}

// put sends a request and returns the answer.
func put(h http.Handler, method, path, body string, headers ...string) (int, http.Header, []byte) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Result().Header, w.Body.Bytes()
}

// provoke makes a server answer so, and returns the status and the body.
func (a *asker) provoke(t *testing.T, method, path, status, body string) string {
	t.Helper()
	private := path != "/api/login/" && path != "/api/register/"
	session := func(withToken bool) []string { return a.session(t, withToken) }
	h, headers := a.sound, []string(nil)
	if private {
		headers = session(true)
	}
	switch status {
	case "200":
		if path == "/api/login/" && method == "POST" {
			session(false) // the user is there
		}
	case "201":
		if path == "/api/register/" { // on a database without users
			h = openServer(t, testConfig(t)).Handler()
		}
	case "400":
		switch {
		case method != "POST":
			headers = []string{"Host", "elsewhere.example"}
		case private:
			headers, body = session(false), "{"
		default:
			body = strings.Replace(body, `"username"`, `"name"`, 1)
		}
	case "401", "403":
		switch {
		case method == "POST" && (status != fmt.Sprint(a.unauthenticated) || !private) && status == "403":
			headers = session(false) // without the token
		case private:
			headers = nil
		default:
			body = `{"username":"ada","password":"wrong"}`
		}
	case "404":
		path += "?format=xml"
	case "405":
		method = "PUT"
	case "406":
		headers = append(headers, "Accept", "image/png")
	case "413":
		if private {
			headers = session(false)
		}
		body = strings.Repeat(" ", 1<<20+1)
	case "415":
		if private {
			headers = session(false)
		}
		headers, body = append(headers, "Content-Type", "text/plain"), "x"
	case "429":
		h = a.throttled
	case "500":
		h, headers = a.broken, append(headers, "Cookie", "sessionid="+strings.Repeat("a", 32))
	case "503":
		h, headers = a.closed, append(headers, "Cookie", "sessionid="+strings.Repeat("a", 32))
	}
	code, _, got := put(h, method, path, body, headers...)
	return fmt.Sprintf("%d %s", code, alike(t, got))
}

// session logs ada in and returns the headers that say so.
func (a *asker) session(t *testing.T, withToken bool) []string {
	t.Helper()
	const password = "tr0ub4dor-x9"
	code, header, text := put(a.sound, "POST", "/api/login/", `{"username":"ada","password":"`+password+`"}`)
	if code == http.StatusUnauthorized {
		put(a.sound, "POST", "/api/register/", `{"username":"ada","email":"ada@example.com","password":"`+password+`","password2":"`+password+`"}`)
		code, header, text = put(a.sound, "POST", "/api/login/", `{"username":"ada","password":"`+password+`"}`)
	}
	var login struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(text, &login); err != nil || code != http.StatusOK {
		t.Fatalf("log in: %d %s", code, text)
	}
	var cookies []string
	for _, c := range header["Set-Cookie"] {
		pair, _, _ := strings.Cut(c, ";")
		cookies = append(cookies, pair)
	}
	headers := []string{"Cookie", strings.Join(cookies, "; ")}
	if withToken {
		headers = append(headers, "X-CSRFToken", login.Token)
	}
	return headers
}

var (
	tokens  = regexp.MustCompile(`"csrf_token":"[A-Za-z0-9]{64}"`)
	seconds = regexp.MustCompile(`in \d+ seconds?\.`)
)

// alike writes JSON so that two answers of a kind are the same.
func alike(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return string(text)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	text = tokens.ReplaceAll(text, []byte(`"csrf_token":"…"`))
	return string(seconds.ReplaceAll(text, []byte("in N seconds.")))
}

// TestOpenAPI_ExamplesAreTheSameForEveryForm: a body has one example, however
// it is sent.
func TestOpenAPI_ExamplesAreTheSameForEveryForm(t *testing.T) {
	t.Parallel()
	a := &asker{sound: openServer(t, testConfig(t)).Handler()}
	for path, operations := range a.examples(t) {
		var seen []string
		for _, content := range operations["post"].RequestBody.Content {
			seen = append(seen, alike(t, content.Example))
		}
		if slices.Sort(seen); len(slices.Compact(seen)) > 1 {
			t.Errorf("%s: %q", path, seen)
		}
	}
}
