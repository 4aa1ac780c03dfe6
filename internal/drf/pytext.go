package drf

import (
	"strconv"
	"strings"
	"unicode"
)

// strip removes what Python's str.strip takes for white space from both ends: Unicode's White_Space
// and the four separators U+001C to U+001F.
func strip(s string) string {
	return strings.TrimFunc(s, isSpace)
}

func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F
}

// isWord reports whether Python's re takes r for a \w: a letter, a number of any kind, or the underscore.
// Combining marks are none.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// isBlank reports whether nothing but white space is in s.
func isBlank(s string) bool {
	return strip(s) == ""
}

// floatText writes f as Python's repr does: the shortest digits that give f back, with an exponent
// below 1e-04 and from 1e+16 on, and never without a point or an exponent.
func floatText(f float64) string {
	exp := strconv.FormatFloat(f, 'e', -1, 64)
	mark := strings.LastIndexByte(exp, 'e')
	if mark < 0 {
		return strings.ToLower(strings.TrimPrefix(exp, "+"))
	}
	if n, _ := strconv.Atoi(exp[mark+1:]); n < -4 || n >= 16 {
		return exp
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// parseInt reads s as Python's int() does, held between -1 and limit: white space around it, a sign
// and single underscores between the digits are allowed. It reports false where Python raises ValueError.
func parseInt(s string, limit int) (int, bool) {
	s = strip(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	n, digits := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			n = min(n*10+int(c-'0'), limit)
			digits++
		case c != '_' || i == 0 || i == len(s)-1 || s[i-1] == '_':
			return 0, false
		}
	}
	if digits == 0 || digits > maxIntDigits {
		return 0, false
	}
	if negative {
		n = max(-n, -1)
	}
	return n, true
}

// maxIntDigits is how many digits Python converts between text and int (sys.set_int_max_str_digits).
const maxIntDigits = 4300

// lowerASCII lowers the letters A to Z only: enough, and exact, where the result is compared to ASCII text.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}
