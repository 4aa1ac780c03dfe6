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

const trustedOriginsSetting = "POSTERN_CSRF_TRUSTED_ORIGINS"

// CSRFError is why a request was refused, in the words of django.middleware.csrf.
type CSRFError struct{ Reason string }

func (e *CSRFError) Error() string { return "CSRF Failed: " + e.Reason }

// reject counts and logs a refusal, and returns it as an error with a reason
// in the model's words.
func (x *Exchange) reject(r refusal, format string, args ...any) error {
	x.refuse(r)
	return &CSRFError{Reason: x.explained(fmt.Sprintf(format, args...), r.fix)}
}

// rejectToken refuses a CSRF cookie or token.
func (x *Exchange) rejectToken(format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	return x.reject(refusal{reason: RefusedCSRF, message: "request refused: CSRF cookie or token", name: "problem", value: reason}, "%s", reason)
}

// rejectReferer refuses a Referer; only its site is logged.
func (x *Exchange) rejectReferer(sent, setting, format string, args ...any) error {
	r := x.refusedOrigin(RefusedReferer, "request refused: referer not trusted", siteOf(sent), setting)
	r.name = "referer"
	return x.reject(r, "Referer checking failed - "+format, args...)
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
// trusted. A request without the header passes, unless the browser says that
// a page of another site has sent it.
func (x *Exchange) CheckOrigin() error {
	origins := x.Request.Header["Origin"]
	if len(origins) == 0 {
		if !crossSite(x.Request.Header) {
			return nil
		}
		const why = "Origin checking failed - a cross-site request without Origin."
		return x.reject(refusal{
			reason: RefusedCrossSite, message: "request refused: sent by a page of another site, without Origin",
			fix: "have the page send its Origin, and add that to " + trustedOriginsSetting,
		}, why)
	}
	_, same := single(origins)
	origin := latin1(origins[0])
	if !same {
		origin = latin1(strings.Join(origins, ","))
	}
	if !same || !x.guard.csrf.trusts(x, origin) {
		return x.reject(x.refusedOrigin(RefusedOrigin, "request refused: origin not trusted", origin, trustedOriginsSetting),
			"Origin checking failed - %s does not match any trusted origins.", origin)
	}
	return nil
}

const ownOriginOnly = "request refused: not sent by a page of its own origin"

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
			return x.reject(refusal{reason: RefusedCrossSite, message: ownOriginOnly}, "The request was sent from another site.")
		}
		return nil
	}
	own := x.Origin()
	if origins := h["Origin"]; len(origins) > 0 {
		if slices.ContainsFunc(origins, func(o string) bool { return o != own }) {
			return x.reject(x.refusedOrigin(RefusedOrigin, ownOriginOnly, strings.Join(origins, ","), ""),
				"Origin checking failed - the page accepts its own origin only.")
		}
		return nil
	}
	for _, referer := range h["Referer"] {
		u, err := django.Urlsplit(latin1(referer))
		if err != nil || u.Scheme+"://"+u.Netloc != own {
			return x.rejectReferer(referer, "", "the page accepts its own origin only.")
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
		return x.rejectToken("CSRF cookie %s.", err)
	}
	if !found {
		return x.rejectToken("CSRF cookie not set.")
	}
	token, err := formToken()
	if err != nil {
		return err
	}
	source := "POST"
	if token == "" {
		sent := x.Request.Header["X-Csrftoken"]
		if len(sent) == 0 {
			return x.rejectToken("CSRF token missing.")
		}
		token, source = latin1(sent[0]), "the 'X-Csrftoken' HTTP header"
		if _, same := single(sent); !same {
			token = latin1(strings.Join(sent, ","))
		}
	}
	if _, err := django.SecretOf(token); err != nil {
		return x.rejectToken("CSRF token from %s %s.", source, err)
	}
	if !django.TokenMatches(token, secret) || !django.TokenMatches(token, bound) {
		return x.rejectToken("CSRF token from %s incorrect.", source)
	}
	return nil
}

func (c *csrf) checkReferer(x *Exchange) error {
	sent := x.Request.Header["Referer"]
	if len(sent) == 0 {
		return x.rejectReferer("", "", "no Referer.")
	}
	_, same := single(sent)
	u, err := django.Urlsplit(latin1(sent[0]))
	if err != nil || u.Scheme == "" || u.Netloc == "" || !same {
		return x.rejectReferer("", "", "Referer is malformed.")
	}
	if u.Scheme != "https" {
		return x.rejectReferer(sent[0], trustedOriginsSetting, "Referer is insecure while host is secure.")
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
	return x.rejectReferer(sent[0], trustedOriginsSetting, "%s does not match any trusted origins.", u.String())
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
