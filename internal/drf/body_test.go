package drf

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestBodyPicksTheParserByContentType(t *testing.T) {
	const object, form = `{"a":"b"}`, "a=b"
	tests := []struct {
		name, contentType, body string
		want                    string // value of a, or the detail of the error
	}{
		{"JSON", "application/json", object, "b"},
		{"JSON in capitals", "Application/JSON", object, "b"},
		{"JSON with a charset", "application/json; charset=utf-8", object, "b"},
		{"a wildcard takes the first parser", "*/*", object, "b"},
		{"a form", "application/x-www-form-urlencoded", form, "b"},
		{"a form by wildcard", "*/x-www-form-urlencoded", form, "b"},
		{"text", "text/plain", object, `Unsupported media type "text/plain" in request.`},
		{"a type built on JSON", "application/vnd.api+json", object, `Unsupported media type "application/vnd.api+json" in request.`},
		{"no type", "", object, `Unsupported media type "" in request.`},
		{"a type in Latin-1 is shown as text", "caf\xe9/x", object, `Unsupported media type "café/x" in request.`},
		{"an empty body is no data whatever the type", "text/plain", "", ""},
		{"an empty body of JSON is no data", "application/json", "", ""},
		{"white space is no JSON", "application/json", " ", "JSON parse error - the text ends too early"},
		{"a multipart form without a boundary", "multipart/form-data", "x", "Multipart form parse error - the boundary is missing or not valid"},
		{"the parser of multipart forms wants lower case", "Multipart/form-data; boundary=x", "x", "Multipart form parse error - the Content-Type is not multipart/form-data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body(tt.contentType, []byte(tt.body))
			got := data.lookup("a").text
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBodyReadsTheCharset(t *testing.T) {
	tests := []struct {
		name, contentType, body, want string
		ok                            bool
	}{
		{"UTF-8 by default", "application/json", "\"\xc3\xa9\"", "é", true},
		{"bytes that are no UTF-8", "application/json", "\"\xe9\"", "", false},
		{"ISO 8859-1", "application/json; charset=iso-8859-1", "\"\xe9\"", "é", true},
		{"its alias in quotes", `application/json; charset="Latin_1"`, "\"\xe9\"", "é", true},
		{"ASCII", "application/json; charset=US-ASCII", `"e"`, "e", true},
		{"beyond ASCII", "application/json; charset=ascii", "\"\xc3\xa9\"", "", false},
		{"a charset nobody knows counts as UTF-8", "application/json; charset=klingon", "\"\xc3\xa9\"", "é", true},
		{"a byte order mark is refused", "application/json", "\xef\xbb\xbf\"e\"", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body(tt.contentType, []byte(`{"a":`+tt.body+`}`))
			if strings.HasPrefix(tt.body, "\xef") {
				data, err = Body(tt.contentType, []byte(tt.body))
			}
			if got := data.lookup("a").text; got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestBodyOfJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	const bad = "JSON parse error - "
	tests := []struct {
		name, body, want string // want: type and text of a, or the beginning of the error
	}{
		{"a text", `"b"`, "str b"},
		{"escapes", `"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"`, "str é😀/\b\f\n\r\t\"\\"},
		{"an integer keeps its digits", "123456789012345678901234567890", "int 123456789012345678901234567890"},
		{"no minus before an integer zero", "-0", "int 0"},
		{"a float", "1.5", "float 1.5"},
		{"a float with an exponent", "1e16", "float 1e+16"},
		{"a float without a fraction", "1E2", "float 100.0"},
		{"a small float", "0.00001", "float 1e-05"},
		{"a float is rounded to 64 bits", "0.1000000000000000055511151231257827", "float 0.1"},
		{"a float too large is infinite", "1E400", "float inf"},
		{"a float too small is zero", "-1E-400", "float -0.0"},
		{"true", "true", "bool "},
		{"null", "null", "NoneType "},
		{"an array", "[1,[2]]", "list "},
		{"an object", `{"a":{}}`, "dict "},
		{"the deepest array", deep(MaxDepth - 1), "list "},
		{"an array too deep", deep(MaxDepth), bad + "nested deeper than 64 levels"},
		{"an integer of 4300 digits", strings.Repeat("7", 4300), "int " + strings.Repeat("7", 4300)},
		{"an integer of 4301 digits", "-" + strings.Repeat("7", 4301), bad + "a number of more than 4300 digits"},
		{"such an integer in a value that is not looked at", "[" + strings.Repeat("7", 4301) + "]", bad + "a number of more than 4300 digits"},
		{"a float of as many digits", "0." + strings.Repeat("7", 4301), "float 0.7777777777777778"},
		{"not a number", "NaN", bad + "malformed at byte"},
		{"minus infinity", "-Infinity", bad + "malformed at byte"},
		{"a leading zero", "01", bad + "malformed at byte"},
		{"a line break in a text", "\"\n\"", bad + "malformed at byte"},
		{"half a surrogate pair", `"\ud800x"`, "str \ufffdx"},
		{"bytes of a surrogate", "\"\xed\xa0\x80\"", bad + "the body is not in its charset"},
		{"single quotes", "'b'", bad + "malformed at byte"},
		{"nothing", "", bad + "malformed at byte"},
		{"a trailing comma", "1,", bad + "malformed at byte"},
		{"text after the object", "1} x", bad},
		{"an open end", "[", bad + "malformed at byte"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body("application/json", []byte(`{"a":`+tt.body+`}`))
			v := data.lookup("a")
			got := kindNames[v.kind] + " " + v.text
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && !(strings.HasPrefix(tt.want, bad) && strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheLastOfTwoMembersCounts(t *testing.T) {
	for contentType, body := range map[string]string{
		"application/json":                  `{"a":1,"b":2,"a":"last"}`,
		"application/x-www-form-urlencoded": "a=1&b=2&a=last",
	} {
		data, err := Body(contentType, []byte(body))
		if got := data.lookup("a").text; err != nil || got != "last" {
			t.Errorf("%s: %q, %v", contentType, got, err)
		}
	}
}

func TestParseErrorsDoNotQuoteTheBody(t *testing.T) {
	for _, body := range []string{`{"password":"hunter2"`, `{"hunter2":hunter2}`, `["hunter2" "hunter2"]`, `{"a":"\u00hunter2"}`} {
		if _, err := Body("application/json", []byte(body)); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDataAndValuesDoNotPrintWhatTheyHold(t *testing.T) {
	data, err := Body("application/json", []byte(`{"username":"hunter1","password":"hunter2"}`))
	if err != nil {
		t.Fatal(err)
	}
	values, errs, err := loginForm.Run(data, nil)
	if errs != nil || err != nil {
		t.Fatal(errs, err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "data", data, "values", values)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "data", data, "values", values)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb, data, values)
	}
	if strings.Contains(log.String(), "hunter") {
		t.Error(log.String())
	}
}

func TestFormValue(t *testing.T) {
	multipart := "--x\r\nContent-Disposition: form-data; name=t\r\n\r\nc\r\n" +
		"--x\r\nContent-Disposition: form-data; name=t; filename=f\r\n\r\nd\r\n--x--\r\n"
	tests := []struct {
		name, contentType, body, want string
		form                          bool
	}{
		{"the last text counts", "application/x-www-form-urlencoded", "t=a&t=b", "b", true},
		{"a file does not count", "multipart/form-data; boundary=x", multipart, "c", true},
		{"JSON has none", "application/json", `{"t":"a"}`, "", false},
		{"a form by wildcard has none", "*/x-www-form-urlencoded", "t=a", "", false},
		{"an empty form has none", "application/x-www-form-urlencoded", "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body(tt.contentType, []byte(tt.body))
			if got := data.FormValue("t"); got != tt.want || data.IsForm() != tt.form || err != nil {
				t.Errorf("got %q, form %v, %v", got, data.IsForm(), err)
			}
		})
	}
}

func TestQueryValue(t *testing.T) {
	tests := []struct{ name, query, want string }{
		{"none", "", ""},
		{"another", "a=1", ""},
		{"the last counts", "format=xml&format=json", "json"},
		{"an empty one last", "format=json&format=", ""},
		{"without a value", "format", ""},
		{"escaped", "form%61t=%6a+son", "j son"},
		{"a semicolon parts nothing", "format=json;a=1", "json;a=1"},
		{"Latin-1", "format=\xe9", "é"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := QueryValue(tt.query, "format"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFormHasAtMostThousandFields(t *testing.T) {
	const contentType = "application/x-www-form-urlencoded"
	pairs := func(n int) []byte { return []byte(strings.TrimSuffix(strings.Repeat("a=1&", n), "&")) }
	if _, err := Body(contentType, pairs(1000)); err != nil {
		t.Error(err)
	}
	_, err := Body(contentType, pairs(1001))
	if diff := cmp.Diff(&Error{Status: 400, Detail: "The form has more than 1000 fields."}, err); diff != "" {
		t.Error(diff)
	}
}

// FuzzJSON holds the parser against encoding/json, which accepts a little more.
func FuzzJSON(f *testing.F) {
	for _, body := range []string{
		`{"username":"a","password":"b"}`, `{"a":[{"b":null}],"a":1e5}`, "[", `"\ud800"`, "-0", " true\n", `{"":{}}`, `{"a":1}x`, "1E400", "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := string(body)
		data, err := Body("application/json", body)
		if string(body) != before {
			t.Fatal("the body was written to")
		}
		if len(body) == 0 {
			if err != nil || data.top != kindDict {
				t.Fatal("an empty body is no data")
			}
			return
		}
		if err != nil {
			if !isStricter(body) && json.Valid(body) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		text, ok := utf8Text.decodeStream(body)
		if body = []byte(text); !ok || !json.Valid(body) {
			t.Fatal("accepted what is no JSON")
		}
		if data.top == kindDict {
			sameMembers(t, body, data)
		}
	})
}

// isStricter reports whether a body may be refused that encoding/json takes.
func isStricter(body []byte) bool {
	text := strings.ToLower(string(body))
	return !utf8.Valid(body) || len(body) > maxIntDigits ||
		strings.Count(text, "[")+strings.Count(text, "{") > MaxDepth
}

func sameMembers(t *testing.T, body []byte, data Data) {
	var want map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		got := data.lookup(name)
		switch v := v.(type) {
		case string:
			if got.kind != kindText || got.text != v {
				t.Fatalf("%q: got %q, want %q", name, got.text, v)
			}
		case json.Number:
			if got.kind == kindInt && got.text != v.String() && v != "-0" || got.kind != kindInt && got.kind != kindFloat {
				t.Fatalf("%q: got %q, want %q", name, got.text, v)
			}
		default:
			kinds := map[string]kind{"bool": kindBool, "[]interface {}": kindList, "map[string]interface {}": kindDict, "<nil>": kindNull}
			if got.kind != kinds[fmt.Sprintf("%T", v)] {
				t.Fatalf("%q: got %s for %T", name, kindNames[got.kind], v)
			}
		}
	}
	for _, m := range data.members {
		if _, ok := want[m.name]; !ok {
			t.Fatalf("%q is not there", m.name)
		}
	}
}

// FuzzForm holds the parser against net/url wherever that accepts the text and decoding gives UTF-8.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"a=b&c=d+e%20f", "a&&=b&a==c", "%C3%A9=%c3%28", "\xe9=%e2%82", "%=%4&%zz", "a=1;b=2", "é%C3=é"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data, err := Body("application/x-www-form-urlencoded", body)
		if err != nil {
			if strings.Count(string(body), "&") < maxFields {
				t.Fatal(err)
			}
			return
		}
		for _, m := range data.members {
			if !utf8.ValidString(m.name) || !utf8.ValidString(m.value.text) {
				t.Fatalf("%q=%q is not UTF-8", m.name, m.value.text)
			}
		}
		want, err := url.ParseQuery(string(body))
		if err != nil || !isASCII(string(body)) || !utf8.Valid(unquoteBytes(string(body))) {
			return
		}
		for name, values := range want {
			if got := data.FormValue(name); got != values[len(values)-1] {
				t.Fatalf("%q: got %q, want %q", name, got, values)
			}
		}
	})
}

func BenchmarkLoginBody(b *testing.B) {
	for contentType, body := range map[string]string{
		"application/json":                  `{"username":"ada.lovelace","password":"correct horse battery staple"}`,
		"application/x-www-form-urlencoded": "username=ada.lovelace&password=correct+horse+battery+staple",
		"multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada.lovelace\r\n" +
			"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse battery staple\r\n--x--\r\n",
	} {
		b.Run(strings.SplitN(contentType, ";", 2)[0], func(b *testing.B) {
			b.ReportAllocs()
			raw := []byte(body)
			for b.Loop() {
				data, err := Body(contentType, raw)
				if err != nil {
					b.Fatal(err)
				}
				if values, errs, _ := loginForm.Run(data, nil); errs != nil || values.Get("username") != "ada.lovelace" {
					b.Fatal(errs)
				}
			}
		})
	}
}
