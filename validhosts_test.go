package postern

import (
	"strings"
	"testing"
)

// mistakeIn validates a sound configuration that is changed, and returns the
// lines about one setting.
func mistakeIn(t *testing.T, setting string, change func(*Config)) string {
	t.Helper()
	c, _ := hardened()
	c.Database = "sqlite:x"
	c.AllowedHosts = []string{"auth.example.com"}
	change(&c)
	err := c.Validate()
	if err == nil {
		return ""
	}
	var lines []string
	for _, line := range strings.Split(err.Error(), "\n") {
		if strings.HasPrefix(line, setting) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestConfig_HostsThatMatchNoRequest(t *testing.T) {
	for host, write := range map[string]string{
		"https://example.com": "example.com", "example.com:8000": "example.com", "example.com/": "example.com", "*.example.com": ".example.com",
		`"example.com"`: "example.com", "bücher.example": "xn--bcher-kva.example", "::1": "[::1]", "example.com.": "example.com",
		"*:8000": "", "..example.com": "", "my_host": "", "10.0.0.0/8": "10.0.0.0", "a.example b.example": "", ".": "",
	} {
		got := mistakeIn(t, "POSTERN_ALLOWED_HOSTS", func(c *Config) { c.AllowedHosts = append(c.AllowedHosts, host) })
		if got == "" || write != "" && !strings.HasSuffix(got, `write "`+write+`"`) || write == "" && strings.Contains(got, "; write") {
			t.Errorf("%s: %q, want to write %q", host, got, write)
		}
	}
	for _, host := range []string{"*", "example.com", "Example.COM", ".example.com", "localhost", "[::1]", "127.0.0.1", "xn--bcher-kva.example"} {
		if !validHostPattern(host) {
			t.Errorf("%s is refused", host)
		}
	}
}

func TestConfig_OriginsThatNoBrowserSends(t *testing.T) {
	both := map[string]string{
		"https://app.example.com/": "https://app.example.com", "https://app.example.com/path": "https://app.example.com",
		"https://App.example.com": "https://app.example.com", "HTTPS://app.example.com": "https://app.example.com",
		"app.example.com": "https://app.example.com", "app.example.com:3000": "https://app.example.com:3000",
		"https://app.example.com:443": "https://app.example.com", "http://app.example.com:80": "http://app.example.com",
		"https://bücher.example": "https://xn--bcher-kva.example", `"https://app.example.com"`: "https://app.example.com",
		"https://joe@app.example.com": "https://app.example.com", "https://": "", "https://app.example.com:port": "https://app.example.com",
		"localhost:3000": "http://localhost:3000", "127.0.0.1:5173": "http://127.0.0.1:5173", "[::1]:3000": "http://[::1]:3000", "app.localhost:80": "http://app.localhost",
	}
	for origin, write := range both {
		for setting, change := range map[string]func(*Config){
			"POSTERN_CORS_ALLOWED_ORIGINS": func(c *Config) { c.CORS.AllowedOrigins = []string{origin} },
			"POSTERN_CSRF_TRUSTED_ORIGINS": func(c *Config) { c.CSRF.TrustedOrigins = []string{origin} },
		} {
			got := mistakeIn(t, setting, change)
			if got == "" || write != "" && !strings.HasSuffix(got, `write "`+write+`"`) {
				t.Errorf("%s=%s: %q, want to write %q", setting, origin, got, write)
			}
		}
	}
	for origin, want := range map[string]string{"*": "ALLOW_ALL_ORIGINS", "https://*.example.com": "ORIGIN_REGEXES", "https://.example.com": `write "https://example.com"`} {
		if got := originProblem(origin, false); !strings.Contains(got, want) {
			t.Errorf("CORS %s: %q", origin, got)
		}
	}
	for origin, want := range map[string]string{"null": "sandboxed", "https://*": "is not an origin", "https://*.Example.com:443": `write "https://*.example.com"`,
		"https://.example.com": `write "https://*.example.com"`, ".example.com": `write "https://*.example.com"`} {
		if got := originProblem(origin, true); !strings.Contains(got, want) {
			t.Errorf("CSRF %s: %q", origin, got)
		}
	}
	for _, origin := range []string{
		"https://app.example.com", "http://localhost:3000", "http://[::1]:3000", "https://app.example.com:80", "capacitor://localhost",
		"chrome-extension://abcdefghijklmnop", "http://my_host:3000",
	} {
		if problem := originProblem(origin, false); problem != "" {
			t.Errorf("%s: %s", origin, problem)
		}
	}
	if problem := originProblem("https://*.example.com:8443", true); problem != "" {
		t.Error(problem)
	}
}

func TestConfig_CookieDomainsThatBrowsersDrop(t *testing.T) {
	for domain, want := range map[string]string{
		"https://example.com": `write "example.com"`, "https://example.com/": `write "example.com"`, "example.com:8000": `write "example.com"`,
		"*.example.com": `write "example.com"`, `".example.com"`: `write "example.com"`, "bücher.example": `write "xn--bcher-kva.example"`,
		"None": "leave the setting out", "null": "leave the setting out", "com": "public suffix", ".com": "public suffix", "example.com.": `write "example.com"`,
		"other.example": "none of the hosts", "www.auth.example.com": "none of the hosts", "ample.com": "none of the hosts", "127.0.0.1": "none of the hosts",
		".127.0.0.1": "address", "[::1]": "is not a domain", "exa mple.com": "is not a domain", "localhost": "public suffix", ".": "is not a domain",
	} {
		for setting, change := range map[string]func(*Config){
			"POSTERN_SESSION_COOKIE_DOMAIN": func(c *Config) { c.Cookie.Name, c.Cookie.Domain = "sessionid", domain },
			"POSTERN_CSRF_COOKIE_DOMAIN":    func(c *Config) { c.CSRF.Cookie.Domain = domain },
		} {
			if got := mistakeIn(t, setting, change); !strings.Contains(got, want) {
				t.Errorf("%s=%s: %q, want %q", setting, domain, got, want)
			}
		}
	}
	for _, c := range []struct {
		domain         string
		hosts, origins []string
	}{
		{"example.com", []string{"auth.example.com"}, nil},
		{".example.com", []string{"auth.example.com", "localhost"}, nil},
		{"Example.com", []string{"AUTH.example.com"}, nil},
		{"example.com", []string{".example.com"}, nil},
		{"a.example.com", []string{".example.com"}, nil},
		{"example.com", []string{"*"}, nil},
		{"127.0.0.1", []string{"127.0.0.1"}, nil},
		{"localhost", []string{"localhost"}, nil},
		{"intranet", []string{"*"}, nil},
		{"github.io", []string{"github.io"}, nil},
		{"example.com", []string{"backend"}, []string{"https://app.example.com"}}, // a proxy that sends another Host on
		{"example.com", []string{"backend"}, []string{"https://*.example.com:8443"}},
	} {
		config := Config{AllowedHosts: c.hosts, CSRF: CSRF{TrustedOrigins: c.origins}}
		if problem := config.domainProblem(c.domain); problem != "" {
			t.Errorf("%+v: %s", c, problem)
		}
	}
}

func TestConfig_NamesThatMatchNothing(t *testing.T) {
	for _, c := range []struct {
		setting string
		change  func(*Config)
		want    string
	}{
		{"POSTERN_CORS_ALLOW_HEADERS", func(c *Config) { c.CORS.AllowHeaders = []string{"x csrf"} }, "can't be a name"},
		{"POSTERN_CORS_ALLOW_HEADERS", func(c *Config) { c.CORS.AllowHeaders = []string{"*"} }, "name each one"},
		{"POSTERN_CORS_EXPOSE_HEADERS", func(c *Config) { c.CORS.ExposeHeaders = []string{"x:"} }, "can't be a name"},
		{"POSTERN_CORS_ALLOW_METHODS", func(c *Config) { c.CORS.AllowMethods = []string{"patch"} }, `write "PATCH"`},
		{"POSTERN_SECURE_REFERRER_POLICY", func(c *Config) { c.Security.ReferrerPolicy = "sameorigin" }, "must be one of"},
		{"POSTERN_SESSION_COOKIE_NAME", func(c *Config) { c.Cookie.Name, c.Cookie.Domain = "__HOST-s", "example.com" }, "browsers drop the cookie"},
		{"POSTERN_SESSION_COOKIE_NAME", func(c *Config) { c.Cookie.Name, c.Cookie.Secure = "__secure-s", SecureAuto }, "browsers drop the cookie"},
	} {
		if got := mistakeIn(t, c.setting, c.change); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.setting, got, c.want)
		}
	}
	if got := mistakeIn(t, "POSTERN", func(c *Config) {
		c.Security.ReferrerPolicy = "no-referrer, strict-origin"
		c.CORS.AllowedOrigins = []string{"null", "file://"}
	}); got != "" {
		t.Error(got)
	}
}

