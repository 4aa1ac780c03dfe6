package drf

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

const emailMessage = "Enter a valid email address."

// Limits of an email address and its parts, in characters.
const (
	maxEmail       = 320 // RFC 3696, section 3
	maxDomainLabel = 63  // RFC 1034, section 3.1
	minTLD         = 2
	maxIPv6        = 39 // eight groups of four digits, the most Django reads
)

// Email validates an email address by the rules of Django 5.2's EmailValidator: a dot-atom or quoted
// string of ASCII before the last @; after it localhost, a domain of at least two labels, which may hold
// letters of any script, or an IP address in square brackets.
func Email(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 || utf8.RuneCountInString(text) > maxEmail {
		return emailMessage
	}
	if !isLocalPart(text[:at]) || !isMailDomain(text[at+1:]) {
		return emailMessage
	}
	return ""
}

func isLocalPart(s string) bool {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return isQuotedContent(s[1 : len(s)-1])
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !isLetter(r) && !strings.ContainsRune("-!#$%&'*+/=?^_`{}|~0123456789", r) {
				return false
			}
		}
	}
	return true
}

// isQuotedContent matches what stands between the quotes: no space, quote or backslash but after a backslash,
// and no line break.
func isQuotedContent(s string) bool {
	escaped := false
	for _, r := range s {
		switch {
		case r == 0 || r == '\n' || r == '\r' || r > 0x7F && !isLetter(r):
			return false
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == ' ' || r == '\t' || r == '"':
			return false
		}
	}
	return !escaped
}

// isLetter matches [a-z] as Python's re does when it ignores case: four letters beyond ASCII have one
// of a to z as their other case.
func isLetter(r rune) bool {
	switch r {
	case 'İ', 'ı', 'ſ', '\u212A': // the last is the Kelvin sign
		return true
	}
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isMailDomain(s string) bool {
	if s == "localhost" {
		return true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return isIPLiteral(s[1 : len(s)-1])
	}
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return false
	}
	for label := range strings.SplitSeq(s[:dot], ".") {
		if !isLabel(label, 1, isDomainChar) {
			return false
		}
	}
	return isTLD(s[dot+1:])
}

// isTLD matches a label without digits, or one in Punycode.
func isTLD(s string) bool {
	if isLabel(s, minTLD, isDomainLetter) {
		return true
	}
	const ace = "xn--"
	return len(s) > len(ace) && lowerASCII(s[:len(ace)]) == ace && !strings.Contains(s[len(ace):], "-") &&
		isLabel(s, len(ace)+1, isPunycode)
}

// isLabel reports whether s has at least shortest characters, not too many, all of them allowed, and no
// hyphen at either end.
func isLabel(s string, shortest int, allowed func(rune) bool) bool {
	length := utf8.RuneCountInString(s)
	if length < shortest || length > maxDomainLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, r := range s {
		if r != '-' && !allowed(r) {
			return false
		}
	}
	return true
}

func isDomainLetter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || 0xA1 <= r && r <= 0xFFFF
}

func isDomainChar(r rune) bool { return isDomainLetter(r) || '0' <= r && r <= '9' }

func isPunycode(r rune) bool { return isLetter(r) || '0' <= r && r <= '9' }

func isIPLiteral(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == "" && (ip.Is4() || len(s) <= maxIPv6)
}

// NormalizeEmail lowers the domain of an address and takes off the space around it, as Django's
// BaseUserManager.normalize_email. A text without an @ is returned as it is.
func NormalizeEmail(email string) string {
	stripped := strip(email)
	at := strings.LastIndexByte(stripped, '@')
	if at < 0 {
		return email
	}
	return stripped[:at+1] + lower(stripped[at+1:])
}

// lower is Python's str.lower, which knows the final sigma and lowers a letter to several where Unicode does.
func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}
