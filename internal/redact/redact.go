// Package redact takes out of values what may not be shown.
package redact

import (
	"regexp"
	"strings"
)

// secretParameter is one of PostgreSQL's that holds a password.
var secretParameter = regexp.MustCompile(`(?i)([?&](?:ssl)?password=)[^&]*`)

// URL hides who a URL logs in as and with what, even of one that does not
// parse.
func URL(url string) string {
	url = secretParameter.ReplaceAllString(url, "${1}…")
	scheme, rest, found := strings.Cut(url, "://")
	if at := strings.LastIndexByte(rest, '@'); found && at >= 0 {
		return scheme + "://…" + rest[at:]
	}
	return url
}
