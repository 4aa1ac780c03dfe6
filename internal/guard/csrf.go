package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/django"
)

// CSRFSettings are Django's CSRF_… settings.
type CSRFSettings struct {
	TrustedOrigins []string
	Cookie         CookieSettings
	Age            time.Duration // of the cookie
}

// CSRFError is why a request was refused, in the words of django.middleware.csrf.
type CSRFError struct{ Reason string }

func (e *CSRFError) Error() string { return "CSRF Failed: " + e.Reason }

func rejected(format string, args ...any) *CSRFError {
	return &CSRFError{Reason: fmt.Sprintf(format, args...)}
}

// csrf is the rules of django.middleware.csrf.CsrfViewMiddleware, and one
// more: the secret is bound to the session, so that a cookie planted by a
// sibling domain does not pass.
type csrf struct {
	set        CSRFSettings
	exact      []string
	subdomains []django.URL // of the origins with "*"; Netloc starts with "."
	hosts      []string     // of all trusted origins, for Referer
}

func newCSRF(s CSRFSettings) csrf {
	c := csrf{set: s}
	for _, o := range s.TrustedOrigins {
		u, err := django.Urlsplit(o)
		if err != nil {
			continue // refused by the configuration already
		}
		u.Netloc = strings.TrimLeft(u.Netloc, "*")
		c.hosts = append(c.hosts, u.Netloc)
		if strings.Contains(o, "*") {
			c.subdomains = append(c.subdomains, u)
		} else {
			c.exact = append(c.exact, o)
		}
	}
	return c
}

// CheckOrigin refuses a request whose Origin is neither this host's nor
// trusted. A request without the header passes.
func (x *Exchange) CheckOrigin() error {
	origins := x.Request.Header["Origin"]
	if len(origins) == 0 {
		return nil
	}
	if origin := latin1(origins[0]); !x.guard.csrf.trusts(x, origin) {
		return rejected("Origin checking failed - %s does not match any trusted origins.", origin)
	}
	return nil
}

// CheckOwnOrigin refuses a request that says it comes from a page of another
// origin, whatever origins the settings trust: by Sec-Fetch-Site, or without
// it by Origin, or without that by Referer. Browsers know better than a proxy
// in between how a page was reached, and no script can set Sec-Fetch-Site: when
// it says same-origin, the other headers are CheckCSRF's to judge. A request
// with none of these headers passes; no current browser posts one.
func (x *Exchange) CheckOwnOrigin() error {
	h := x.Request.Header
	if site := h["Sec-Fetch-Site"]; len(site) > 0 {
		if slices.ContainsFunc(site, func(s string) bool { return s != "same-origin" }) {
			return rejected("The request was sent from another site.")
		}
		return nil
	}
	own := x.Origin()
	if origins := h["Origin"]; len(origins) > 0 {
		if slices.ContainsFunc(origins, func(o string) bool { return o != own }) {
			return rejected("Origin checking failed - the page accepts its own origin only.")
		}
		return nil
	}
	for _, referer := range h["Referer"] {
		u, err := django.Urlsplit(latin1(referer))
		if err != nil || u.Scheme+"://"+u.Netloc != own {
			return rejected("Referer checking failed - the page accepts its own origin only.")
		}
	}
	return nil
}

func (c *csrf) trusts(x *Exchange, origin string) bool {
	if origin == x.Origin() || slices.Contains(c.exact, origin) {
		return true
	}
	u, err := django.Urlsplit(origin)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.subdomains, func(t django.URL) bool {
		return t.Scheme == u.Scheme && django.IsSameDomain(u.Netloc, t.Netloc)
	})
}

// CheckCSRF refuses an unsafe request that does not prove to come from a page
// that may act for this client. bound is the secret of the session; formToken
// gives the field csrfmiddlewaretoken, "" if there is none, and is only
// called when the request's origin is in order; its error is passed on.
func (x *Exchange) CheckCSRF(bound string, formToken func() (string, error)) error {
	if len(x.Request.Header["Origin"]) > 0 {
		if err := x.CheckOrigin(); err != nil {
			return err
		}
	} else if x.Secure {
		if err := x.guard.csrf.checkReferer(x); err != nil {
			return err
		}
	}
	return x.checkToken(bound, formToken)
}

// CheckCSRFOfStranger is CheckCSRF for a client without a session: the token
// must match the cookie.
func (x *Exchange) CheckCSRFOfStranger(formToken func() (string, error)) error {
	secret, _, err := x.csrfSecret()
	if err != nil {
		secret = ""
	}
	return x.CheckCSRF(secret, formToken)
}

