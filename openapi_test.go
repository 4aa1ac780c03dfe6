package postern_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"go.yaml.in/yaml/v3"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/pages/browsertest"
)

// contract is the OpenAPI document of a server.
type contract struct {
	document  libopenapi.Document
	validator validator.Validator
	paths     map[string]map[string]struct {
		Responses map[string]struct {
			Headers map[string]any
			Content map[string]any
		}
	}
	// The validator keeps what it has compiled.
	mu sync.Mutex
}

func newContract(text []byte) (*contract, error) {
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	c := &contract{document: document}
	var errs []error
	if c.validator, errs = validator.NewValidator(document); len(errs) > 0 {
		return nil, errs[0]
	}
	var parsed struct {
		Paths map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	return c, json.Unmarshal(mustMarshal(parsed.Paths), &c.paths)
}

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// contracts are the documents of the servers that tests talk to.
var contracts sync.Map

// described says what of an answer is not in the document of the server that
// gave it. Servers without a document say nothing.
func described(base, method, path string, status int, header http.Header, body []byte) []string {
	path, query, _ := strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/api/") || base == "" {
		return nil
	}
	once, _ := contracts.LoadOrStore(base, sync.OnceValue(func() *contract { return fetchContract(base) }))
	c := once.(func() *contract)()
	if c == nil {
		return nil
	}
	return c.problems(method, path, query, status, header, body)
}

func fetchContract(base string) *contract {
	r, err := http.NewRequest("GET", base+"/api/schema/", nil)
	if err != nil {
		return nil
	}
	r.Host = "localhost"
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	c, err := newContract(text)
	if err != nil {
		panic(err) // TestTheDocumentIsValid says why
	}
	return c
}

// carried are headers of HTTP itself, which OpenAPI leaves out.
var carried = []string{"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding"}

// refusals are what an endpoint answers to a method that it does not have.
var refusals = []int{400, 401, 403, 404, 405, 406, 500, 503}

func (c *contract) problems(method, path, query string, status int, header http.Header, body []byte) (problems []string) {
	item, known := c.paths[path]
	if !known {
		return nil
	}
	operation, known := item[strings.ToLower(method)]
	if !known {
		if !slices.Contains(refusals, status) {
			return []string{fmt.Sprintf("status %d to a method that is not described", status)}
		}
		return nil
	}
	response, known := operation.Responses[fmt.Sprint(status)]
	if !known {
		return []string{fmt.Sprintf("status %d is not described", status)}
	}
	for name := range header {
		is := func(described string) bool { return strings.EqualFold(described, name) }
		if !slices.Contains(carried, name) && !slices.ContainsFunc(slices.Collect(maps.Keys(response.Headers)), is) {
			problems = append(problems, fmt.Sprintf("the header %s of status %d is not described", name, status))
		}
	}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if _, known := response.Content[mediaType]; !known && len(body) > 0 {
		return append(problems, fmt.Sprintf("the media type %q of status %d is not described", mediaType, status))
	}
	if mediaType != "application/json" || len(body) == 0 {
		return problems
	}
	return append(problems, c.bodyProblems(method, path, query, status, header, body)...)
}

func (c *contract) bodyProblems(method, path, query string, status int, header http.Header, body []byte) (problems []string) {
	request, err := http.NewRequest(strings.ToUpper(method), "http://localhost"+path, nil)
	if err != nil {
		return []string{err.Error()}
	}
	answer := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: request}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, errs := c.validator.GetResponseBodyValidator().ValidateResponseBody(request, answer)
	for _, e := range errs {
		problems = append(problems, fmt.Sprintf("status %d: %s: %s %v", status, e.Message, e.Reason, e.SchemaValidationErrors))
	}
	return problems
}

// fetch asks a server for a path.
func fetch(t *testing.T, url string, headers ...string) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, body
}

func TestTheDocumentIsValid(t *testing.T) {
	for name, change := range map[string]func(*postern.Config){
		"as it is":            func(*postern.Config) {},
		"other settings":      func(c *postern.Config) { c.UnauthenticatedStatus, c.Cookie.Name, c.NoBrowsableAPI = 401, "other", true },
		"without admin pages": func(c *postern.Config) { c.NoAdmin = true },
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t)
			change(&config)
			_, base := startServer(t, config)
			status, header, text := fetch(t, base+"/api/schema/")
			if status != http.StatusOK || header.Get("Content-Type") != "application/vnd.oai.openapi+json" {
				t.Fatalf("%d %s", status, header.Get("Content-Type"))
			}
			c, err := newContract(text)
			if err != nil {
				t.Fatal(err)
			}
			if ok, errs := c.validator.ValidateDocument(); !ok {
				for _, e := range errs {
					t.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors)
				}
			}
			if config.Cookie.Name != "" && !bytes.Contains(text, []byte(`"name": "other"`)) {
				t.Error("the document does not know the session cookie's name")
			}
			var fromJSON, fromYAML any
			_, header, yamlText := fetch(t, base+"/api/schema/?format=yaml")
			if err := yaml.Unmarshal(yamlText, &fromYAML); err != nil || header.Get("Content-Type") != "application/vnd.oai.openapi" {
				t.Fatal(header.Get("Content-Type"), err)
			}
			if err := json.Unmarshal(text, &fromJSON); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(mustMarshal(fromJSON), mustMarshal(fromYAML)) {
				t.Error("YAML and JSON are not the same document")
			}
			if bytes.ContainsAny(yamlText[:20], "{}") {
				t.Errorf("the YAML is no YAML: %.80s", yamlText)
			}
		})
	}
}

