package drf

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNegotiate(t *testing.T) {
	const absent = "<absent>"
	json, page := Accepted{JSON, 0}, Accepted{HTML, 4}
	tests := []struct {
		name, accept, format string
		want                 Accepted
		err                  error
	}{
		{"no Accept header takes JSON", absent, "", json, nil},
		{"an empty Accept header takes nothing", "", "", Accepted{}, NotAcceptable},
		{"anything goes means JSON", "*/*", "", json, nil},
		{"JSON by name", "application/json", "", json, nil},
		{"names are without case", "Application/JSON", "", json, nil},
		{"a page by name", "text/html", "", page, nil},
		{"any text is the page", "text/*", "", page, nil},
		{"any application is JSON", "application/*", "", json, nil},
		{"a wildcard may stand before the slash", "*/html", "", page, nil},
		{"a star alone is no range", "*", "", Accepted{}, NotAcceptable},
		{"what a browser sends asks for the page", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", page, nil},
		{"weights are ignored: JSON comes first among equals", "text/html;q=1.0, application/json;q=0.1", "", json, nil},
		{"weights are ignored: even zero", "application/json;q=0", "", json, nil},
		{"a parameter makes a range more specific", "application/json, text/html; level=1", "", page, nil},
		{"a weight does not", "application/json, text/html; q=1", "", json, nil},
		{"type/* wins over */*", "*/*, text/*", "", page, nil},
		{"something else or anything", "application/xml, */*;q=0.1", "", json, nil},
		{"something else", "application/xml", "", Accepted{}, NotAcceptable},
		{"indentation", "application/json; indent=4", "", Accepted{JSON, 4}, nil},
		{"indentation of at most eight", "application/json; indent=80", "", Accepted{JSON, 8}, nil},
		{"indentation of nothing is compact", "application/json; indent=0", "", json, nil},
		{"indentation below nothing is compact", "application/json; indent=-3", "", json, nil},
		{"indentation that is no number is compact", "application/json; indent=x", "", json, nil},
		{"indentation in quotes", `application/json; indent="2"`, "", Accepted{JSON, 2}, nil},
		{"indentation comes along with a wildcard", "*/*; indent=2", "", Accepted{JSON, 2}, nil},
		{"the last indentation counts", "application/json; indent=2; indent=3", "", Accepted{JSON, 3}, nil},
		{"for a wildcard the value is read again without its quotes", `*/*; a="\""; indent=2`, "", json, nil},
		{"a page may be asked for indented otherwise", "text/html; indent=2", "", Accepted{HTML, 2}, nil},
		{"a semicolon in quotes ends nothing", `application/json; a="x; indent=2"`, "", json, nil},
		{"format picks JSON", "*/*", "json", json, nil},
		{"format picks the page", absent, "api", page, nil},
		{"format does not outdo Accept", "application/json", "api", Accepted{}, NotAcceptable},
		{"an unknown format", "*/*", "xml", Accepted{}, NotFound},
		{"formats have case", "*/*", "JSON", Accepted{}, NotFound},
		{"an unknown format outdoes Accept", "image/png", "xml", Accepted{}, NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Negotiate(strings.TrimPrefix(tt.accept, absent), tt.accept != absent, tt.format)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Negotiate(%q, %q) = %v, %v; want %v, %v", tt.accept, tt.format, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestNegotiateDoesNotDependOnOrderBetweenRanges(t *testing.T) {
	ranges := []string{
		"*/*", "text/*", "application/*", "text/html", "application/json", "application/xml",
		"text/html;level=1", "application/json;v=2", "application/json;q=0.5", "image/*",
	}
	rapid.Check(t, func(t *rapid.T) {
		chosen := rapid.SliceOfN(rapid.SampledFrom(ranges), 1, 6).Draw(t, "ranges")
		shuffled := rapid.Permutation(chosen).Draw(t, "shuffled")
		a, errA := Negotiate(strings.Join(chosen, ","), true, "")
		b, errB := Negotiate(strings.Join(shuffled, " , "), true, "")
		if a != b || errA != errB {
			t.Fatalf("%v, %v in one order; %v, %v in another", a, errA, b, errB)
		}
	})
}

func TestNegotiateOfTheCheckDoesNotAllocate(t *testing.T) {
	for _, accept := range []string{"*/*", "application/json", ""} {
		if n := testing.AllocsPerRun(100, func() { _, _ = Negotiate(accept, accept != "", "") }); n != 0 {
			t.Errorf("Negotiate(%q) allocates %v times", accept, n)
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, accept := range []string{
		"", "*/*", "application/json; indent=4", `text/html; a="b;c"; q=1, */*;indent="2"`, "a/b;x*=utf-8''%e9", ",;=\"\\", "\xe9/\xff;\xa0=",
	} {
		f.Add(accept, "")
	}
	f.Add("*/*", "json")
	f.Fuzz(func(t *testing.T, accept, format string) {
		got, err := Negotiate(accept, true, format)
		switch format {
		case "", "json", "api":
		default:
			if err != NotFound {
				t.Fatalf("format %q: %v, %v", format, got, err)
			}
			return
		}
		if err != nil && err != NotAcceptable {
			t.Fatal(err)
		}
		if err == nil && format != "" && format != formats[got.Format].name {
			t.Fatalf("format %q gives %v", format, got)
		}
		if got.Indent < 0 || got.Indent > maxIndent {
			t.Fatalf("indentation of %d", got.Indent)
		}
		if _, err := Negotiate(accept+",*/*", true, format); err != nil {
			t.Fatalf("refused although anything goes: %v", err)
		}
		if upper, err2 := Negotiate(upperASCII(accept), true, format); upper.Format != got.Format || err != err2 {
			t.Fatalf("depends on case: %v, %v", upper, err2)
		}
	})
}

func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func BenchmarkNegotiate(b *testing.B) {
	for _, accept := range []string{"*/*", "application/json", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"} {
		b.Run(accept, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Negotiate(accept, true, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
