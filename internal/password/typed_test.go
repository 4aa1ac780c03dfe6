package password

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// pythonSpace is every character c for which c.strip() == "" in Python 3.12,
// found by trying all of them.
const pythonSpace = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

func TestTrim_RemovesWhatPythonStrips(t *testing.T) {
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		typed, want := string(r)+"pass word"+string(r), "pass word"
		if !strings.ContainsRune(pythonSpace, r) {
			want = typed
		}
		if got := Trim(typed); got != want {
			t.Errorf("Trim(%q) = %q", typed, got)
		}
	}
	if got := Trim(pythonSpace + "x\u200by" + pythonSpace); got != "x\u200by" {
		t.Errorf("of several spaces %q stayed", got)
	}
}

func TestAsTyped_TriesTheStoredFormFirst(t *testing.T) {
	for typed, want := range map[string][]string{
		"":          {""},
		"secret":    {"secret"},
		" secret":   {"secret", " secret"},
		"secret\n":  {"secret", "secret\n"},
		"   ":       {"   "},
		"\u3000x ":  {"x", "\u3000x "},
		"sec ret":   {"sec ret"},
		"\u200bsec": {"\u200bsec"}, // invisible, and no space
	} {
		if got := AsTyped(typed); !slices.Equal(got, want) {
			t.Errorf("AsTyped(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestCheckText_RefusesWhatTheAPIWould(t *testing.T) {
	for _, plain := range []string{"", "a\x00b", "\xff\xfe", "a\xed\xa0\x80", strings.Repeat("x", MaxBytes+1)} {
		var invalid *Invalid
		if err := CheckText(plain); !errors.As(err, &invalid) || invalid.Problem == "" {
			t.Errorf("%.20q: %v", plain, err)
		}
	}
	for _, plain := range []string{"x", "pässwörd", "\u200b", "\ufffd", strings.Repeat("x", MaxBytes)} {
		if err := CheckText(plain); err != nil {
			t.Errorf("%.20q: %v", plain, err)
		}
	}
}
