package drf

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// vector is a line of testdata/vectors.jsonl, or of charsets.jsonl for encodings and lone surrogates: one input, and what Django REST framework's own classes made of
// it, on Django's parsers and validators and Python's json, re and urllib.parse. Accept, Ct and Q are text
// whose characters stand for the bytes of a header.
type vector struct {
	Op string `json:"op"`

	Accept string `json:"accept"` // accept
	Has    bool   `json:"has"`
	Format string `json:"format"`

	Ct   string  `json:"ct"` // body
	Ser  string  `json:"ser"`
	Body *string `json:"body"`
	B64  []byte  `json:"b64"`

	S      string          `json:"s"` // email, username, norm
	Q      string          `json:"q"` // query
	Name   string          `json:"name"`
	V      json.RawMessage `json:"v"` // render
	Indent int             `json:"indent"`

	Want json.RawMessage `json:"want"`
}

func TestAnswersAsTheModelDoes(t *testing.T) {
	ran := map[string]int{}
	for _, file := range []string{"testdata/vectors.jsonl", "testdata/charsets.jsonl"} {
		runVectors(t, file, ran)
	}
	if len(ran) != 7 || ran["body"] < 1000 {
		t.Errorf("ran %v", ran)
	}
}

func runVectors(t *testing.T, file string, ran map[string]int) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(v.Want, &want); err != nil {
			t.Fatal(err)
		}
		got := throughJSON(t, v.run(t))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n-model +here\n%s", lines.Bytes(), diff)
		}
		ran[v.Op]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func throughJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func (v vector) run(t *testing.T) any {
	switch v.Op {
	case "accept":
		a, err := Negotiate(headerBytes(v.Accept), v.Has, v.Format)
		if err != nil {
			return map[string]any{"detail": err.Error()}
		}
		return map[string]any{"format": formats[a.Format].name, "indent": a.Indent}
	case "body":
		return v.runBody(t)
	case "email":
		return Email(v.S)
	case "username":
		return Username(v.S)
	case "norm":
		return NormalizeEmail(v.S)
	case "query":
		return QueryValue(headerBytes(v.Q), v.Name)
	case "render":
		return string(Render(orderedValue(t, v.V), v.Indent))
	}
	t.Fatalf("unknown vector %q", v.Op)
	return nil
}

func (v vector) runBody(t *testing.T) any {
	body := v.B64
	if v.Body != nil {
		body = []byte(*v.Body)
	}
	data, err := Body(headerBytes(v.Ct), body)
	if err != nil {
		e := err.(*Error)
		return map[string]any{"status": e.Status, "detail": withoutReason(e.Detail)}
	}
	s := vectorSerializers[v.Ser]
	values, errs, err := s.Run(data, vectorTaken)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if token := data.FormValue("csrfmiddlewaretoken"); token != "" {
		got["csrf"] = token
	}
	if errs != nil {
		got["errors"] = json.RawMessage(Render(errs, 0))
		return got
	}
	texts := map[string]string{}
	for _, f := range s {
		if values.Has(f.Name) {
			texts[f.Name] = values.Get(f.Name)
		}
	}
	got["values"] = texts
	return got
}

// withoutReason cuts a detail after the part that is the model's: the rest is in our own words.
func withoutReason(detail string) string {
	for _, own := range []string{"JSON parse error - ", "Multipart form parse error - "} {
		if len(detail) > len(own) && detail[:len(own)] == own {
			return own
		}
	}
	return detail
}

var vectorSerializers = map[string]Serializer{
	"login":    loginForm,
	"register": registerForm,
	"odd": {
		{Name: "a", Optional: true},
		{Name: "b", AllowNull: true, KeepSpace: true, MinLength: 3},
		{Name: "c", AllowBlank: true, AllowNull: true, MaxLength: 4, MinLength: 2},
		{Name: "d", Optional: true, AllowNull: true},
		EmailField(CharField{Name: "e", KeepSpace: true, Optional: true}),
	},
}

func vectorTaken(_, text string) (bool, error) {
	switch text {
	case "bob", "taken", "a b", "1.5", "é":
		return true, nil
	}
	return false, nil
}

func headerBytes(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// orderedValue turns JSON into the values Render takes.
func orderedValue(t *testing.T, raw []byte) any {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	var value func() any
	value = func() any {
		token, err := d.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		switch token.Kind() {
		case '"':
			return token.String()
		case 't', 'f':
			return token.Kind() == 't'
		case 'n':
			return nil
		case '0':
			n, err := token.Int()
			if err != nil {
				t.Fatal(err)
			}
			return n
		case '[':
			items := []any{}
			for d.PeekKind() != ']' {
				items = append(items, value())
			}
			_, _ = d.ReadToken()
			return items
		}
		object := Object{}
		for d.PeekKind() != '}' {
			object = append(object, Member{value().(string), value()})
		}
		_, _ = d.ReadToken()
		return object
	}
	return value()
}
