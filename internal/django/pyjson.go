package django

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how deep values may nest: Python's own limit.
const maxJSONDepth = 1000

// controls are the characters with a short escape, a backslash and the letter
// at the same place in controlLetters.
const (
	controls       = "\b\f\n\r\t"
	controlLetters = "bfnrt"
)

// eachMember walks over the object or array that starts at text[at] and calls
// visit, if there is one, for the name (an object's, as it is written, with
// its quotes) and the value of each member. It returns where the container
// ends, or -1 if it is not one that Python's json.loads reads.
func eachMember(text []byte, at, depth int, visit func(name, value []byte)) int {
	object, closing := text[at] == '{', text[at]+2 // } and ] stand two behind { and [
	at = skipSpace(text, at+1)
	if at < len(text) && text[at] == closing {
		return at + 1
	}
	for {
		var name []byte
		if object {
			start := at
			if at = skipString(text, at); at < 0 {
				return -1
			}
			name = text[start:at]
			if at = skipSpace(text, at); at == len(text) || text[at] != ':' {
				return -1
			}
			at = skipSpace(text, at+1)
		}
		start := at
		if at = skipValue(text, at, depth); at < 0 {
			return -1
		}
		if visit != nil {
			visit(name, text[start:at])
		}
		at = skipSpace(text, at)
		if at == len(text) || text[at] != ',' && text[at] != closing {
			return -1
		}
		if text[at] == closing {
			return at + 1
		}
		at = skipSpace(text, at+1)
	}
}

// skipValue returns where the value at text[at] ends, -1 if there is none.
// Like Python's json it takes NaN and Infinity, which Python also writes.
func skipValue(text []byte, at, depth int) int {
	if at >= len(text) {
		return -1
	}
	switch c := text[at]; c {
	case '"':
		return skipString(text, at)
	case '{', '[':
		if depth == 0 {
			return -1
		}
		return eachMember(text, at, depth-1, nil)
	default:
		for _, word := range [...]string{"null", "true", "false", "NaN", "Infinity", "-Infinity"} {
			if end := at + len(word); c == word[0] && end <= len(text) && string(text[at:end]) == word {
				return end
			}
		}
		return skipNumber(text, at)
	}
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

func skipNumber(text []byte, at int) int {
	if text[at] == '-' {
		at++
	}
	start := at
	at = skipDigits(text, at)
	if at == start || text[start] == '0' && at > start+1 {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		start = at + 1
		if at = skipDigits(text, start); at == start {
			return -1
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		start = at
		if at = skipDigits(text, start); at == start {
			return -1
		}
	}
	return at
}

func skipDigits(text []byte, at int) int {
	for at < len(text) && '0' <= text[at] && text[at] <= '9' {
		at++
	}
	return at
}

func skipString(text []byte, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1
		case c < ' ':
			return -1
		case c == '\\':
			at++
			if at == len(text) {
				return -1
			}
			if text[at] == 'u' {
				if _, ok := hex4(text[at+1:]); !ok {
					return -1
				}
				at += 4
			} else if strings.IndexByte(`"\/bfnrt`, text[at]) < 0 {
				return -1
			}
		}
	}
	return -1
}

func hex4(text []byte) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range text[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unquote returns the text of a JSON string that skipString has accepted.
// Bytes beyond ASCII, which Django never writes, count as Latin-1, as Django's
// serializer reads them; half a surrogate pair becomes U+FFFD.
func unquote(quoted []byte) string {
	var b strings.Builder
	for at := 1; at < len(quoted)-1; at++ {
		c := quoted[at]
		if c != '\\' {
			b.WriteRune(rune(c))
			continue
		}
		at++
		switch c = quoted[at]; c {
		case 'b', 'f', 'n', 'r', 't':
			b.WriteByte(controls[strings.IndexByte(controlLetters, c)])
		case 'u':
			r, _ := hex4(quoted[at+1:])
			at += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if at+2 < len(quoted) && quoted[at+1] == '\\' && quoted[at+2] == 'u' {
					low, ok = hex4(quoted[at+3:])
				}
				if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
					at += 6
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// quote writes a JSON string as Python's json.dumps does: in ASCII, the rest
// escaped in lower-case hexadecimal, beyond the first plane as surrogate pairs.
func quote(s string) []byte {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch short := strings.IndexRune(controls, r); {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case short >= 0:
			b = append(b, '\\', controlLetters[short])
		case ' ' <= r && r <= '~':
			b = append(b, byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, r)
		}
	}
	return append(b, '"')
}

func appendEscape(b []byte, r rune) []byte {
	digits := strconv.FormatInt(0x10000|int64(r), 16)
	return append(append(b, `\u`...), digits[1:]...)
}
