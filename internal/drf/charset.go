package drf

import (
	"strings"
	"unicode/utf8"
)

// charset is a text encoding that a Content-Type may name.
type charset int

const (
	utf8Text charset = iota
	latin1Text
	asciiText
)

// charsetNames holds Python's names and aliases of the encodings supported here, as normalised by
// Python's encodings package: lower case, runs of other characters as one underscore.
var charsetNames = map[string]charset{
	"utf_8": utf8Text, "utf8": utf8Text, "utf": utf8Text, "u8": utf8Text, "cp65001": utf8Text,
	"utf8_ucs2": utf8Text, "utf8_ucs4": utf8Text,

	"latin_1": latin1Text, "latin1": latin1Text, "latin": latin1Text, "l1": latin1Text,
	"iso8859_1": latin1Text, "iso_8859_1": latin1Text, "iso8859": latin1Text, "8859": latin1Text,
	"iso_8859_1_1987": latin1Text, "iso_ir_100": latin1Text, "cp819": latin1Text, "ibm819": latin1Text,
	"csisolatin1": latin1Text,

	"ascii": asciiText, "us_ascii": asciiText, "us": asciiText, "646": asciiText, "iso646_us": asciiText,
	"iso_646.irv_1991": asciiText, "iso_ir_6": asciiText, "ansi_x3.4_1968": asciiText,
	"ansi_x3_4_1968": asciiText, "ansi_x3.4_1986": asciiText, "cp367": asciiText, "ibm367": asciiText,
	"csascii": asciiText,
}

// charsetOf finds an encoding by any name Python knows it by.
func charsetOf(name string) (charset, bool) {
	if len(name) > 32 {
		return utf8Text, false
	}
	var b strings.Builder
	gap := false
	for _, c := range []byte(lowerASCII(name)) {
		if c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		b.WriteByte(c)
		gap = false
	}
	c, ok := charsetNames[b.String()]
	return c, ok
}

// decode reads b strictly: it reports false where Python raises UnicodeDecodeError.
func (c charset) decode(b []byte) (string, bool) {
	switch c {
	case latin1Text:
		return latin1(string(b)), true
	case asciiText:
		return string(b), isASCII(string(b))
	default:
		return string(b), utf8.Valid(b)
	}
}

// decodeReplacing reads b with U+FFFD wherever it is not valid, as Python's errors="replace".
func (c charset) decodeReplacing(b []byte) string {
	text, ok := c.decode(b)
	if ok {
		return text
	}
	var replaced strings.Builder
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r < utf8.RuneSelf || c == utf8Text && n > 1 {
			replaced.WriteRune(r)
			b = b[n:]
			continue
		}
		replaced.WriteRune(utf8.RuneError)
		n := 1
		if c == utf8Text {
			n = invalidLen(b)
		}
		b = b[n:]
	}
	return replaced.String()
}

// invalidLen counts the bytes at the start of b, which is not valid UTF-8 there, that one U+FFFD stands
// for: the longest beginning of a sequence that could have become valid (Unicode 15, section 3.9,
// "maximal subpart"), or a single byte.
func invalidLen(b []byte) int {
	low, high, length := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case 0xC2 <= c && c <= 0xDF:
		length = 2
	case 0xE0 <= c && c <= 0xEF:
		length = 3
	case 0xF0 <= c && c <= 0xF4:
		length = 4
	}
	switch b[0] {
	case 0xE0:
		low = 0xA0
	case 0xED:
		high = 0x9F
	case 0xF0:
		low = 0x90
	case 0xF4:
		high = 0x8F
	}
	n := 1
	for n < length && n < len(b) && low <= b[n] && b[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// latin1 reads s, bytes of ISO 8859-1 such as a header of a request, as text.
func latin1(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/2)
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
