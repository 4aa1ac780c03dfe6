package postern

import (
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const soundKey = "mW3q8Zt0yLr5uKx1vBn7cJd2fGh4sAe6pTi9oYwRbQzXkNlMjHgFdS0a"

// hardened is a server behind a proxy on the same machine.
func hardened() (Config, Listen) {
	return Config{
			Database:       "sqlite:/var/lib/postern/postern.sqlite3",
			SecretKey:      soundKey,
			AllowedHosts:   []string{"auth.example.com"},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")},
			Cookie:         SessionCookie{Name: "__Host-sessionid", Secure: SecureAlways},
			CSRF:           CSRF{Cookie: CSRFCookie{Secure: SecureAlways}, TrustedOrigins: []string{"https://app.example.com"}},
			CORS:           CORS{AllowedOrigins: []string{"https://app.example.com"}},
			Security:       Security{HSTSSeconds: 31536000, HSTSIncludeSubdomains: true, HSTSPreload: true, SSLRedirect: true},
			Log:            slog.New(slog.NewTextHandler(io.Discard, nil)),
		}, Listen{
			Addr: "127.0.0.1:8000", UnixSocket: "/run/postern/socket", SocketMode: 0o660,
		}
}

func all(c Config, l Listen) []Weakness { return slices.Concat(c.Weaknesses(), l.Weaknesses(c)) }

func TestAHardenedConfigurationHasNoWeakness(t *testing.T) {
	c, _ := hardened()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config, *Listen){
		"as it is":                     func(*Config, *Listen) {},
		"an admin address":             func(_ *Config, l *Listen) { l.AdminAddr, l.Metrics = "127.0.0.1:9000", true },
		"TLS of its own":               func(c *Config, l *Listen) { c.TrustedProxies, l.Addr, l.TLSCert, l.TLSKey = nil, ":443", "c", "k" },
		"cookies as the request came":  func(c *Config, _ *Listen) { c.CSRF.Cookie.Secure = SecureAuto },
		"a hexadecimal key":            func(c *Config, _ *Listen) { c.SecretKey = "9f86d081884c7d659a2feaa0c55ad015" },
		"another row of OWASP's table": func(c *Config, _ *Listen) { c.Passwords.Argon2MemoryKiB, c.Passwords.Argon2Time = 7168, 5 },
		"an anchored expression": func(c *Config, _ *Listen) {
			c.CORS.AllowedOriginRegexes = []*regexp.Regexp{regexp.MustCompile(`^https://(a|b)\.example\.com$`), regexp.MustCompile(`^https://a$|\Ahttps://b\z`)}
		},
		"one rotation":          func(c *Config, _ *Listen) { c.SecretKeyFallbacks = []string{"x" + soundKey} },
		"a long age that idles": func(c *Config, _ *Listen) { c.Session.Age, c.Session.IdleTimeout = 365*day, day },
		"pbkdf2 as Django":      func(c *Config, _ *Listen) { c.Passwords.Hasher = "pbkdf2_sha256" },
		"an argon2 not in use":  func(c *Config, _ *Listen) { c.Passwords.Hasher, c.Passwords.Argon2Time = "scrypt", 1 },
		"sessions by TLS":       func(c *Config, _ *Listen) { c.SessionStore = "rediss://postern:x@redis.internal:6379" },
		"sessions in the host":  func(c *Config, _ *Listen) { c.SessionStore = "redis://postern:x@localhost:6379?addr=[::1]:6380" },
		"users by TLS": func(c *Config, _ *Listen) {
			c.Database = "postgres://postern:x@db.internal/postern?sslmode=verify-full"
		},
		"by an own authority":    func(c *Config, _ *Listen) { c.Database = "postgres://postern:x@db.internal/postern?sslmode=verify-ca" },
		"users in the host":      func(c *Config, _ *Listen) { c.Database = "postgres://postern:x@localhost,127.0.0.1,[::1]:5433/postern" },
		"users by a socket":      func(c *Config, _ *Listen) { c.Database = "postgres:///postern?host=/run/postgresql" },
		"sessions by a socket":   func(c *Config, _ *Listen) { c.SessionStore = "unix:///run/redis.sock" },
		"a private IPv6 network": func(c *Config, _ *Listen) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("fd00::/8")} },
	} {
		c, l := hardened()
		change(&c, &l)
		for _, w := range all(c, l) {
			t.Errorf("%s: %s", name, w)
		}
	}
}

