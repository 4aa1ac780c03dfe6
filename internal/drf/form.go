package drf

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// Limits of a form (Django's DATA_UPLOAD_MAX_NUMBER_FIELDS and DATA_UPLOAD_MAX_NUMBER_FILES).
const (
	maxFields = 1000
	maxFiles  = 100
)

// parseForm reads a urlencoded body as Django's QueryDict.
func parseForm(body []byte, cs *charset) (Data, error) {
	if bytes.Count(body, []byte("&")) >= maxFields {
		return Data{}, tooMany("fields", maxFields)
	}
	decoded, ok := cs.decode(body)
	encoded := string(decoded)
	if !ok {
		encoded = latin1(string(body))
	}
	data := Data{inputs: true}
	for name, v := range formPairs(encoded, cs) {
		data.members = append(data.members, member{name, value{kind: kindText, text: v}})
	}
	return data, nil
}

// QueryValue returns the last value of that name in a query string as sent, empty when there is none:
// what Django's request.GET.get gives.
func QueryValue(query, name string) string {
	if query == "" {
		return ""
	}
	if !utf8.ValidString(query) {
		query = latin1(query)
	}
	found := ""
	for n, v := range formPairs(query, utf8Text) {
		if n == name {
			found = v
		}
	}
	return found
}

// formPairs gives the names and values of urlencoded text by the rules of Python's urllib.parse.parse_qsl
// with keep_blank_values.
func formPairs(encoded string, cs *charset) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(encoded, "&") {
			if pair == "" {
				continue
			}
			name, v, _ := strings.Cut(pair, "=")
			if !yield(unquotePlus(name, cs), unquotePlus(v, cs)) {
				return
			}
		}
	}
}

func unquotePlus(s string, cs *charset) string {
	return unquote(strings.ReplaceAll(s, "+", " "), cs)
}

// unquote decodes %XX as Python's urllib.parse.unquote: a percent sign without two hexadecimal digits
// stays, and each stretch of ASCII is decoded by itself, so that an escape never joins raw text beside it.
func unquote(s string, cs *charset) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var plain strings.Builder
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
		if end < 0 {
			end = len(s)
		}
		plain.WriteString(cs.decodeReplacing(unquoteBytes(s[:end])))
		s = s[end:]
		next := strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf })
		if next < 0 {
			next = len(s)
		}
		plain.WriteString(s[:next])
		s = s[next:]
	}
	return plain.String()
}

func unquoteBytes(s string) []byte {
	plain := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok1 := hexDigit(s[i+1])
			low, ok2 := hexDigit(s[i+2])
			if ok1 && ok2 {
				plain = append(plain, high<<4|low)
				i += 2
				continue
			}
		}
		plain = append(plain, s[i])
	}
	return plain
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
