package postern

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/password"
)

// ConfigError is one mistake in a [Config]. Open returns all of them at once,
// joined.
type ConfigError struct {
	Setting string // as the environment names it: "POSTERN_ALLOWED_HOSTS"
	Value   string // as it was set; "" for secrets and for what is missing
	Problem string // what is wrong and what would be right
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return e.Setting + ": " + e.Problem
	}
	return fmt.Sprintf("%s=%q: %s", e.Setting, e.Value, e.Problem)
}

// Defaults of Config.
const (
	defaultAge       = 14 * 24 * time.Hour
	defaultCSRFAge   = 364 * 24 * time.Hour
	defaultPreflight = 24 * time.Hour
	defaultRecall    = 1 << 18
	defaultAuditAge  = 90 * 24 * time.Hour
	maxRecall        = 100_000_000
	minSecretKey     = 32 // characters
	minDistinct      = 8  // different characters of a secret key
	minRepeated      = 16 // characters before a secret key begins anew

	defaultSessionCookie = "sessionid"
	defaultCSRFCookie    = "csrftoken"
)

// withDefaults returns c with every unset field at its default.
func (c Config) withDefaults() Config {
	set(&c.UnauthenticatedStatus, http.StatusForbidden)
	set(&c.Session.Age, defaultAge)
	set(&c.RecallEntries, defaultRecall)
	set(&c.AuditAge, defaultAuditAge)
	set(&c.Cookie.Name, defaultSessionCookie)
	set(&c.Cookie.Path, "/")
	set(&c.Cookie.SameSite, "Lax")
	set(&c.Cookie.Secure, SecureAuto)
	set(&c.CSRF.Cookie.Name, defaultCSRFCookie)
	set(&c.CSRF.Cookie.Age, defaultCSRFAge)
	set(&c.CSRF.Cookie.Path, "/")
	set(&c.CSRF.Cookie.SameSite, "Lax")
	set(&c.CSRF.Cookie.Secure, SecureAuto)
	set(&c.CORS.PreflightMaxAge, defaultPreflight)
	if len(c.CORS.AllowHeaders) == 0 {
		c.CORS.AllowHeaders = []string{"accept", "authorization", "content-type", "user-agent", "x-csrftoken", "x-requested-with"}
	}
	if len(c.CORS.AllowMethods) == 0 {
		c.CORS.AllowMethods = []string{"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"}
	}
	set(&c.Passwords.MinLength, 8)
	set(&c.Throttle.Login, Rate{Attempts: 60, Per: time.Minute})
	set(&c.Throttle.LoginAccount, Rate{Attempts: 10, Per: time.Minute})
	set(&c.Throttle.Register, Rate{Attempts: 100, Per: time.Minute})
	set(&c.Security.FrameOptions, "DENY")
	set(&c.Security.ReferrerPolicy, "same-origin")
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// mistakes collects what is wrong with a configuration.
type mistakes []error

func (m *mistakes) add(setting, value, problem string) {
	*m = append(*m, &ConfigError{Setting: setting, Value: value, Problem: problem})
}

// Validate returns every mistake in the configuration as a *ConfigError,
// joined, or nil. Open calls it.
func (c Config) Validate() error {
	c = c.withDefaults()
	var m mistakes
	c.validateIdentity(&m)
	c.validateOrigins(&m)
	c.validateCookies(&m)
	c.validateSessions(&m)
	c.validatePasswords(&m)
	c.validateThrottle(&m)
	return errors.Join(m...)
}

func (c *Config) validateIdentity(m *mistakes) {
	*m = append(*m, databaseMistakes(c)...)
	checkSecret(m, "POSTERN_SECRET_KEY", c.SecretKey)
	for _, key := range c.SecretKeyFallbacks {
		checkSecret(m, "POSTERN_SECRET_KEY_FALLBACKS", key)
	}
	if len(c.AllowedHosts) == 0 {
		m.add("POSTERN_ALLOWED_HOSTS", "", `is not set; name the hosts this server answers to, such as "example.com" or ".example.com", or "*" for any`)
	}
	for _, host := range c.AllowedHosts {
		if !validHostPattern(host) {
			m.add("POSTERN_ALLOWED_HOSTS", host, orWrite(`is not a host, so no request matches it: a host is written in ASCII, without scheme, port, path and quotation marks, several with commas between, and ".example.com" for the subdomains too`, bareHost(host)))
		}
	}
	if s := c.UnauthenticatedStatus; s != http.StatusForbidden && s != http.StatusUnauthorized {
		m.add("POSTERN_UNAUTHENTICATED_STATUS", fmt.Sprint(s), "must be 403 or 401")
	}
}

func checkSecret(m *mistakes, setting, key string) {
	const remedy = "; make one with: openssl rand -base64 48"
	switch distinct := countDistinct(key); {
	case key == "":
		m.add(setting, "", "is not set"+remedy)
	case placeholder.MatchString(key):
		m.add(setting, "", "is a placeholder that nothing has filled in: files of variables run no commands"+remedy)
	case len(key) < minSecretKey:
		m.add(setting, "", fmt.Sprintf("has %d characters, at least %d are needed%s", len(key), minSecretKey, remedy))
	case distinct < minDistinct:
		m.add(setting, "", fmt.Sprintf("has too few different characters (%d, at least %d are needed): it can be guessed%s", distinct, minDistinct, remedy))
	case len(repeated(key)) < minRepeated:
		m.add(setting, "", fmt.Sprintf("repeats %d characters, so it can be guessed%s", len(repeated(key)), remedy))
	}
}

// placeholder matches what a shell or a template was to replace.
var placeholder = regexp.MustCompile("^(\\$\\(.*\\)|\\$\\{.*\\}|\\{\\{.*\\}\\}|`.*`|<.*>|\\$[A-Z_]+|%[A-Z_]+%)$")

func countDistinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// repeated is the text that a key says over and over, or the key itself.
func repeated(key string) string {
	for period := 1; period <= len(key)/2; period++ {
		if strings.HasPrefix(key, key[period:]) { // key goes on as it began
			return key[:period]
		}
	}
	return key
}

func (c *Config) validateOrigins(m *mistakes) {
	for _, origin := range c.CORS.AllowedOrigins {
		if problem := originProblem(origin, false); problem != "" && origin != "null" && origin != "file://" {
			m.add("POSTERN_CORS_ALLOWED_ORIGINS", origin, problem)
		}
	}
	if c.CORS.AllowAllOrigins && len(c.CORS.AllowedOrigins)+len(c.CORS.AllowedOriginRegexes) > 0 {
		m.add("POSTERN_CORS_ALLOW_ALL_ORIGINS", "true", "contradicts the list of allowed origins; set one of the two (any origin means: without cookies)")
	}
	for _, origin := range c.CSRF.TrustedOrigins {
		if problem := originProblem(origin, true); problem != "" {
			m.add("POSTERN_CSRF_TRUSTED_ORIGINS", origin, problem)
		}
	}
	c.validateCORSNames(m)
}

// validateCORSNames checks headers and methods, which browsers compare letter
// by letter.
func (c *Config) validateCORSNames(m *mistakes) {
	for _, list := range []struct {
		setting string
		names   []string
	}{
		{"POSTERN_CORS_ALLOW_HEADERS", c.CORS.AllowHeaders},
		{"POSTERN_CORS_ALLOW_METHODS", c.CORS.AllowMethods},
		{"POSTERN_CORS_EXPOSE_HEADERS", c.CORS.ExposeHeaders},
	} {
		for _, name := range list.names {
			switch {
			case !isToken(name):
				m.add(list.setting, name, "can't be a name in HTTP; write letters, digits and -, separated by commas")
			case name == "*" && !c.CORS.AllowAllOrigins:
				m.add(list.setting, name, "means nothing to browsers that send cookies; name each one")
			case list.setting == "POSTERN_CORS_ALLOW_METHODS" && name != strings.ToUpper(name):
				m.add(list.setting, name, orWrite("matches no request: methods are in upper case", strings.ToUpper(name)))
			}
		}
	}
}

// isToken reports whether s is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func (c *Config) validateCookies(m *mistakes) {
	for _, d := range []struct{ setting, domain string }{
		{"POSTERN_SESSION_COOKIE_DOMAIN", c.Cookie.Domain}, {"POSTERN_CSRF_COOKIE_DOMAIN", c.CSRF.Cookie.Domain},
	} {
		if problem := c.domainProblem(d.domain); problem != "" {
			m.add(d.setting, d.domain, problem)
		}
	}
	checkCookie(m, "POSTERN_SESSION_COOKIE", c.Cookie.Name, c.Cookie.Domain, c.Cookie.Path, c.Cookie.SameSite, c.Cookie.Secure)
	checkCookie(m, "POSTERN_CSRF_COOKIE", c.CSRF.Cookie.Name, c.CSRF.Cookie.Domain, c.CSRF.Cookie.Path, c.CSRF.Cookie.SameSite, c.CSRF.Cookie.Secure)
	if c.Cookie.Name == c.CSRF.Cookie.Name {
		m.add("POSTERN_CSRF_COOKIE_NAME", c.CSRF.Cookie.Name, "is the name of the session cookie too; choose another")
	}
	if c.CSRF.Cookie.Age < time.Second {
		m.add("POSTERN_CSRF_COOKIE_AGE", c.CSRF.Cookie.Age.String(), "must be at least one second")
	}
	if !slices.Contains([]string{"DENY", "SAMEORIGIN"}, c.Security.FrameOptions) {
		m.add("POSTERN_X_FRAME_OPTIONS", c.Security.FrameOptions, "must be DENY or SAMEORIGIN")
	}
	for policy := range strings.SplitSeq(c.Security.ReferrerPolicy, ",") {
		if !slices.Contains(referrerPolicies, strings.TrimSpace(policy)) {
			m.add("POSTERN_SECURE_REFERRER_POLICY", c.Security.ReferrerPolicy, "must be one of "+strings.Join(referrerPolicies, ", "))
			break
		}
	}
	if c.Security.HSTSSeconds < 0 {
		m.add("POSTERN_SECURE_HSTS_SECONDS", fmt.Sprint(c.Security.HSTSSeconds), "must not be negative")
	}
}

