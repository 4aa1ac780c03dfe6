package drf

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestRender(t *testing.T) {
	answer := Object{
		{"id", int64(7)},
		{"name", "é\u2028"},
		{"ok", true},
		{"none", nil},
		{"list", []string{"a", "b"}},
		{"empty", []string{}},
		{"nothing", Object{}},
		{"deep", []any{1, Object{{"x", false}}, []any{}}},
	}
	tests := []struct {
		name   string
		value  any
		indent int
		want   string
	}{
		{"compact", answer, 0, `{"id":7,"name":"é\u2028","ok":true,"none":null,"list":["a","b"],"empty":[],"nothing":{},"deep":[1,{"x":false},[]]}`},
		{"indented", answer, 2, `{
  "id": 7,
  "name": "é\u2028",
  "ok": true,
  "none": null,
  "list": [
    "a",
    "b"
  ],
  "empty": [],
  "nothing": {},
  "deep": [
    1,
    {
      "x": false
    },
    []
  ]
}`},
		{"an error", NotAllowed("GET").Object(), 0, `{"detail":"Method \"GET\" not allowed."}`},
		{"errors keep the order of the fields", Errors{{"b", []string{"1", "2"}}, {"a", []string{"3"}}}, 0, `{"b":["1","2"],"a":["3"]}`},
		{"no answer", nil, 0, ""},
		{"a text alone", "a", 4, `"a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Render(tt.value, tt.indent)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestAppendString(t *testing.T) {
	for text, want := range map[string]string{
		"":                     `""`,
		"a/b<c>&'":             `"a/b<c>&'"`,
		"\"\\\b\f\n\r\t":       `"\"\\\b\f\n\r\t"`,
		"\x00\x07\x1b\x1f":     `"\u0000\u0007\u001b\u001f"`,
		"\x7f\u0080\u00a0é😀":   "\"\x7f\u0080\u00a0é😀\"",
		"\u2028\u2029\u202a":   `"\u2028\u2029` + "\u202a\"",
		"a\xffb\xe2\x82\ufffd": `"a�b���"`,
	} {
		if got := string(AppendString(nil, text)); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
	if got := string(AppendString([]byte("x"), "y")); got != `x"y"` {
		t.Errorf("appending gives %s", got)
	}
}

func TestAppendStringIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		out := AppendString(nil, text)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || !utf8.Valid(out) {
			t.Fatalf("%s: %v", out, err)
		}
		if utf8.ValidString(text) && back != text {
			t.Fatalf("%q comes back as %q", text, back)
		}
	})
}

func TestRenderIsReadBackAtEveryIndentation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}`), 0, 4, rapid.ID).Draw(t, "names")
		o := Object{}
		for _, n := range names {
			o = append(o, Member{n, rapid.SliceOf(rapid.String()).Draw(t, n)})
		}
		compact := Render(o, 0)
		var squeezed strings.Builder
		indented := Render(o, rapid.IntRange(1, maxIndent).Draw(t, "indent"))
		var want, got any
		if json.Unmarshal(compact, &want) != nil || json.Unmarshal(indented, &got) != nil {
			t.Fatalf("not JSON: %s", indented)
		}
		for line := range strings.Lines(string(indented)) {
			line = strings.TrimSuffix(strings.TrimLeft(line, " "), "\n")
			squeezed.WriteString(strings.Replace(line, `": `, `":`, 1))
		}
		if len(names) > 0 && !strings.Contains(string(compact), `": `) && squeezed.String() != string(compact) {
			t.Fatalf("%s\n%s", squeezed.String(), compact)
		}
	})
}

func TestMetadata(t *testing.T) {
	const want = `{"name":"Login Api","description":"","renders":["application/json","text/html"],` +
		`"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"]}`
	if got := string(Render(Metadata("Login Api", "", true), 0)); got != want {
		t.Errorf("got %s", got)
	}
}

func BenchmarkRenderUser(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Render(Object{{"id", int64(7)}, {"username", "ada.lovelace"}, {"email", "ada@example.com"}}, 0)
	}
}
