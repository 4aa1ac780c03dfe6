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
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// recordedCases is how many exchanges with the model testdata/wire holds.
const recordedCases = 275

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
				total += replayFile(t, base, file)
			}
			if total != recordedCases {
				t.Errorf("%d cases, want %d: cases are neither edited nor left out", total, recordedCases)
			}
		})
	}
}

// A wireCase is a recorded exchange: requests in order, each with what the
// model answered (or, with a deviation, what it should have).
type wireCase struct {
	Name  string
	Steps []wireStep
}

// wireStep is one request and its answer; both may hold variables.
type wireStep struct {
	Request json.RawMessage
	Save    map[string]string
	Expect  json.RawMessage
}

type wireRequest struct {
	Method, Path string
	Headers      fields
	JSON         json.RawMessage
	Body         *string
	BodyB64      *string           `json:"body_b64"`
	BodyRepeat   []json.RawMessage `json:"body_repeat"` // head, text, times, tail
	Jar          *bool
	ClearJar     bool     `json:"clear_jar"`
	DropCookies  []string `json:"drop_cookies"`
	SetCookies   fields   `json:"set_cookies"`
}

// replayFile replays each case of a file as a test of its own and returns how
// many there are.
func replayFile(t *testing.T, base, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []wireCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			for _, problem := range replay(base, c) {
				t.Error(problem)
			}
		})
	}
	return len(cases)
}

// replay sends the requests of a case and says what of the answers is not as
// expected.
func replay(base string, c wireCase) (problems []string) {
	env := newEnv(base)
	var jar fields
	for i, step := range c.Steps {
		var request wireRequest
		if err := env.fill(step.Request, &request); err != nil {
			return append(problems, fmt.Sprintf("step %d: %v", i+1, err))
		}
		at := fmt.Sprintf("step %d %s %.60s: ", i+1, request.Method, request.Path)
		got, err := send(base, request, &jar)
		if err != nil {
			return append(problems, at+err.Error())
		}
		for _, problem := range described(base, request.Method, request.Path, got.status, got.header, got.raw) {
			problems = append(problems, at+problem)
		}
		env.save(step.Save, got, jar)
		var want wireExpect
		if err := env.fill(step.Expect, &want); err != nil {
			return append(problems, at+err.Error())
		}
		for _, problem := range want.compare(got) {
			problems = append(problems, at+problem)
		}
	}
	return problems
}

// fields are names and values in the order in which they came: headers, or
// the cookies of a client.
type fields []field

type field struct{ name, value string }

func (f *fields) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		value, err := d.Token()
		if err != nil {
			return err
		}
		f.set(fmt.Sprint(name), fmt.Sprint(value))
	}
	return nil
}

func (f fields) index(name string) int {
	return slices.IndexFunc(f, func(x field) bool { return x.name == name })
}

func (f *fields) set(name, value string) {
	if i := f.index(name); i >= 0 {
		(*f)[i].value = value
		return
	}
	*f = append(*f, field{name, value})
}

func (f *fields) remove(name string) {
	*f = slices.DeleteFunc(*f, func(x field) bool { return x.name == name })
}

func (f fields) hasHeader(name string) bool {
	return slices.ContainsFunc(f, func(x field) bool { return strings.EqualFold(x.name, name) })
}

// wireEnv is the variables of a case: ${u}, a name of its own, and what
// earlier steps saved.
type wireEnv map[string]string