// referrerPolicies are those of Referrer Policy, which Django checks for too.
var referrerPolicies = []string{
	"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin",
	"strict-origin", "strict-origin-when-cross-origin", "unsafe-url",
}

// validCookiePath reports whether a path that a browser sends may begin with
// path (RFC 6265, 5.1.4).
func validCookiePath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\";,*?#<>\\^`{|}", r)
	})
}

func checkCookie(m *mistakes, prefix, name, domain, path, sameSite string, secure SecureMode) {
	if !isToken(name) {
		m.add(prefix+"_NAME", name, "is not a cookie name; use letters, digits, - and _")
	}
	if !validCookiePath(path) {
		m.add(prefix+"_PATH", path, `must start with "/" and be the start of paths as browsers send them, without wildcards, quotation marks, query and spaces; "/" is for every path`)
	}
	if !slices.Contains([]string{"Lax", "Strict", "None"}, sameSite) {
		m.add(prefix+"_SAMESITE", sameSite, "must be Lax, Strict or None")
	}
	if !slices.Contains([]SecureMode{SecureAuto, SecureAlways, SecureNever}, secure) {
		m.add(prefix+"_SECURE", string(secure), "must be auto, true or false")
	}
	if sameSite == "None" && secure != SecureAlways {
		m.add(prefix+"_SAMESITE", sameSite, "needs "+prefix+"_SECURE=true: browsers drop such a cookie otherwise")
	}
	lower := strings.ToLower(name) // as browsers compare prefixes
	if strings.HasPrefix(lower, "__host-") && (secure != SecureAlways || domain != "" || path != "/") {
		m.add(prefix+"_NAME", name, "the prefix __Host- needs "+prefix+"_SECURE=true, path / and no domain: browsers drop the cookie otherwise")
	}
	if strings.HasPrefix(lower, "__secure-") && secure != SecureAlways {
		m.add(prefix+"_NAME", name, "the prefix __Secure- needs "+prefix+"_SECURE=true: browsers drop the cookie otherwise")
	}
}

