package drf

import (
	"iter"
	"strings"
)

// cutHeader splits a header such as `text/html; q=0.8` into its first part, in lower case, and its
// parameters, by the rules of Django's parse_header_parameters.
func cutHeader(line string) (main string, params parameters) {
	part, rest, _ := cutParameter(line)
	return lowerASCII(part), parameters(rest)
}

// parameters are the parameters of a header as sent, after the first semicolon.
type parameters string

// all gives names, in lower case and without the star of RFC 2231, and values, without quotes.
// A name that comes twice is given twice: for the model the last one counts.
func (p parameters) all() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for rest, more := string(p), p != ""; more; {
			var part string
			part, rest, more = cutParameter(rest)
			name, value, found := strings.Cut(part, "=")
			if !found {
				continue
			}
			name, extended := strings.CutSuffix(lowerASCII(strip(name)), "*")
			value = unquoteParameter(strip(value))
			if extended && strings.Count(part, "'") == 2 {
				value = decodeExtended(value)
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

// get returns the value of the last parameter of that name.
func (p parameters) get(name string) (value string, ok bool) {
	for n, v := range p.all() {
		if n == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// cutParameter returns s up to its first semicolon outside quotes, without space around it, and what
// follows the semicolon. A quote after a backslash neither opens nor closes.
func cutParameter(s string) (part, rest string, more bool) {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			if i == 0 || s[i-1] != '\\' {
				quoted = !quoted
			}
		case ';':
			if !quoted {
				return strip(s[:i]), s[i+1:], true
			}
		}
	}
	return strip(s), "", false
}

func unquoteParameter(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = strings.ReplaceAll(s[1:len(s)-1], `\\`, `\`)
	return strings.ReplaceAll(s, `\"`, `"`)
}

// decodeExtended decodes a value such as UTF-8'en'na%C3%AFve (RFC 2231). One in an encoding that is
// not known stays as sent.
func decodeExtended(s string) string {
	encoding, rest, _ := strings.Cut(s, "'")
	_, encoded, ok := strings.Cut(rest, "'")
	if !ok {
		return s
	}
	cs, ok := charsetOf(encoding)
	if !ok {
		return encoded
	}
	return unquote(encoded, cs)
}

// mediaTypeMatches reports whether a media type as sent, which may hold wildcards on either side of
// the slash, means the one offered.
func mediaTypeMatches(offered, sent string) bool {
	offeredMain, offeredSub, _ := strings.Cut(offered, "/")
	main, sub, _ := strings.Cut(sent, "/")
	return (main == "*" || main == offeredMain) && (sub == "*" || sub == offeredSub)
}
