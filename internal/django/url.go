package django

import (
	"errors"
	"net/netip"
	"slices"
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

var (
	unsafeBytes      = strings.NewReplacer("\t", "", "\r", "", "\n", "")
	netlocDelimiters = strings.NewReplacer("@", "", ":", "", "#", "", "?", "")
)

// Urlsplit splits a URL as urllib.parse.urlsplit of Python 3.12 does, which
// Django and django-cors-headers read origins and referers with. ErrURL where
// Python raises ValueError.
func Urlsplit(s string) (URL, error) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r <= ' ' })
	s = unsafeBytes.Replace(s)
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
	opened, closed := strings.Contains(netloc, "["), strings.Contains(netloc, "]")
	if opened != closed {
		return ErrURL
	}
	if opened {
		if err := checkBrackets(netloc); err != nil {
			return err
		}
	}
	return checkNormal(netloc)
}

// checkBrackets wants an IPv6 or IPvFuture address between the brackets and
// nothing around them but a user before and a port behind. Where the brackets
// are part of the user, Python wants one of the host all the same.
func checkBrackets(netloc string) error {
	host := netloc[strings.LastIndexByte(netloc, '@')+1:]
	before, bracketed, opened := strings.Cut(host, "[")
	if !opened {
		host, _, _ = strings.Cut(host, ":")
		return checkLiteral(host)
	}
	inside, after, _ := strings.Cut(bracketed, "]")
	if before != "" || after != "" && after[0] != ':' {
		return ErrURL
	}
	return checkLiteral(inside)
}

// checkLiteral is _check_bracketed_host: an IPv6 address, or "v", a version in
// hexadecimal, a dot and anything.
func checkLiteral(host string) error {
	if future, ok := strings.CutPrefix(host, "v"); ok {
		version, address, _ := strings.Cut(future, ".")
		if version == "" || address == "" || strings.Trim(version, "0123456789abcdefABCDEF") != "" {
			return ErrURL
		}
		return nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is6() || strings.Contains(a.Zone(), "%") {
		return ErrURL
	}
	return nil
}

// checkNormal refuses a netloc in which a character normalises (NFKC) to one
// that separates the parts of a URL (bpo-36216).
func checkNormal(netloc string) error {
	if isASCII(netloc) {
		return nil
	}
	normal := norm.NFKC.String(netlocDelimiters.Replace(netloc))
	if strings.ContainsAny(normal, "/?#@:") {
		return ErrURL
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// usesNetloc are the schemes whose URLs get a "//" even without a netloc
// (urllib.parse.uses_netloc).
var usesNetloc = []string{
	"ftp", "http", "gopher", "nntp", "telnet", "imap", "wais", "file", "mms", "https", "shttp", "snews",
	"prospero", "rtsp", "rtsps", "rtspu", "rsync", "svn", "svn+ssh", "sftp", "nfs", "git", "git+ssh", "ws", "wss",
	"itms-services",
}

// String puts the URL together again (Python's SplitResult.geturl). It differs
// from what was split where that had white space, an upper-case scheme or a
// delimiter with nothing behind it.
func (u URL) String() string {
	s := u.Path
	if u.Netloc != "" && s != "" && s[0] != '/' {
		s = "/" + s
	}
	pathIsRooted := s == "" || s[0] == '/'
	if u.Netloc != "" || strings.HasPrefix(s, "//") || pathIsRooted && slices.Contains(usesNetloc, u.Scheme) {
		s = "//" + u.Netloc + s
	}
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