func TestTheDocumentIsServedWithCare(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	_, header, _ := fetch(t, base+"/api/schema/?format=json")
	if status, _, body := fetch(t, base+"/api/schema/", "If-None-Match", header.Get("ETag")); status != http.StatusNotModified || len(body) > 0 {
		t.Errorf("the same again: %d", status)
	}
	if status, _, _ := fetch(t, base+"/api/schema/?format=yaml", "If-None-Match", header.Get("ETag")); status != http.StatusOK {
		t.Errorf("the other form: %d", status)
	}
	if status, _, _ := fetch(t, base+"/api/schema/?format=xml"); status != http.StatusNotFound {
		t.Errorf("a form there is not: %d", status)
	}
	for _, path := range []string{"/api/schema/", "/api/docs/"} {
		answer, err := http.Post(base+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, answer.StatusCode)
		}
		if status, _, _ := fetch(t, base+strings.TrimSuffix(path, "/")); status != http.StatusOK {
			t.Errorf("%s without its last slash: %d", path, status)
		}
	}
	config := testConfig(t)
	config.NoAPIDocs = true
	_, without := startServer(t, config)
	for _, path := range []string{"/api/schema/", "/api/docs/"} {
		if status, _, _ := fetch(t, without+path); status != http.StatusNotFound {
			t.Errorf("%s, turned off: %d", path, status)
		}
	}
}

// TestWhatIsNotDescribedIsFound makes sure that described can find something.
func TestWhatIsNotDescribedIsFound(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	typed := func(mediaType string, more ...string) http.Header {
		h := http.Header{"Content-Type": {mediaType}}
		for _, name := range more {
			h.Set(name, "x")
		}
		return h
	}
	const user = `{"id": 1, "username": "ada", "email": ""}`
	for what, test := range map[string]struct {
		method, path string
		status       int
		header       http.Header
		body         string
		fine         bool
	}{
		"what is described":   {"GET", "/api/user/", 200, typed("application/json"), user, true},
		"a status":            {"GET", "/api/user/", 202, typed("application/json"), user, false},
		"a header":            {"GET", "/api/user/", 200, typed("application/json", "X-New"), user, false},
		"a media type":        {"GET", "/api/user/", 200, typed("text/plain"), user, false},
		"a member":            {"GET", "/api/user/", 200, typed("application/json"), `{"id": 1, "username": "ada", "email": "", "new": 1}`, false},
		"a member is missing": {"GET", "/api/user/", 200, typed("application/json"), `{"id": 1, "username": "ada"}`, false},
		"a type":              {"GET", "/api/user/", 200, typed("application/json"), `{"id": "1", "username": "ada", "email": ""}`, false},
		"an error's shape":    {"GET", "/api/user/", 403, typed("application/json"), `{"error": "no"}`, false},
		"a field error":       {"POST", "/api/login/", 400, typed("application/json"), `{"username": "no list"}`, false},
		"a method":            {"PATCH", "/api/user/", 200, typed("application/json"), user, false},
	} {
		problems := described(base, test.method, test.path, test.status, test.header, []byte(test.body))
		if (len(problems) == 0) != test.fine {
			t.Errorf("%s: %q", what, problems)
		}
	}
}

func TestTheDocumentationLetsOneTryCalls(t *testing.T) {
	t.Parallel()
	_, base := startServer(t, testConfig(t))
	p := browsertest.Start(t).Person(t, base)
	if status := p.Open("/api/docs/"); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	p.Inspect("docs")
	try := func(id, body, want string) {
		t.Helper()
		if body != "" {
			p.Fill("#"+id+"-body", body)
		}
		p.Click("#" + id + " form.try button")
		p.WaitFor(fmt.Sprintf("!document.querySelector('.busy') && document.querySelector('#%s .answer').textContent.includes(%q)", id, want))
	}
	try("register", `{"username": "ada", "password": "`+goodPassword+`", "password2": "`+goodPassword+`"}`, "HTTP 201")
	try("user", "", `"username": "ada"`)
	try("protected", "", "Hello, ada!")
	try("logout", "", "Logout successful")
	try("login", `{"username": "ada", "password": "`+goodPassword+`"}`, "Login successful")
	try("logout", "", "HTTP 200")
	p.Click("#user details summary")
	p.Inspect("docs-tried")
}