// weakened has, for each rule, the one change of a hardened configuration that
// it must find, and nothing else may.
var weakened = map[string]func(*Config, *Listen){
	"postern.W001": func(c *Config, _ *Listen) { c.SecretKey = strings.Repeat("k3y-uvwxyzabc345", 3) },
	"postern.W002": func(c *Config, _ *Listen) { c.SecretKey = "django-insecure-" + soundKey },
	"postern.W003": func(c *Config, _ *Listen) { c.SecretKeyFallbacks = []string{"change-me-" + soundKey} },
	"postern.W004": func(c *Config, _ *Listen) {
		c.SecretKeyFallbacks = []string{"1" + soundKey, "2" + soundKey, "3" + soundKey}
	},
	"postern.W005": func(c *Config, _ *Listen) { c.AllowedHosts = []string{"example.com", "*"} },
	"postern.W006": func(c *Config, _ *Listen) {
		c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix("0.0.0.0/0"))
	},
	"postern.W010": func(c *Config, _ *Listen) { c.Cookie.Secure = SecureNever },
	"postern.W011": func(c *Config, _ *Listen) { c.CSRF.Cookie.Secure = SecureNever },
	"postern.W012": func(c *Config, _ *Listen) { c.Cookie.Domain = "example.com" },
	"postern.W013": func(c *Config, _ *Listen) { c.Cookie.SameSite = "None" },
	"postern.W014": func(c *Config, _ *Listen) { c.Cookie.Name = "" },
	"postern.W007": func(c *Config, _ *Listen) { c.SecretKey = `"` + soundKey + `"` },
	"postern.W015": func(c *Config, _ *Listen) { c.Cookie.Name, c.Cookie.Path = "__Secure-sessionid", "/api" },
	"postern.W016": func(c *Config, _ *Listen) { c.CSRF.Cookie.Path = "/auth/" },
	"postern.W017": func(c *Config, _ *Listen) { c.Session.Age = 14 * time.Second },
	"postern.W018": func(c *Config, _ *Listen) { c.Session.IdleTimeout = 30 * time.Second },
	"postern.W019": func(c *Config, _ *Listen) { c.Session.AbsoluteAge = 12 * time.Second },
	"postern.W037": func(c *Config, _ *Listen) { c.CORS.AllowHeaders = []string{"Content-Type"} },
	"postern.W088": func(c *Config, _ *Listen) {
		c.TrustedProxies, c.CORS.AllowedOrigins, c.CSRF.TrustedOrigins = nil, nil, nil
		c.CSRF.Cookie.Secure, c.Security.SSLRedirect = SecureAlways, false
	},
	"postern.W020": func(c *Config, _ *Listen) { c.Security.HSTSSeconds = 0 },
	"postern.W021": func(c *Config, _ *Listen) { c.Security.HSTSSeconds = 3600 },
	"postern.W022": func(c *Config, _ *Listen) { c.Security.HSTSIncludeSubdomains = false },
	"postern.W023": func(c *Config, _ *Listen) { c.Security.HSTSPreload = false },
	"postern.W030": func(c *Config, _ *Listen) { c.CORS = CORS{AllowAllOrigins: true} },
	"postern.W031": func(c *Config, _ *Listen) {
		c.AllowedHosts = append(c.AllowedHosts, "app.example.com")
		c.CORS.AllowedOrigins = append(c.CORS.AllowedOrigins, "HTTP://app.example.com")
	},
	"postern.W032": func(c *Config, _ *Listen) {
		c.CORS.AllowedOriginRegexes = []*regexp.Regexp{regexp.MustCompile(`^https://a$|https://.*\.example\.com$`)}
	},
	"postern.W033": func(c *Config, _ *Listen) {
		c.CORS.AllowedOrigins = nil
		c.CSRF.TrustedOrigins = []string{"http://app.example.com"}
	},
	"postern.W024": func(c *Config, _ *Listen) { c.Security.ReferrerPolicy = "no-referrer" },
	"postern.W035": func(c *Config, _ *Listen) { c.CSRF.TrustedOrigins = nil },
	"postern.W036": func(c *Config, _ *Listen) {
		c.CORS.AllowedOrigins = []string{"https://app.example.org"}
		c.CSRF.TrustedOrigins = c.CORS.AllowedOrigins
	},
	"postern.W087": func(c *Config, l *Listen) { c.TrustedProxies, c.CSRF.Cookie.Secure = nil, SecureAlways },
	"postern.W034": func(c *Config, _ *Listen) { c.CSRF.TrustedOrigins = []string{"https://*.example.com"} },
	"postern.W040": func(c *Config, _ *Listen) { c.Throttle.Off = true },
	"postern.W041": func(c *Config, _ *Listen) { c.Throttle.Login = Rate{Attempts: 301, Per: time.Minute} },
	"postern.W042": func(c *Config, _ *Listen) { c.Throttle.LoginAccount = Rate{Attempts: 61, Per: time.Minute} },
	"postern.W043": func(c *Config, _ *Listen) { c.Throttle.Register = Rate{Attempts: 11, Per: time.Second} },
	"postern.W050": func(c *Config, _ *Listen) { c.Passwords.MinLength = 7 },
	"postern.W051": func(c *Config, _ *Listen) { c.Passwords.WarnOnly = true },
	"postern.W052": func(c *Config, _ *Listen) { c.Passwords.Hasher = "md5" },
	"postern.W053": func(c *Config, _ *Listen) { c.Passwords.Argon2Time = 1 },
	"postern.W054": func(c *Config, _ *Listen) { c.Passwords.Hasher, c.Passwords.PBKDF2Iterations = "pbkdf2_sha1", 999_999 },
	"postern.W055": func(c *Config, _ *Listen) { c.Passwords.Hasher, c.Passwords.BcryptCost = "bcrypt_sha256", 11 },
	"postern.W056": func(c *Config, _ *Listen) { c.Passwords.Hasher, c.Passwords.ScryptP = "scrypt", 4 },
	"postern.W060": func(c *Config, _ *Listen) { c.Session.Age = longSession + time.Second },
	"postern.W061": func(c *Config, _ *Listen) { c.Session.SaveEveryRequest = true },
	"postern.W062": func(c *Config, _ *Listen) {
		c.SessionStore = "redis://postern:" + soundKey + "@127.0.0.1:6379?addr=10.0.0.2:6379"
	},
	"postern.W063": func(c *Config, _ *Listen) { c.SessionStore = "rediss://redis.internal:6379" },
	"postern.W064": func(c *Config, _ *Listen) {
		c.SessionStore = "rediss://postern:" + soundKey + "@redis.internal:6379?skip_verify=true"
	},
	"postern.W065": func(c *Config, _ *Listen) {
		c.Database = "postgres://postern:" + soundKey + "@127.0.0.1:5432,db.internal:5432/postern?sslmode=prefer"
	},
	"postern.W066": func(c *Config, _ *Listen) {
		c.Database = "postgres://postern@localhost/postern"
		c.DatabaseListen = "postgres://postern:" + soundKey + "@db.internal/postern?sslmode=require"
	},
	"postern.W067": func(c *Config, _ *Listen) {
		c.Database = "postgres://postern@localhost/postern"
		c.DatabaseReplica = "postgres://postern:" + soundKey + "@10.0.0.2/postern?sslmode=disable"
	},
	"postern.W070": func(c *Config, _ *Listen) {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	},
	"postern.W080": func(c *Config, l *Listen) {
		c.Security.SSLRedirect = false
		c.TrustedProxies, l.Addr = nil, "0.0.0.0:8000"
	},
	"postern.W081": func(c *Config, _ *Listen) {
		c.Security.SSLRedirect = false
		c.TrustedProxies, c.Cookie.Secure = nil, SecureAuto
	},
	"postern.W082": func(c *Config, _ *Listen) {
		c.Security.SSLRedirect = false
		c.TrustedProxies, c.CSRF.Cookie.Secure = nil, SecureAuto
	},
	"postern.W083": func(c *Config, _ *Listen) { c.Security.SSLRedirect = false },
	"postern.W084": func(c *Config, l *Listen) { c.TrustUnixPeers, l.SocketMode = true, 0o666 },
	"postern.W085": func(_ *Config, l *Listen) { l.AdminAddr = ":9000" },
	"postern.W086": func(_ *Config, l *Listen) { l.Metrics = true },
}

