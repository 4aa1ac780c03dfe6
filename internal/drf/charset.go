package drf

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// charset is a text encoding that a Content-Type may name. No encoding here
// makes more than three bytes of UTF-8 of one byte, so that what is decoded
// stays bounded by the body.
type charset struct {
	// decode reads b strictly: it reports false where Python raises
	// UnicodeDecodeError. What it returns then is b with U+FFFD wherever it is
	// not valid, as Python's errors="replace", but for the number of U+FFFD in
	// the encodings of golang.org/x/text.
	// The result may be b itself, and is not to be written to.
	decode func(b []byte) (text []byte, ok bool)
	// stream reads b as the StreamReader of Python does, which the model reads
	// JSON by; nil: as decode.
	stream func(b []byte) (text []byte, ok bool)
}

var (
	utf8Text   = &charset{decode: decodeUTF8, stream: streamUTF8}
	utf8Sig    = &charset{decode: decodeUTF8Sig, stream: streamUTF8Sig}
	latin1Text = byteCharset(charmap.ISO8859_1)
	asciiText  = &charset{decode: decodeASCII}
)

// charsetOf finds an encoding by any name Python knows it by. Names are
// normalised as by Python's encodings package: lower case, runs of other
// characters as one underscore. It reports false for a name that is not known
// here; the result is then UTF-8.
func charsetOf(name string) (*charset, bool) {
	if name == "" || len(name) > 32 {
		return utf8Text, false
	}
	if strings.EqualFold(name, "utf-8") {
		return utf8Text, true
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
	if c, ok := charsets()[b.String()]; ok {
		return c, true
	}
	return utf8Text, false
}

// decodeStream reads b as the model reads JSON.
func (c *charset) decodeStream(b []byte) ([]byte, bool) {
	if c.stream != nil {
		return c.stream(b)
	}
	return c.decode(b)
}

// decodeReplacing reads b with U+FFFD wherever it is not valid.
func (c *charset) decodeReplacing(b []byte) string {
	text, _ := c.decode(b)
	return string(text)
}

func decodeASCII(b []byte) ([]byte, bool) {
	if isASCII(b) {
		return b, true
	}
	text := make([]byte, 0, 3*len(b))
	for _, c := range b {
		if c >= utf8.RuneSelf {
			text = utf8.AppendRune(text, utf8.RuneError)
			continue
		}
		text = append(text, c)
	}
	return text, false
}

func decodeUTF8(b []byte) ([]byte, bool) {
	if utf8.Valid(b) {
		return b, true
	}
	text := make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = invalidLen(b)
		}
		text = utf8.AppendRune(text, r)
		b = b[n:]
	}
	return text, false
}

// streamUTF8 passes over a character that the body ends in the middle of.
func streamUTF8(b []byte) ([]byte, bool) {
	for tail := 1; tail < utf8.UTFMax && tail <= len(b); tail++ {
		if start := b[len(b)-tail:]; utf8.RuneStart(start[0]) {
			if !utf8.FullRune(start) {
				b = b[:len(b)-tail]
			}
			break
		}
	}
	return decodeUTF8(b)
}

var byteOrderMark = []byte("\ufeff")

func decodeUTF8Sig(b []byte) ([]byte, bool) {
	text, ok := decodeUTF8(b)
	return bytes.TrimPrefix(text, byteOrderMark), ok
}

func streamUTF8Sig(b []byte) ([]byte, bool) {
	text, ok := streamUTF8(b)
	return bytes.TrimPrefix(text, byteOrderMark), ok
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

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
