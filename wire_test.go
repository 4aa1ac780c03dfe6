package postern_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recordedCases is how many exchanges with the model testdata/wire holds.
const recordedCases = 275

// A case is a recorded exchange: requests in order, each with what the model
// answered (or, with a deviation, what it should have).
type wireCase struct {
	Name  string
	Steps []wireStep
}

type wireStep struct {
	Request wireRequest
	Save    map[string]string
	Expect  wireExpect
}

type wireRequest struct {
	Method, Path string
	Headers      map[string]string
	JSON         json.RawMessage `json:",omitempty"`
	Body         *string
	BodyB64      *string           `json:"body_b64"`
	BodyRepeat   []json.RawMessage `json:"body_repeat"` // head, text, times, tail
	Jar          *bool
	ClearJar     bool              `json:"clear_jar"`
	DropCookies  []string          `json:"drop_cookies"`
	SetCookies   map[string]string `json:"set_cookies"`
}

type wireExpect struct {
	Status  any
	JSON    json.RawMessage `json:",omitempty"`
	Empty   bool
	Headers map[string]any
	Cookies map[string]wireCookie
}

type wireCookie struct {
	Value string
	Attrs map[string]string
}

func TestEveryRecordedExchange(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	files, err := filepath.Glob("testdata/wire/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range []string{"on a fresh database", "again on the same database"} {
		t.Run(round, func(t *testing.T) {
			total := 0
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var cases []wireCase
				if err := json.Unmarshal(text, &cases); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				total += len(cases)
				for _, c := range cases {
					t.Run(c.Name, func(t *testing.T) {
						t.Parallel()
						replay(t, base, c)
					})
				}
			}
			if total != recordedCases {
				t.Errorf("%d cases, want %d: cases are neither edited nor left out", total, recordedCases)
			}
		})
	}
}

// replay sends the requests of a case and compares the answers.
func replay(t *testing.T, base string, c wireCase) {
	env := newEnv(t, base)
	jar := map[string]string{}
	for i, step := range c.Steps {
		var request wireRequest
		env.fill(t, step.Request, &request)
		at := fmt.Sprintf("step %d %s %.60s: ", i+1, request.Method, request.Path)
		got := send(t, base, request, jar)
		env.save(step.Save, got, jar)
		var want wireExpect
		env.fill(t, step.Expect, &want)
		for _, problem := range want.compare(got) {
			t.Error(at + problem)
		}
	}
}

// wireEnv is the variables of a case: ${u}, a name of its own, and what
// earlier steps saved.
type wireEnv map[string]string

func newEnv(t *testing.T, base string) wireEnv {
	pick := func(limit int64) int64 {
		n, err := rand.Int(rand.Reader, big.NewInt(limit))
		if err != nil {
			t.Fatal(err)
		}
		return n.Int64()
	}
	name := []byte("u")
	for range 10 {
		name = append(name, "ghjkpqvwxz"[pick(10)])
	}
	return wireEnv{
		"u": string(name), "base": base, "host": strings.TrimPrefix(base, "http://"),
		"n": strconv.FormatInt(1e14+pick(9e14), 10),
		"f": strconv.FormatInt(1e8+pick(9e8), 10) + ".5",
	}
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// fill copies from to into with the variables in it replaced.
func (env wireEnv) fill(t *testing.T, from, into any) {
	t.Helper()
	text, err := marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`"${#n}"`), []byte(env["n"]))
	text = bytes.ReplaceAll(text, []byte(`"${#f}"`), []byte(env["f"]))
	text = variable.ReplaceAllFunc(text, func(v []byte) []byte {
		value, known := env[string(v[2:len(v)-1])]
		if !known {
			return v
		}
		quoted, err := marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return quoted[1 : len(quoted)-1]
	})
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (env wireEnv) save(save map[string]string, got answer, jar map[string]string) {
	for name, source := range save {
		kind, key, _ := strings.Cut(source, ".")
		switch kind {
		case "cookie":
			env[name] = jar[key]
		case "json":
			value := got.body
			for part := range strings.SplitSeq(key, ".") {
				object, _ := value.(map[string]any)
				value = object[part]
			}
			env[name], _ = value.(string)
		}
	}
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	raw     []byte
	body    any // of an answer in JSON
	cookies map[string]wireCookie
}

