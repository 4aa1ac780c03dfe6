package django

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// URL is what Python's urllib.parse.urlsplit makes of a URL.
type URL struct {
	Scheme   string // lower case
	Netloc   string
	Path     string
	Query    string
	Fragment string
}

// ErrURL is Python's ValueError: brackets that hold no IPv6 address, or a
// netloc that normalisation would turn into another URL.
var ErrURL = errors.New("malformed URL")

const schemeChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-."

// Urlsplit splits a URL as Python 3.12's urllib.parse.urlsplit does, which
// Django and django-cors-headers read origins and referers with.
func Urlsplit(s string) (URL, error) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	var u URL
	if i := strings.IndexByte(s, ':'); i > 0 && isLetter(s[0]) && strings.Trim(s[:i], schemeChars) == "" {
		u.Scheme, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if strings.HasPrefix(s, "//") {
		end := strings.IndexAny(s[2:], "/?#")
		if end < 0 {
			u.Netloc, s = s[2:], ""
		} else {
			u.Netloc, s = s[2:2+end], s[2+end:]
		}
		if err := checkNetloc(u.Netloc); err != nil {
			return URL{}, err
		}
	}
	s, u.Fragment, _ = strings.Cut(s, "#")
	u.Path, u.Query, _ = strings.Cut(s, "?")
	return u, nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func checkNetloc(netloc string) error {
	if strings.Contains(netloc, "[") != strings.Contains(netloc, "]") {
		return ErrURL
	}
	if strings.Contains(netloc, "[") {
		if err := checkBrackets(netloc); err != nil {
			return err
		}
	}
	return checkNormal(netloc)
}

// checkBrackets wants an IPv6 or IPvFuture address between the brackets and
// nothing around them but a user before and a port behind.
func checkBrackets(netloc string) error {
	host := netloc[strings.LastIndexByte(netloc, '@')+1:]
	before, rest, opened := strings.Cut(host, "[")
	if !opened {
		return ErrURL
	}
	inside, after, closed := strings.Cut(rest, "]")
	if !closed || before != "" || after != "" && after[0] != ':' {
		return ErrURL
	}
	if strings.HasPrefix(inside, "v") {
		return checkFuture(inside)
	}
	if a, err := netip.ParseAddr(inside); err != nil || !a.Is6() {
		return ErrURL
	}
	return nil
}

// checkFuture is RFC 3986's IPvFuture: "v" 1*HEXDIG "." 1*( … ).
func checkFuture(s string) error {
	version, address, dot := strings.Cut(s[1:], ".")
	if !dot || version == "" || address == "" || strings.Trim(version, "0123456789abcdefABCDEF") != "" {
		return ErrURL
	}
	const allowed = schemeChars + "_~!$&'()*,;=:"
	if strings.Trim(address, allowed) != "" {
		return ErrURL
	}
	return nil
}

// checkNormal refuses a netloc in which a character normalises (NFKC) to one
// that separates the parts of a URL (bpo-36216).
func checkNormal(netloc string) error {
	ascii := true
	for i := range len(netloc) {
		ascii = ascii && netloc[i] < utf8.RuneSelf
	}
	if ascii {
		return nil
	}
	plain := strings.NewReplacer("@", "", ":", "", "#", "", "?", "").Replace(netloc)
	normal := norm.NFKC.String(plain)
	if normal != plain && strings.ContainsAny(normal, "/?#@:") {
		return ErrURL
	}
	return nil
}

// String is Python's SplitResult.geturl of a URL that has a netloc.
func (u URL) String() string {
	s := "//" + u.Netloc + u.Path
	if u.Scheme != "" {
		s = u.Scheme + ":" + s
	}
	if u.Query != "" {
		s += "?" + u.Query
	}
	if u.Fragment != "" {
		s += "#" + u.Fragment
	}
	return s
}
