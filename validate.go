package postern

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/django"
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
			m.add("POSTERN_ALLOWED_HOSTS", host, `is not a host; write it without scheme, port and path, such as "example.com", ".example.com", "[::1]" or "*"`)
		}
	}
	if s := c.UnauthenticatedStatus; s != http.StatusForbidden && s != http.StatusUnauthorized {
		m.add("POSTERN_UNAUTHENTICATED_STATUS", fmt.Sprint(s), "must be 403 or 401")
	}
}

func checkSecret(m *mistakes, setting, key string) {
	switch {
	case key == "":
		m.add(setting, "", "is not set; make one with: openssl rand -base64 48")
	case len(key) < minSecretKey:
		m.add(setting, "", fmt.Sprintf("has %d characters, at least %d are needed; make one with: openssl rand -base64 48", len(key), minSecretKey))
	}
}

func validHostPattern(host string) bool {
	if host == "*" {
		return true
	}
	domain, port := django.SplitDomainPort(strings.TrimPrefix(host, "."))
	return domain != "" && port == ""
}

func (c *Config) validateOrigins(m *mistakes) {
	for _, origin := range c.CORS.AllowedOrigins {
		if origin != "null" && !validOrigin(origin) {
			m.add("POSTERN_CORS_ALLOWED_ORIGINS", origin, `is not an origin; write scheme and host (and port), such as "https://app.example.com"`)
		}
	}
	if c.CORS.AllowAllOrigins && len(c.CORS.AllowedOrigins)+len(c.CORS.AllowedOriginRegexes) > 0 {
		m.add("POSTERN_CORS_ALLOW_ALL_ORIGINS", "true", "contradicts the list of allowed origins; set one of the two (any origin means: without cookies)")
	}
	for _, origin := range c.CSRF.TrustedOrigins {
		if !validOrigin(strings.Replace(origin, "://*.", "://", 1)) {
			m.add("POSTERN_CSRF_TRUSTED_ORIGINS", origin, `is not an origin; write "https://app.example.com" or "https://*.example.com"`)
		}
	}
}

// validOrigin reports whether s is a scheme and a netloc and nothing more.
func validOrigin(s string) bool {
	u, err := django.Urlsplit(s)
	if err != nil || u.Scheme == "" || u.Netloc == "" || u.Path != "" || u.Query != "" || u.Fragment != "" {
		return false
	}
	return !strings.ContainsAny(u.Netloc, "*@ ") && s == u.Scheme+"://"+u.Netloc
}

func (c *Config) validateCookies(m *mistakes) {
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
	if strings.ContainsAny(c.Security.ReferrerPolicy, "\r\n") {
		m.add("POSTERN_SECURE_REFERRER_POLICY", c.Security.ReferrerPolicy, "must be one line")
	}
	if c.Security.HSTSSeconds < 0 {
		m.add("POSTERN_SECURE_HSTS_SECONDS", fmt.Sprint(c.Security.HSTSSeconds), "must not be negative")
	}
}

func checkCookie(m *mistakes, prefix, name, domain, path, sameSite string, secure SecureMode) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) {
		m.add(prefix+"_NAME", name, "is not a cookie name; use letters, digits, - and _")
	}
	if strings.ContainsAny(domain, "; \t\r\n,") {
		m.add(prefix+"_DOMAIN", domain, "is not a domain")
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "; \r\n") {
		m.add(prefix+"_PATH", path, `must start with "/"`)
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
	if strings.HasPrefix(name, "__Host-") && (secure != SecureAlways || domain != "" || path != "/") {
		m.add(prefix+"_NAME", name, "the prefix __Host- needs "+prefix+"_SECURE=true, path / and no domain: browsers drop the cookie otherwise")
	}
	if strings.HasPrefix(name, "__Secure-") && secure != SecureAlways {
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
