package postern_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

func TestEveryMistakeInAConfigurationIsNamedAtOnce(t *testing.T) {
	config := postern.Config{
		Database:              "mysql://x",
		SecretKey:             "tooshort",
		SecretKeyFallbacks:    []string{"alsoshort"},
		AllowedHosts:          []string{"https://example.com", "example.com:80", "exa mple"},
		UnauthenticatedStatus: 404,
		CORS:                  postern.CORS{AllowedOrigins: []string{"localhost:3000", "https://x/"}, AllowAllOrigins: true},
		CSRF: postern.CSRF{
			TrustedOrigins: []string{"example.com", "https://*"},
			Cookie:         postern.CSRFCookie{Name: "a b", SameSite: "lax", Age: -1},
		},
		Cookie:  postern.SessionCookie{Name: "__Host-s", Domain: "example.com", SameSite: "None"},
		Session: postern.SessionPolicy{Age: -1, IdleTimeout: time.Millisecond, AbsoluteAge: -1, Limit: -1},
		Passwords: postern.Passwords{
			Hasher: "sha1", Argon2MemoryKiB: 1, BcryptCost: 99, MinLength: -1, Workers: -1, Queue: -1, QueueWait: -1,
		},
		Security: postern.Security{FrameOptions: "ALLOW", HSTSSeconds: -1},
	}
	_, err := postern.Open(t.Context(), config)
	if err == nil {
		t.Fatal("opened")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, setting := range []string{
		"POSTERN_DATABASE_URL", "POSTERN_SECRET_KEY", "POSTERN_SECRET_KEY_FALLBACKS", "POSTERN_ALLOWED_HOSTS",
		"POSTERN_UNAUTHENTICATED_STATUS", "POSTERN_CORS_ALLOWED_ORIGINS", "POSTERN_CORS_ALLOW_ALL_ORIGINS",
		"POSTERN_CSRF_TRUSTED_ORIGINS", "POSTERN_CSRF_COOKIE_NAME", "POSTERN_CSRF_COOKIE_SAMESITE", "POSTERN_CSRF_COOKIE_AGE",
		"POSTERN_SESSION_COOKIE_NAME", "POSTERN_SESSION_COOKIE_SAMESITE", "POSTERN_SESSION_COOKIE_AGE",
		"POSTERN_SESSION_IDLE_TIMEOUT", "POSTERN_SESSION_ABSOLUTE_AGE", "POSTERN_SESSION_LIMIT", "POSTERN_PASSWORD_HASHER",
		"POSTERN_PASSWORD_MIN_LENGTH", "POSTERN_HASH_WORKERS", "POSTERN_HASH_QUEUE", "POSTERN_HASH_QUEUE_WAIT",
		"POSTERN_X_FRAME_OPTIONS", "POSTERN_SECURE_HSTS_SECONDS",
	} {
		found := false
		for _, line := range lines {
			name, problem, _ := strings.Cut(line, ": ")
			name, _, _ = strings.Cut(name, "=")
			found = found || name == setting && len(problem) > 10
		}
		if !found {
			t.Errorf("no line for %s", setting)
		}
	}
	if strings.Contains(err.Error(), "tooshort") || strings.Contains(err.Error(), "alsoshort") {
		t.Errorf("the error shows a secret: %v", err)
	}
	var mistake *postern.ConfigError
	if !errors.As(err, &mistake) || mistake.Setting == "" {
		t.Errorf("%v is no *ConfigError", err)
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestRatesAreReadAndWritten(t *testing.T) {
	for _, good := range []string{"1/s", "10/m", "100/h", "1000/d"} {
		if r, err := postern.ParseRate(good); err != nil || r.String() != good {
			t.Errorf("%s: %v, %v", good, r, err)
		}
	}
	for _, bad := range []string{"", "10", "0/m", "-1/m", "10/y", "x/m", "10/m/s", "10 / m", "99999999999999999999/m"} {
		if r, err := postern.ParseRate(bad); err == nil {
			t.Errorf("%q is read as %v", bad, r)
		}
	}
}

func TestNothingIsGuessed(t *testing.T) {
	_, err := postern.Open(t.Context(), postern.Config{})
	if err == nil {
		t.Fatal("opened")
	}
	if n := len(strings.Split(err.Error(), "\n")); n != 3 {
		t.Errorf("%d lines, want one each for database, secret and hosts: %v", n, err)
	}
}

func TestSoundConfigurationsPass(t *testing.T) {
	for name, change := range map[string]func(*postern.Config){
		"the tests'":            func(*postern.Config) {},
		"a wildcard origin":     func(c *postern.Config) { c.CSRF.TrustedOrigins = []string{"https://*.example.com"} },
		"any host":              func(c *postern.Config) { c.AllowedHosts = []string{"*"} },
		"IPv6 and subdomains":   func(c *postern.Config) { c.AllowedHosts = []string{"[::1]", ".example.com"} },
		"a __Host- cookie":      func(c *postern.Config) { c.Cookie.Name, c.Cookie.Secure = "__Host-s", postern.SecureAlways },
		"cookies for all sites": func(c *postern.Config) { c.Cookie.SameSite, c.Cookie.Secure = "None", postern.SecureAlways },
		"every lifetime": func(c *postern.Config) {
			c.Session = postern.SessionPolicy{Age: time.Hour, IdleTimeout: time.Minute, AbsoluteAge: time.Hour, Limit: 1}
		},
	} {
		config := testConfig(t)
		change(&config)
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