func send(t *testing.T, base string, r wireRequest, jar map[string]string) answer {
	t.Helper()
	if r.ClearJar {
		clear(jar)
	}
	for _, name := range r.DropCookies {
		delete(jar, name)
	}
	for name, value := range r.SetCookies {
		jar[name] = value
	}
	useJar := r.Jar == nil || *r.Jar
	var cookies []string
	if useJar {
		for name, value := range jar {
			cookies = append(cookies, name+"="+value)
		}
	}
	got := exchange(t, base, r, strings.Join(cookies, "; "))
	if useJar {
		for name, c := range got.cookies {
			if c.Attrs["max-age"] == "0" || c.Value == "" {
				delete(jar, name)
			} else {
				jar[name] = c.Value
			}
		}
	}
	return got
}

// exchange writes the request as bytes, so that nothing is added or mended.
func exchange(t *testing.T, base string, r wireRequest, cookies string) answer {
	t.Helper()
	host := strings.TrimPrefix(base, "http://")
	body, hasBody := r.bytes(t)
	has := func(name string) bool {
		for h := range r.Headers {
			if strings.EqualFold(h, name) {
				return true
			}
		}
		return false
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, quotePath(r.Path))
	if !has("host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	for name, value := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if len(r.JSON) > 0 && !has("content-type") {
		b.WriteString("Content-Type: application/json\r\n")
	}
	if cookies != "" && !has("cookie") {
		fmt.Fprintf(&b, "Cookie: %s\r\n", cookies)
	}
	if hasBody || slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, r.Method) {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)

	conn, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{status: response.StatusCode, header: response.Header, raw: raw, cookies: cookiesOf(response.Header)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") && len(raw) > 0 {
		if err := decode(raw, &got.body); err != nil {
			t.Errorf("answer %q: %v", raw, err)
		}
	}
	return got
}

func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

func (r wireRequest) bytes(t *testing.T) ([]byte, bool) {
	switch {
	case len(r.JSON) > 0:
		return r.JSON, true
	case r.Body != nil:
		return []byte(*r.Body), true
	case r.BodyB64 != nil:
		b, err := base64.StdEncoding.DecodeString(*r.BodyB64)
		if err != nil {
			t.Fatal(err)
		}
		return b, true
	case len(r.BodyRepeat) == 4:
		var head, text, tail string
		var times int
		for i, into := range []any{&head, &text, &times, &tail} {
			if err := json.Unmarshal(r.BodyRepeat[i], into); err != nil {
				t.Fatal(err)
			}
		}
		return []byte(head + strings.Repeat(text, times) + tail), true
	}
	return nil, false
}