func TestEachWeaknessIsFoundByItself(t *testing.T) {
	for id, weaken := range weakened {
		c, l := hardened()
		weaken(&c, &l)
		found := all(c, l)
		if len(found) != 1 || found[0].ID != id {
			t.Errorf("%s: found %v", id, found)
		}
		for _, w := range found {
			if w.Why == "" || w.WayOut == "" || strings.HasSuffix(w.Why, ".") || !strings.HasPrefix(w.Setting, "POSTERN_") {
				t.Errorf("%s is told badly: %+v", id, w)
			}
			if strings.Contains(w.String(), soundKey) || strings.HasPrefix(w.Setting, "POSTERN_SECRET_KEY") && w.Value != "" {
				t.Errorf("%s tells a secret", id)
			}
		}
	}
}

func TestEachRuleHasANumberAndATestOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	note := func(w Weakness) {
		if seen[w.ID] {
			t.Errorf("%s stands for two rules", w.ID)
		}
		seen[w.ID] = true
		if weakened[w.ID] == nil {
			t.Errorf("%s has no test", w.ID)
		}
	}
	for _, rule := range weakConfigs {
		note(rule.weakness(""))
	}
	for _, rule := range weakListens {
		note(rule.weakness(""))
	}
	if len(seen) != len(weakened) {
		t.Errorf("%d rules, %d tests", len(seen), len(weakened))
	}
	// Those of servers have tests with real ones.
	var servers []Weakness
	for _, rule := range weakStores {
		servers = append(servers, rule.weakness(""))
	}
	for _, rule := range weakDatabases {
		servers = append(servers, rule.weakness(""))
	}
	for _, w := range servers {
		if seen[w.ID] {
			t.Errorf("%s stands for two rules", w.ID)
		}
		seen[w.ID] = true
	}
}

func TestKeysAreJudged(t *testing.T) {
	for key, want := range map[string]struct{ guessable, development bool }{
		soundKey: {false, false},
		"c2NyeXB0IGlzIG5vdCBhIGNpcGhlciwgYnV0IGE=":                 {false, false},
		"0123456789abcdef0123456789abcdef":                         {true, false},
		strings.Repeat("a", 100):                                   {true, false},
		"to be or not to be":                                       {true, false},
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ":     {false, true},
		"django-insecure-&1x%w2kq@z7y3n#v9b5m8r^t4p6s0(d!f)g_h-j+": {false, true},
		"my very own Secret for the production of 2026":            {false, true},
	} {
		if guessable(key) != want.guessable || forDevelopment(key) != want.development {
			t.Errorf("%q: guessable %v, for development %v", key, guessable(key), forDevelopment(key))
		}
	}
}
