package drf

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestFloatTextIsPythonsRepr(t *testing.T) {
	for text, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "1.5": 1.5, "100.0": 1e2, "0.1": 0.1, "0.0001": 1e-4, "1e-05": 1e-5,
		"1234567890123456.0": 1234567890123456, "1e+16": 1e16, "1.2345678901234568e+16": 12345678901234567, "-1e+22": -1e22,
		"5e-324": 5e-324, "1.7976931348623157e+308": math.MaxFloat64, "inf": math.Inf(1), "-inf": math.Inf(-1),
	} {
		if got := floatText(f); got != text {
			t.Errorf("%g gives %s, want %s", f, got, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		if back, err := strconv.ParseFloat(floatText(f), 64); err != nil || back != f {
			t.Fatalf("%s comes back as %g, %v", floatText(f), back, err)
		}
	})
}

func TestParseIntIsPythonsInt(t *testing.T) {
	const bad = -99
	for text, want := range map[string]int{
		"4": 4, " 4\u00a0": 4, "+4": 4, "-4": -1, "0": 0, "-0": 0, "007": 7, "1_0": 8, "99999999999999999999": 8,
		"": bad, " ": bad, "+": bad, "-": bad, "_1": bad, "1_": bad, "1__0": bad, "+_1": bad, "4.0": bad, "0x4": bad, "1e2": bad, "- 4": bad, "--4": bad, "é": bad,
	} {
		got, ok := parseInt(text, 8)
		if !ok {
			got = bad
		}
		if got != want {
			t.Errorf("%q gives %d, want %d", text, got, want)
		}
	}
}

func TestStripTakesWhatPythonTakesForSpace(t *testing.T) {
	const space = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	if got := strip(space + "a" + space + "b" + space); got != "a"+space+"b" {
		t.Errorf("%q", got)
	}
	for _, r := range "\x00\x1b\u180e\u200b\u2060\ufeff" {
		if got := strip(string(r)); got != string(r) {
			t.Errorf("%U is taken for space", r)
		}
	}
}

func TestDecodeReplacingAsPython(t *testing.T) {
	tests := []struct {
		name string
		cs   *charset
		in   string
		want string
	}{
		{"a sequence cut short is one", utf8Text, "\xf0\x9f\x98a", "�a"},
		{"a byte that begins nothing is one", utf8Text, "\x80\xff\xc0\xaf", "����"},
		{"a surrogate is three", utf8Text, "\xed\xa0\x80", "���"},
		{"an overlong form is one for each byte", utf8Text, "\xe0\x80\x80\xf0\x80\x80\x80", "�������"},
		{"beyond Unicode", utf8Text, "\xf4\x90\x80\x80", "����"},
		{"a second sequence begins where the first breaks off", utf8Text, "\xe2\x82\xe2\x82\xac", "�€"},
		{"valid text stays, U+FFFD too", utf8Text, "é\ufffd\xff", "é\ufffd�"},
		{"Latin-1 is always valid", latin1Text, "\xe9\xff", "éÿ"},
		{"ASCII has one for each byte", asciiText, "a\xc3\xa9", "a��"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cs.decodeReplacing([]byte(tt.in)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestCharsetNames(t *testing.T) {
	for name, want := range map[string]*charset{
		"utf-8": utf8Text, "UTF8": utf8Text, "U8": utf8Text, " utf  8 ": utf8Text, "latin-1": latin1Text,
		"ISO_8859-1:1987": latin1Text, "l1": latin1Text, "us-ascii": asciiText, "ANSI_X3.4-1968": asciiText, "646": asciiText,
	} {
		if got, ok := charsetOf(name); !ok || got != want {
			t.Errorf("%q: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "utf-9", "latin-2", "utf.8", "----"} {
		if _, ok := charsetOf(name); ok {
			t.Errorf("%q is known", name)
		}
	}
}

func TestHeaderParameters(t *testing.T) {
	tests := []struct{ name, header, main, x string }{
		{"none", "Text/HTML", "text/html", "<none>"},
		{"plain", "a; x=1", "a", "1"},
		{"space and case", "a ; X = 1 ;y", "a", "1"},
		{"the last counts", "a; x=1; x=2", "a", "2"},
		{"empty ones are passed over", "a;;;x=1", "a", "1"},
		{"quoted", `a; x="1;2"`, "a", "1;2"},
		{"escaped in quotes", `a; x="1\"2\\3"`, "a", `1"2\3`},
		{"a quote that is not closed", `a; y="; x=1`, "a", "<none>"},
		{"a quote within", `a; x=1"2`, "a", `1"2`},
		{"encoded", "a; x*=UTF-8'en'%C3%A9", "a", "é"},
		{"encoded in Latin-1", "a; x*=latin-1''%E9", "a", "é"},
		{"encoded in KOI8-R", `a; x*=koi8-r''%E9`, "a", "И"},
		{"encoded in something else", `a; x*=cp737''%E9`, "a", "%E9"},
		{"with a star only", "a; x*=1", "a", "1"},
		{"empty", "", "", "<none>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			main, params := cutHeader(tt.header)
			x, ok := params.get("x")
			if !ok {
				x = "<none>"
			}
			if main != tt.main || x != tt.x {
				t.Errorf("got %q, %q", main, x)
			}
		})
	}
}
