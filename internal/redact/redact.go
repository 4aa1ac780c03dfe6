// Package redact takes out of values what may not be shown. It reads
// generously: where it is not sure, it hides more.
package redact

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// secretParameter is one of a URL that holds a password.
	secretParameter = regexp.MustCompile(`(?i)([?&;](?:[a-z_]*(?:password|passwd|pwd|secret|token))\s*=)[^&;]*`)
	// mayCredentials finds, in a whole value, what stands between a colon and an
	// @, also an encoded or a full-width one and with spaces between, and the
	// password without a user of a Redis URL.
	mayCredentials = regexp.MustCompile(`(?is):.*(@|＠|%40)|://:`)
	// maySecret finds what in any dialect stands around a password.
	maySecret = regexp.MustCompile(`(?is)\S*(:.*@|(pass|passwd|password|pwd|secret|token|auth[a-z]*|key)["']?\s*[=:])`)
)

// URL hides who a URL that was understood logs in as and with what. Of one
// that was not, show nothing: see Mistake.
func URL(url string) string {
	url = secretParameter.ReplaceAllString(url, "${1}…")
	scheme, rest, found := strings.Cut(url, "://")
	if at := strings.LastIndexByte(rest, '@'); found && at >= 0 {
		return scheme + "://…" + rest[at:]
	}
	return url
}

// Mistake is what may be shown of a value that was not understood: nothing if
// a password may be in it.
func Mistake(value string) string {
	if maySecret.MatchString(value) || mayCredentials.MatchString(value) {
		return ""
	}
	return value
}

// Text cuts a message off where it begins to quote what may hold a password.
func Text(message string) string {
	if at := maySecret.FindStringIndex(message); at != nil {
		return message[:at[0]] + "…"
	}
	return message
}

// quotation is a text in double quotation marks, as strconv.Quote writes it.
var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Quotes hides the parts of a value that a message quotes.
func Quotes(message, value string) string {
	return quotation.ReplaceAllStringFunc(message, func(quoted string) string {
		if text, err := strconv.Unquote(quoted); err == nil && !strings.Contains(value, text) {
			return quoted
		}
		return `"…"`
	})
}