func newEnv(base string) wireEnv {
	pick := func(limit int64) int64 {
		n, err := rand.Int(rand.Reader, big.NewInt(limit))
		if err != nil {
			panic(err) // crypto/rand does not fail
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

var (
	variable = regexp.MustCompile(`\$\{(\w+)\}`)
	// number is a whole JSON string: one that begins within another has a
	// backslash before it.
	number = regexp.MustCompile(`([^\\])"\$\{#([nf])\}"`)
)

// fill reads JSON, with the variables in it replaced, into a value.
func (env wireEnv) fill(text json.RawMessage, into any) error {
	text = number.ReplaceAllFunc(text, func(v []byte) []byte {
		m := number.FindSubmatch(v)
		return append(slices.Clone(m[1]), env[string(m[2])]...)
	})
	text = variable.ReplaceAllFunc(text, func(v []byte) []byte {
		value, known := env[string(v[2:len(v)-1])]
		if !known {
			return v
		}
		quoted, err := jsontext.AppendQuote(nil, value)
		if err != nil {
			return v
		}
		return quoted[1 : len(quoted)-1]
	})
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w in %s", err, text)
	}
	return nil
}

func (env wireEnv) save(save map[string]string, got answer, jar fields) {
	for name, source := range save {
		var value any
		switch kind, key, _ := strings.Cut(source, "."); kind {
		case "cookie":
			if i := jar.index(key); i >= 0 {
				value = jar[i].value
			}
		case "json":
			value = got.body
			for part := range strings.SplitSeq(key, ".") {
				object, _ := value.(map[string]any)
				value = object[part]
			}
		}
		if value == nil {
			value = "None" // as where the exchanges were recorded
		}
		env[name] = fmt.Sprint(value)
	}
}

// send sends a request with the cookies of the jar and keeps those that come
// back.
func send(base string, r wireRequest, jar *fields) (answer, error) {
	if r.ClearJar {
		*jar = nil
	}
	for _, name := range r.DropCookies {
		jar.remove(name)
	}
	for _, c := range r.SetCookies {
		jar.set(c.name, c.value)
	}
	if r.Jar != nil && !*r.Jar {
		return exchange(base, r, nil)
	}
	got, err := exchange(base, r, *jar)
	for _, name := range got.cookieOrder {
		if c := got.cookies[name]; c.Attrs["max-age"] == "0" || c.Value == "" {
			jar.remove(name)
		} else {
			jar.set(name, c.Value)
		}
	}
	return got, err
}

// exchange writes the request as bytes, so that nothing is added or mended,
// and follows no redirect.
func exchange(base string, r wireRequest, cookies fields) (answer, error) {
	host := strings.TrimPrefix(base, "http://")
	text, err := r.text(host, cookies)
	if err != nil {
		return answer{}, err
	}
	conn, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return answer{}, err
	}
	if _, err := conn.Write(text); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return newAnswer(response, raw), nil
}

// text is the request as it goes over the wire.
func (r wireRequest) text(host string, cookies fields) ([]byte, error) {
	body, hasBody, err := r.body()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, quotePath(r.Path))
	if !r.Headers.hasHeader("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	if r.JSON != nil && !r.Headers.hasHeader("Content-Type") {
		b.WriteString("Content-Type: application/json\r\n")
	}
	if len(cookies) > 0 && !r.Headers.hasHeader("Cookie") {
		pairs := make([]string, len(cookies))
		for i, c := range cookies {
			pairs[i] = c.name + "=" + c.value
		}
		fmt.Fprintf(&b, "Cookie: %s\r\n", strings.Join(pairs, "; "))
	}
	if hasBody || slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, r.Method) {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes(), nil
}

func (r wireRequest) body() (body []byte, hasBody bool, err error) {
	switch {
	case r.JSON != nil:
		body, err = spaced(r.JSON)
	case r.Body != nil:
		body = []byte(*r.Body)
	case r.BodyB64 != nil:
		body, err = base64.StdEncoding.DecodeString(*r.BodyB64)
	case r.BodyRepeat != nil:
		body, err = repeated(r.BodyRepeat)
	default:
		return nil, false, nil
	}
	return body, true, err
}

// spaced writes JSON on one line, with a space behind each comma and colon, as
// the client that recorded the exchanges did.
func spaced(text json.RawMessage) ([]byte, error) {
	v := jsontext.Value(slices.Clone(text))
	err := v.Format(jsontext.Multiline(false), jsontext.SpaceAfterComma(true), jsontext.SpaceAfterColon(true),
		jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true))
	return v, err
}

func repeated(parts []json.RawMessage) ([]byte, error) {
	var head, text, tail string
	var times int
	into := []any{&head, &text, &times, &tail}
	if len(parts) != len(into) {
		return nil, fmt.Errorf("body_repeat has %d parts", len(parts))
	}
	for i, part := range parts {
		if err := json.Unmarshal(part, into[i]); err != nil {
			return nil, err
		}
	}
	return []byte(head + strings.Repeat(text, times) + tail), nil
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

// answer is what came back.
type answer struct {
	status      int
	header      http.Header
	raw         []byte
	body        any // of an answer in JSON, nil if there is none
	cookies     map[string]wireCookie
	cookieOrder []string
}

func newAnswer(r *http.Response, raw []byte) answer {
	got := answer{status: r.StatusCode, header: r.Header, raw: raw, cookies: map[string]wireCookie{}}
	if strings.Contains(strings.Join(r.Header.Values("Content-Type"), ", "), "json") && utf8.Valid(raw) {
		if decode(raw, &got.body) != nil {
			got.body = nil
		}
	}
	for _, line := range r.Header.Values("Set-Cookie") {
		name, c := parseCookie(line)
		got.cookies[name] = c
		got.cookieOrder = append(got.cookieOrder, name)
	}
	return got
}

func parseCookie(line string) (name string, c wireCookie) {
	parts := strings.Split(line, ";")
	name, value, _ := strings.Cut(strings.TrimSpace(parts[0]), "=")
	c = wireCookie{Value: strings.Trim(value, `"`), Attrs: map[string]string{}}
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
	return name, c
}