func (x *Exchange) checkToken(bound string, formToken func() (string, error)) error {
	secret, found, err := x.csrfSecret()
	if err != nil {
		return rejected("CSRF cookie %s.", err)
	}
	if !found {
		return rejected("CSRF cookie not set.")
	}
	token, err := formToken()
	if err != nil {
		return err
	}
	source := "POST"
	if token == "" {
		sent := x.Request.Header["X-Csrftoken"]
		if len(sent) == 0 {
			return rejected("CSRF token missing.")
		}
		token, source = latin1(sent[0]), "the 'X-Csrftoken' HTTP header"
	}
	if _, err := django.SecretOf(token); err != nil {
		return rejected("CSRF token from %s %s.", source, err)
	}
	if !django.TokenMatches(token, secret) || !django.TokenMatches(token, bound) {
		return rejected("CSRF token from %s incorrect.", source)
	}
	return nil
}

func (c *csrf) checkReferer(x *Exchange) error {
	sent := x.Request.Header["Referer"]
	if len(sent) == 0 {
		return rejected("Referer checking failed - no Referer.")
	}
	u, err := django.Urlsplit(latin1(sent[0]))
	if err != nil || u.Scheme == "" || u.Netloc == "" {
		return rejected("Referer checking failed - Referer is malformed.")
	}
	if u.Scheme != "https" {
		return rejected("Referer checking failed - Referer is insecure while host is secure.")
	}
	good := x.Host
	if c.set.Cookie.Domain != "" {
		good = c.set.Cookie.Domain
		if _, port := django.SplitDomainPort(x.Host); port != "" && port != "443" && port != "80" {
			good += ":" + port
		}
	}
	if django.IsSameDomain(u.Netloc, good) ||
		slices.ContainsFunc(c.hosts, func(h string) bool { return django.IsSameDomain(u.Netloc, h) }) {
		return nil
	}
	return rejected("Referer checking failed - %s does not match any trusted origins.", u.String())
}

// latin1 reads the bytes of a header as WSGI gives them to Django: each is a
// character of ISO 8859-1.
func latin1(header string) string {
	for i := range len(header) {
		if header[i] >= utf8.RuneSelf {
			runes := make([]rune, len(header))
			for j := range len(header) {
				runes[j] = rune(header[j])
			}
			return string(runes)
		}
	}
	return header
}

// csrfSecret reads the secret from the CSRF cookie.
func (x *Exchange) csrfSecret() (secret string, found bool, err error) {
	value, found := x.Cookie(x.guard.set.CSRF.Cookie.Name)
	if !found {
		return "", false, nil
	}
	secret, err = django.SecretOf(value)
	return secret, true, err
}

// SetCSRFCookie gives the client the secret of its CSRF tokens.
func (x *Exchange) SetCSRFCookie(secret string) {
	x.setCookie(&x.guard.set.CSRF.Cookie, secret, x.guard.set.CSRF.Age)
}

// MendCSRFCookie replaces a CSRF cookie that is malformed: by the secret of
// the session, or a new one when bound is "". It reports whether it did.
func (x *Exchange) MendCSRFCookie(bound string) (bool, error) {
	value, found := x.Cookie(x.guard.set.CSRF.Cookie.Name)
	if !found || django.CheckToken(value) == nil {
		return false, nil
	}
	if bound == "" {
		var err error
		if bound, err = x.guard.set.NewToken(); err != nil {
			return false, fmt.Errorf("make a CSRF secret: %w", err)
		}
	}
	x.SetCSRFCookie(bound)
	return true, nil
}

// FormSecret returns the secret that the tokens in a page's forms are made of,
// and sees to it that the client's cookie holds it: bound, the secret of the
// session, or without one ("") the cookie's own, or a new one.
func (x *Exchange) FormSecret(bound string) (string, error) {
	sent, found, err := x.csrfSecret()
	usable := found && err == nil
	if usable && (bound == "" || sent == bound) {
		return sent, nil
	}
	if bound == "" {
		if bound, err = x.guard.set.NewToken(); err != nil {
			return "", fmt.Errorf("make a CSRF secret: %w", err)
		}
	}
	name := x.guard.set.CSRF.Cookie.Name + "="
	h := x.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(c string) bool { return strings.HasPrefix(c, name) })
	x.SetCSRFCookie(bound)
	return bound, nil
}

// IsCSRFError reports whether err is a refusal and returns it.
func IsCSRFError(err error) (*CSRFError, bool) {
	var refused *CSRFError
	ok := errors.As(err, &refused)
	return refused, ok
}
