package pages

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// LocalPath returns next if it is a path on this server, else "": where to go
// after a login comes from the URL, and must not lead away. Browsers read a
// backslash as a slash and skip control characters, so neither is let through.
func LocalPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsRune(next, '\\') {
		return ""
	}
	for _, r := range next {
		if r <= ' ' || r == 0x7f {
			return ""
		}
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" {
		return ""
	}
	return asciiOnly(next)
}

// asciiOnly escapes what can't stand in a header.
func asciiOnly(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c >= utf8.RuneSelf {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