func TestConfig_SecretKeysThatCanBeGuessed(t *testing.T) {
	for key, want := range map[string]string{
		"":                             "is not set",
		strings.Repeat("n", 50):        "(1, at least 8 are needed)",
		strings.Repeat("abcdefg", 8):   "(7, at least 8 are needed)",
		strings.Repeat("abcdefgh", 8):  "repeats 8 characters",
		strings.Repeat("changeme!", 5): "repeats 9 characters",
		"$(head -c 48 /dev/urandom | base64 --wrap)": "placeholder",
		"${POSTERN_SECRET_KEY_OF_THE_DEPLOYMENT}":    "placeholder",
		"$(openssl rand -base64 48)":                 "placeholder",
		"{{ .Values.postern.secretKey | quote }}":    "placeholder",
		"<put your own secret key of 50 chars here>": "placeholder",
		"tooshort": "has 8 characters",
	} {
		for setting, change := range map[string]func(*Config){
			"POSTERN_SECRET_KEY:":           func(c *Config) { c.SecretKey = key },
			"POSTERN_SECRET_KEY_FALLBACKS:": func(c *Config) { c.SecretKeyFallbacks = []string{soundKey, key} },
		} {
			got := mistakeIn(t, setting, change)
			if !strings.Contains(got, want) || key != "" && strings.Contains(got, key) {
				t.Errorf("%s %q: %q, want %q", setting, key, got, want)
			}
		}
	}
	for _, key := range []string{soundKey, strings.Repeat("k3y-uvwxyzabc345", 3), "django-insecure-" + soundKey, "0123456789abcdef0123456789abcdef", "$" + soundKey} {
		if got := mistakeIn(t, "POSTERN_SECRET_KEY:", func(c *Config) { c.SecretKey = key }); got != "" {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestWeaknesses_AtStartAreThoseOfKeysHostsAndLogins(t *testing.T) {
	for id, change := range weakened {
		c, l := hardened()
		change(&c, &l)
		for _, w := range all(c, l) {
			want := strings.Contains("postern.W001 postern.W002 postern.W003 postern.W005 postern.W007 postern.W015 postern.W016 postern.W017 postern.W018 postern.W019 postern.W024 postern.W035 postern.W036 postern.W037 postern.W087 postern.W088", id)
			if w.ID == id && w.AtStart != want {
				t.Errorf("%s: at start %v, want %v", id, w.AtStart, want)
			}
		}
	}
}

func TestConfig_CookiePathsThatMatchNoRequest(t *testing.T) {
	for path, right := range map[string]bool{
		"/": true, "/api": true, "/api/": true, "/auth/v1/": true, "/a%20b/": true,
		"api/": false, "/*": false, "/api/*": false, `"/"`: false, "/a b": false, "/a;b": false, "/?x": false, "/#": false, "//": false, "https://example.com/": false, "/bücher": false, "\\": false,
	} {
		for setting, change := range map[string]func(*Config){
			"POSTERN_SESSION_COOKIE_PATH": func(c *Config) { c.Cookie.Path, c.Cookie.Name = path, "" },
			"POSTERN_CSRF_COOKIE_PATH":    func(c *Config) { c.CSRF.Cookie.Path = path },
		} {
			if got := mistakeIn(t, setting, change); (got == "") != right {
				t.Errorf("%s=%s: %q", setting, path, got)
			}
		}
	}
}

func TestWeaknesses_CookiePathsThatCoverThePages(t *testing.T) {
	for path, want := range map[string]int{"/": 0, "/api": 1, "/api/": 1, "/admin/": 1, "/api/user/": 1, "/ap": 1} {
		c, l := hardened()
		c.CSRF.Cookie.Path = path
		if got := all(c, l); len(got) != want {
			t.Errorf("%s: %v", path, got)
		}
		if c.NoAdmin = true; strings.HasPrefix(path, "/api") && path != "/api/user/" && len(all(c, l)) != 0 {
			t.Errorf("%s without the admin site: %v", path, all(c, l))
		}
	}
}
