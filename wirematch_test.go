package postern_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wireExpect is what an answer must be. In JSON and in the values of cookies
// "<any>" is anything, "<int>" any integer, "<alnum:N>" N letters and digits,
// "<starts:TEXT>" a text that begins so.
type wireExpect struct {
	Status  any // a number, a list of them, or "<any>"
	JSON    json.RawMessage
	Empty   bool
	Headers map[string]any // only these are compared; null: must be absent
	Cookies map[string]wireCookie
}

type wireCookie struct {
	Value string
	Attrs map[string]string
}

// compare says what of the answer is not as expected.
func (want wireExpect) compare(got answer) (problems []string) {
	if !want.statusIs(got.status) {
		problems = append(problems, fmt.Sprintf("status %d, want %v: %.120s", got.status, want.Status, got.raw))
	}
	if want.JSON != nil {
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

// decode reads one JSON value and nothing behind it, numbers as they are
// written.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func matchJSON(want, got any, path string) []string {
	mismatch := []string{fmt.Sprintf("%s: %v, want %v", path, got, want)}
	switch w := want.(type) {
	case string:
		if matchText(w, got) {
			return nil
		}
		return mismatch
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w.String(), g.String()) {
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
	if want == got { // true, false, null
		return nil
	}
	return mismatch
}

var alnumPattern = regexp.MustCompile(`^<alnum:(\d+)>$`)

func matchText(want string, got any) bool {
	if want == "<any>" {
		return true
	}
	if want == "<int>" {
		n, ok := got.(json.Number)
		return ok && isInt(n.String())
	}
	text, ok := got.(string)
	if !ok {
		return false
	}
	if prefix, ok := strings.CutPrefix(want, "<starts:"); ok {
		return strings.HasPrefix(text, strings.TrimSuffix(prefix, ">"))
	}
	if m := alnumPattern.FindStringSubmatch(want); m != nil {
		other := func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}
		return strconv.Itoa(len(text)) == m[1] && !strings.ContainsFunc(text, other)
	}
	return want == text
}

func isInt(number string) bool { return !strings.ContainsAny(number, ".eE") }

// sameNumber compares as Python does, but an integer is never a float.
func sameNumber(a, b string) bool {
	if isInt(a) != isInt(b) {
		return false
	}
	if isInt(a) {
		x, okX := new(big.Int).SetString(a, 10)
		y, okY := new(big.Int).SetString(b, 10)
		return okX && okY && x.Cmp(y) == 0
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// setHeaders compare as sets; of Vary the answer may have more.
var setHeaders = []string{"vary", "allow", "access-control-allow-methods", "access-control-allow-headers"}

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
		if slices.Contains(setHeaders, strings.ToLower(name)) {
			return subset(setOf(w), setOf(got)) && (strings.EqualFold(name, "Vary") || subset(setOf(got), setOf(w)))
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
		problems = append(problems, matchJSON(w.Value, g.Value, "cookie "+name)...)
		if !maps.Equal(w.Attrs, g.Attrs) {
			problems = append(problems, fmt.Sprintf("cookie %s has attributes %v, want %v", name, g.Attrs, w.Attrs))
		}
	}
	return problems
}

func TestAnAnswerIsComparedAsTheRecordingSays(t *testing.T) {
	for _, test := range []struct {
		want, got string
		same      bool
	}{
		{`{"a":1}`, `{"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"b":2}`, `{"a":1}`, false},
		{`{"a":1}`, `{"b":1}`, false},
		{`{}`, `null`, false},
		{`[1,2]`, `[1,2]`, true},
		{`[1,2]`, `[1,3]`, false},
		{`[1,2]`, `[1]`, false},
		{`1`, `1.0`, false},
		{`1.50`, `1.5`, true},
		{`1e2`, `100.0`, true},
		{`-0`, `0`, true},
		{`1`, `true`, false},
		{`null`, `null`, true},
		{`null`, `false`, false},
		{`"<int>"`, `7`, true},
		{`"<int>"`, `123456789012345678901234567890`, true},
		{`"<int>"`, `7.0`, false},
		{`"<int>"`, `"7"`, false},
		{`"<int>"`, `true`, false},
		{`"<any>"`, `[{}]`, true},
		{`"<alnum:3>"`, `"aB9"`, true},
		{`"<alnum:3>"`, `"aB9x"`, false},
		{`"<alnum:3>"`, `"a-9"`, false},
		{`"<alnum:3>"`, `"aé"`, false},
		{`"<alnum:3>"`, `123`, false},
		{`"<starts:ab>"`, `"abc"`, true},
		{`"<starts:ab>"`, `"ac"`, false},
		{`"<starts:ab>"`, `1`, false},
		{`"ab"`, `"abc"`, false},
	} {
		var want, got any
		if err := errors.Join(decode([]byte(test.want), &want), decode([]byte(test.got), &got)); err != nil {
			t.Fatal(err)
		}
		if problems := matchJSON(want, got, "body"); (len(problems) == 0) != test.same {
			t.Errorf("%s against %s: %q", test.got, test.want, problems)
		}
	}
}