func (c *Config) validateSessions(m *mistakes) {
	if c.Session.Age < time.Second {
		m.add("POSTERN_SESSION_COOKIE_AGE", c.Session.Age.String(), "must be at least one second")
	}
	if c.Session.IdleTimeout < 0 || c.Session.IdleTimeout > 0 && c.Session.IdleTimeout < time.Second {
		m.add("POSTERN_SESSION_IDLE_TIMEOUT", c.Session.IdleTimeout.String(), "must be at least one second, or 0 for none")
	}
	if c.Session.AbsoluteAge < 0 || c.Session.AbsoluteAge > 0 && c.Session.AbsoluteAge < time.Second {
		m.add("POSTERN_SESSION_ABSOLUTE_AGE", c.Session.AbsoluteAge.String(), "must be at least one second, or 0 for none")
	}
	if c.AuditAge > 0 && c.AuditAge < time.Hour {
		m.add("POSTERN_AUDIT_AGE", c.AuditAge.String(), "must be at least 1h, or 0 to write nothing down")
	}
	if c.RecallEntries > maxRecall {
		m.add("POSTERN_RECALL_ENTRIES", fmt.Sprint(c.RecallEntries), fmt.Sprintf("must be at most %d", maxRecall))
	}
	if c.Session.Limit < 0 {
		m.add("POSTERN_SESSION_LIMIT", fmt.Sprint(c.Session.Limit), "must not be negative; 0 means any number")
	}
}