// quotePath percent-encodes what may not stand in a request line.
func quotePath(path string) string {
	const safe = "/?=&%;:@!*.,~+#-_"
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if strings.IndexByte(safe, c) >= 0 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func cookiesOf(h http.Header) map[string]wireCookie {
	out := map[string]wireCookie{}
	for _, line := range h.Values("Set-Cookie") {
		parts := strings.Split(line, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(parts[0]), "=")
		c := wireCookie{Value: strings.Trim(value, `"`), Attrs: map[string]string{}}
		for _, p := range parts[1:] {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			if k = strings.ToLower(k); k == "expires" {
				if strings.Contains(v, "1970") {
					v = "epoch"
				} else {
					v = "<date>"
				}
			}
			c.Attrs[k] = v
		}
		out[name] = c
	}
	return out
}

// compare says what of the answer is not as expected.
func (want wireExpect) compare(got answer) (problems []string) {
	if !want.statusIs(got.status) {
		problems = append(problems, fmt.Sprintf("status %d, want %v: %.120s", got.status, want.Status, got.raw))
	}
	if len(want.JSON) > 0 {
		var expected any
		if err := decode(want.JSON, &expected); err != nil {
			return append(problems, err.Error())
		}
		problems = append(problems, matchJSON(expected, got.body, "body")...)
	}
	if want.Empty && len(got.raw) > 0 {
		problems = append(problems, fmt.Sprintf("want an empty body, got %.80q", got.raw))
	}
	for name, value := range want.Headers {
		if !matchHeader(name, value, got.header) {
			problems = append(problems, fmt.Sprintf("header %s: %q, want %v", name, got.header.Values(name), value))
		}
	}
	return append(problems, matchCookies(want.Cookies, got.cookies)...)
}

func (want wireExpect) statusIs(status int) bool {
	switch s := want.Status.(type) {
	case string:
		return s == "<any>"
	case float64:
		return int(s) == status
	case []any:
		return slices.Contains(s, any(float64(status)))
	}
	return false
}

var alnumPattern = regexp.MustCompile(`^<alnum:(\d+)>$`)

func matchText(want, got string) bool {
	if m := alnumPattern.FindStringSubmatch(want); m != nil {
		n, _ := strconv.Atoi(m[1])
		return len(got) == n && regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(got)
	}
	if prefix, ok := strings.CutPrefix(want, "<starts:"); ok {
		return strings.HasPrefix(got, strings.TrimSuffix(prefix, ">"))
	}
	return want == got
}

func matchJSON(want, got any, path string) []string {
	mismatch := []string{fmt.Sprintf("%s: %v, want %v", path, got, want)}
	switch w := want.(type) {
	case string:
		if w == "<any>" {
			return nil
		}
		if n, ok := got.(json.Number); ok && w == "<int>" {
			if _, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
				return nil
			}
		}
		if g, ok := got.(string); ok && matchText(w, g) {
			return nil
		}
		return mismatch
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return mismatch
		}
		var problems []string
		for k := range w {
			if _, there := g[k]; !there {
				return mismatch
			}
			problems = append(problems, matchJSON(w[k], g[k], path+"."+k)...)
		}
		return problems
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return mismatch
		}
		var problems []string
		for i := range w {
			problems = append(problems, matchJSON(w[i], g[i], fmt.Sprintf("%s[%d]", path, i))...)
		}
		return problems
	}
	if want == got {
		return nil
	}
	return mismatch
}

// setHeaders compare as sets.
var setHeaders = []string{"Vary", "Allow", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"}

func matchHeader(name string, want any, h http.Header) bool {
	values := h.Values(name)
	got := strings.Join(values, ", ")
	switch w := want.(type) {
	case nil:
		return len(values) == 0
	case map[string]any:
		covers, _ := w["covers"].(string)
		have := setOf(got)
		return len(values) > 0 && (have["*"] || subset(setOf(covers), have))
	case string:
		if len(values) == 0 {
			return false
		}
		if slices.Contains(setHeaders, name) {
			return subset(setOf(w), setOf(got)) && (name == "Vary" || subset(setOf(got), setOf(w)))
		}
		plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
		return w == got || name == "Content-Type" && plain(w) == plain(got)
	}
	return false
}

func setOf(s string) map[string]bool {
	set := map[string]bool{}
	for p := range strings.SplitSeq(s, ",") {
		if p = strings.ToLower(strings.TrimSpace(p)); p != "" {
			set[p] = true
		}
	}
	return set
}

func subset(a, b map[string]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}

func matchCookies(want, got map[string]wireCookie) (problems []string) {
	for name := range got {
		if _, expected := want[name]; !expected {
			problems = append(problems, fmt.Sprintf("cookie %s set, not expected", name))
		}
	}
	for name, w := range want {
		g, set := got[name]
		if !set {
			problems = append(problems, fmt.Sprintf("cookie %s not set", name))
			continue
		}
		if !matchText(w.Value, g.Value) {
			problems = append(problems, fmt.Sprintf("cookie %s is %q, want %q", name, g.Value, w.Value))
		}
		if fmt.Sprint(w.Attrs) != fmt.Sprint(g.Attrs) {
			problems = append(problems, fmt.Sprintf("cookie %s has attributes %v, want %v", name, g.Attrs, w.Attrs))
		}
	}
	return problems
}