func (c *Config) validateThrottle(m *mistakes) {
	for _, t := range []struct {
		setting string
		rate    Rate
	}{
		{"POSTERN_THROTTLE_LOGIN", c.Throttle.Login},
		{"POSTERN_THROTTLE_LOGIN_ACCOUNT", c.Throttle.LoginAccount},
		{"POSTERN_THROTTLE_REGISTER", c.Throttle.Register},
	} {
		if t.rate.Attempts < 1 || t.rate.Per <= 0 {
			m.add(t.setting, t.rate.String(), `must let something through, such as "10/m"; POSTERN_THROTTLE=off turns throttling off`)
		}
	}
}

func (c *Config) validatePasswords(m *mistakes) {
	p := c.Passwords
	if _, err := password.New(p.hashing(nil)); err != nil {
		m.add("POSTERN_PASSWORD_HASHER", p.Hasher, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if p.MinLength < 1 || p.MinLength > 1000 {
		m.add("POSTERN_PASSWORD_MIN_LENGTH", fmt.Sprint(p.MinLength), "must be from 1 to 1000")
	}
	if p.Workers < 0 || p.Workers > 1024 {
		m.add("POSTERN_HASH_WORKERS", fmt.Sprint(p.Workers), "must be from 1 to 1024, or 0 for one a processor")
	}
	if p.Queue < 0 || p.Queue > 1_000_000 {
		m.add("POSTERN_HASH_QUEUE", fmt.Sprint(p.Queue), "must be from 1 to 1000000, or 0 for the default")
	}
	if p.QueueWait < 0 {
		m.add("POSTERN_HASH_QUEUE_WAIT", p.QueueWait.String(), "must not be negative")
	}
}
