package postern

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/redact"
)

const (
	day = 24 * time.Hour
	// soundHSTS is half a year, from which on SSL Labs and others count HSTS.
	soundHSTS = 180 * day
	// longSession is an age from which on a session should also end by other means.
	longSession = 30 * day
	// manyFallbacks is more former keys than one rotation leaves behind.
	manyFallbacks = 3
	newKey        = "make one with: openssl rand -base64 48"
)

// weakConfigs is every rule about a Config. Numbers are never used again.
var weakConfigs = []weakRule[*Config]{
	{number: 1, atStart: true, setting: "SECRET_KEY", why: "has so little randomness that it can be guessed",
		wayOut: newKey,
		values: func(c *Config) []string { return when(guessable(c.SecretKey), "") }},
	{number: 2, atStart: true, setting: "SECRET_KEY", why: "looks like a placeholder or a key that was made for development, which others know too",
		wayOut: newKey,
		values: func(c *Config) []string { return when(forDevelopment(c.SecretKey), "") }},
	{number: 3, atStart: true, setting: "SECRET_KEY_FALLBACKS", why: "one of them can be guessed or looks like one for development, and still counts",
		wayOut: "drop it: the sessions that it made end",
		values: func(c *Config) []string {
			weak := which(c.SecretKeyFallbacks, func(key string) bool { return guessable(key) || forDevelopment(key) })
			return when(len(weak) > 0, "")
		}},
	{number: 4, setting: "SECRET_KEY_FALLBACKS", advice: true, why: "there are many: each former key counts until it is dropped",
		wayOut: "drop those older than the longest life of a session (POSTERN_SESSION_COOKIE_AGE)",
		values: func(c *Config) []string { return when(len(c.SecretKeyFallbacks) >= manyFallbacks, "") }},

	{number: 5, atStart: true, setting: "ALLOWED_HOSTS", why: "any Host header is believed, in redirects and as an origin of our own",
		wayOut: `name the hosts, such as "auth.example.com"`,
		values: func(c *Config) []string { return which(c.AllowedHosts, func(h string) bool { return h == "*" }) }},
	{number: 6, setting: "TRUSTED_PROXIES", why: "so many may say what address, host and scheme a request has: throttles and the CSRF check rest on that",
		wayOut: "name the addresses of the proxies themselves",
		values: func(c *Config) []string {
			var wide []string
			for _, p := range c.TrustedProxies {
				if isWide(p) {
					wide = append(wide, p.String())
				}
			}
			return wide
		}},

	{number: 7, atStart: true, advice: true, setting: "SECRET_KEY", why: "it is in quotation marks, which are part of the key: a Django with the key between them accepts no session of ours",
		wayOut: "take the quotation marks off, if they are not meant; everybody logs in once more",
		values: func(c *Config) []string { return when(isQuoted(c.SecretKey), "") }},

	{number: 10, setting: "SESSION_COOKIE_SECURE", why: "the browser sends the session over http too, where anyone on the way reads it",
		wayOut: "set it to true",
		values: func(c *Config) []string { return when(c.Cookie.Secure == SecureNever, c.Cookie.Secure) }},
	{number: 11, setting: "CSRF_COOKIE_SECURE", why: "the browser sends the token over http too, where anyone on the way reads it",
		wayOut: "set it to true",
		values: func(c *Config) []string { return when(c.CSRF.Cookie.Secure == SecureNever, c.CSRF.Cookie.Secure) }},
	{number: 12, setting: "SESSION_COOKIE_DOMAIN", why: "every subdomain gets the session, and can plant another",
		wayOut: "leave it unset: the cookie is for this host only",
		values: func(c *Config) []string { return when(c.Cookie.Domain != "", c.Cookie.Domain) }},
	{number: 13, setting: "SESSION_COOKIE_SAMESITE", advice: true, why: "any site's requests bring the session along; only the CSRF check stops them",
		wayOut: "Lax, unless the front end is on another site",
		values: func(c *Config) []string { return when(c.Cookie.SameSite == "None", c.Cookie.SameSite) }},
	{number: 14, setting: "SESSION_COOKIE_NAME", advice: true, why: "without the prefix __Host- a subdomain or plain http can plant a cookie of that name",
		wayOut: "__Host-sessionid, with POSTERN_SESSION_COOKIE_SECURE=true; everybody logs in once more",
		values: func(c *Config) []string {
			return when(c.Cookie.Path == "/" && !strings.HasPrefix(c.Cookie.Name, "__Host-"), c.Cookie.Name)
		}},

	{number: 15, atStart: true, advice: true, setting: "SESSION_COOKIE_PATH", why: "browsers do not send the session cookie to /api/ or not to /admin/: nobody stays logged in there",
		wayOut: `"/"; if a proxy removes this part of the path, silence this`,
		values: func(c *Config) []string { return when(!c.coversPages(c.Cookie.Path), c.Cookie.Path) }},
	{number: 16, atStart: true, advice: true, setting: "CSRF_COOKIE_PATH", why: "browsers do not send the CSRF cookie to /api/ or not to /admin/: no form is accepted there",
		wayOut: `"/"; if a proxy removes this part of the path, silence this`,
		values: func(c *Config) []string { return when(!c.coversPages(c.CSRF.Cookie.Path), c.CSRF.Cookie.Path) }},
	{number: 17, atStart: true, advice: true, setting: "SESSION_COOKIE_AGE", why: "sessions end within a minute; the number is in seconds",
		wayOut: `1209600, or "336h", for 14 days`,
		values: func(c *Config) []string { return when(c.Session.Age < time.Minute, c.Session.Age) }},
	{number: 18, atStart: true, advice: true, setting: "SESSION_IDLE_TIMEOUT", why: "sessions end after less than a minute without use; the number is in seconds",
		wayOut: `"30m", or what users may leave their device for`,
		values: func(c *Config) []string {
			return when(c.Session.IdleTimeout > 0 && c.Session.IdleTimeout < time.Minute, c.Session.IdleTimeout)
		}},
	{number: 19, atStart: true, advice: true, setting: "SESSION_ABSOLUTE_AGE", why: "sessions end within a minute; the number is in seconds",
		wayOut: `"12h" or another working day`,
		values: func(c *Config) []string {
			return when(c.Session.AbsoluteAge > 0 && c.Session.AbsoluteAge < time.Minute, c.Session.AbsoluteAge)
		}},

	{number: 20, setting: "SECURE_HSTS_SECONDS", why: "a browser that is lured to http:// goes there",
		wayOut: "31536000 once every page works over https; if a proxy sends the header, silence this",
		values: func(c *Config) []string { return when(c.Security.HSTSSeconds == 0, 0) }},
	{number: 21, setting: "SECURE_HSTS_SECONDS", why: "browsers forget it before the next visit",
		wayOut: "31536000, a year",
		values: func(c *Config) []string {
			s := c.Security.HSTSSeconds
			return when(s > 0 && time.Duration(s)*time.Second < soundHSTS, s)
		}},
	{number: 22, setting: "SECURE_HSTS_INCLUDE_SUBDOMAINS", advice: true, why: "a subdomain over http can plant cookies for this site",
		wayOut: "true, if every subdomain has https",
		values: func(c *Config) []string {
			return when(c.Security.HSTSSeconds > 0 && !c.Security.HSTSIncludeSubdomains, false)
		}},
	{number: 23, setting: "SECURE_HSTS_PRELOAD", advice: true, why: "the very first visit may still be over http",
		wayOut: "true, and enter the domain at hstspreload.org",
		values: func(c *Config) []string { return when(c.Security.HSTSSeconds > 0 && !c.Security.HSTSPreload, false) }},

	{number: 24, setting: "SECURE_REFERRER_POLICY", advice: true, atStart: true, why: "browsers send the forms of our own pages with \"Origin: null\", which is refused: nobody can log in there",
		wayOut: "same-origin, or leave out the pages with POSTERN_NO_ADMIN and POSTERN_NO_BROWSABLE_API",
		values: func(c *Config) []string {
			policies := strings.Split(c.Security.ReferrerPolicy, ",")
			last := strings.TrimSpace(policies[len(policies)-1])
			return when(last == "no-referrer" && !(c.NoAdmin && c.NoBrowsableAPI), c.Security.ReferrerPolicy)
		}},

	{number: 30, setting: "CORS_ALLOW_ALL_ORIGINS", why: "the scripts of every site read the answers, though without cookies",
		wayOut: "name the front ends in POSTERN_CORS_ALLOWED_ORIGINS",
		values: func(c *Config) []string { return when(c.CORS.AllowAllOrigins, true) }},
	{number: 31, setting: "CORS_ALLOWED_ORIGINS", why: "whoever is on the way can put a script into a page of that origin, and call with the user's session",
		wayOut: "https:// origins only",
		values: func(c *Config) []string { return which(c.CORS.AllowedOrigins, isPlainOrigin) }},
	{number: 32, setting: "CORS_ALLOWED_ORIGIN_REGEXES", why: "it matches origins that only contain what is meant, such as https://app.example.com.evil.example",
		wayOut: "begin it with ^ and end it with $",
		values: func(c *Config) []string {
			var open []string
			for _, re := range c.CORS.AllowedOriginRegexes {
				if !isAnchored(re.String()) {
					open = append(open, re.String())
				}
			}
			return open
		}},
	{number: 33, setting: "CSRF_TRUSTED_ORIGINS", why: "whoever is on the way can put a form into a page of that origin",
		wayOut: "https:// origins only",
		values: func(c *Config) []string { return which(c.CSRF.TrustedOrigins, isPlainOrigin) }},
	{number: 34, setting: "CSRF_TRUSTED_ORIGINS", why: "any subdomain, a forgotten or hijacked one too, may send requests for the user",
		wayOut: "name the subdomains that do",
		values: func(c *Config) []string {
			return which(c.CSRF.TrustedOrigins, func(o string) bool { return strings.Contains(o, "*") })
		}},

	{number: 35, setting: "CORS_ALLOWED_ORIGINS", advice: true, atStart: true, why: "its scripts may read answers, but cannot log in: POSTERN_CSRF_TRUSTED_ORIGINS lacks it",
		wayOut: "add it to POSTERN_CSRF_TRUSTED_ORIGINS; if its scripts only read, silence this",
		values: func(c *Config) []string { return which(c.CORS.AllowedOrigins, c.isUntrusted) }},
	{number: 36, setting: "CORS_ALLOWED_ORIGINS", advice: true, atStart: true, why: "it is on another site than every allowed host, where browsers send no session cookie with this SameSite",
		wayOut: "POSTERN_SESSION_COOKIE_SAMESITE=None with POSTERN_SESSION_COOKIE_SECURE=true, or serve both under one domain",
		values: func(c *Config) []string {
			return which(c.CORS.AllowedOrigins, func(o string) bool { return c.Cookie.SameSite != "None" && c.isCrossSite(o) })
		}},

	{number: 37, setting: "CORS_ALLOW_HEADERS", advice: true, atStart: true, why: "it lacks content-type or x-csrftoken, without which scripts of other origins can't send JSON or act for a user",
		wayOut: "add content-type and x-csrftoken; if the scripts only read, silence this",
		values: func(c *Config) []string {
			used := len(c.CORS.AllowedOrigins)+len(c.CORS.AllowedOriginRegexes) > 0
			names := strings.ToLower(strings.Join(c.CORS.AllowHeaders, ","))
			return when(used && !(strings.Contains(names, "content-type") && strings.Contains(names, "x-csrftoken")), names)
		}},

	{number: 40, setting: "THROTTLE", why: "passwords can be guessed as fast as they can be hashed",
		wayOut: "on",
		values: func(c *Config) []string { return when(c.Throttle.Off, "off") }},
	{number: 41, setting: "THROTTLE_LOGIN", why: "one address may guess more than 5 passwords a second",
		wayOut: `"60/m", or what the largest office behind one address needs`,
		values: func(c *Config) []string { return whenOver(c, c.Throttle.Login, 5) }},
	{number: 42, setting: "THROTTLE_LOGIN_ACCOUNT", why: "a botnet may guess more than one password a second at one account",
		wayOut: `"10/m"`,
		values: func(c *Config) []string { return whenOver(c, c.Throttle.LoginAccount, 1) }},
	{number: 43, setting: "THROTTLE_REGISTER", why: "one address may make more than 10 users a second",
		wayOut: `"100/m"`,
		values: func(c *Config) []string { return whenOver(c, c.Throttle.Register, 10) }},

	{number: 50, setting: "PASSWORD_MIN_LENGTH", why: "shorter passwords are guessed even slowly",
		wayOut: "8 or more",
		values: func(c *Config) []string { return when(c.Passwords.MinLength < 8, c.Passwords.MinLength) }},
	{number: 51, setting: "PASSWORD_VALIDATORS", why: "common passwords are taken, and only logged",
		wayOut: "leave Passwords.WarnOnly out, which is for development",
		values: func(c *Config) []string { return when(c.Passwords.WarnOnly, "warn only") }},
	{number: 52, setting: "PASSWORD_HASHER", why: "a graphics card tries it by the billion",
		wayOut: "argon2",
		values: func(c *Config) []string { return when(c.Passwords.Hasher == password.MD5, password.MD5) }},
	{number: 53, setting: "ARGON2_MEMORY_KIB", why: "a stolen hash is cheaper to crack than OWASP allows for argon2id",
		wayOut: "memory and time of at least 47104 and 1, 19456 and 2, 12288 and 3, 9216 and 4, or 7168 and 5",
		values: weakArgon2},
	{number: 54, setting: "PBKDF2_ITERATIONS", why: "a stolen hash is cheaper to crack than Django allows",
		wayOut: "1000000 or more",
		values: func(c *Config) []string {
			n := c.Passwords.PBKDF2Iterations
			return when(strings.HasPrefix(c.Passwords.Hasher, "pbkdf2_") && n != 0 && n < 1_000_000, n)
		}},
	{number: 55, setting: "BCRYPT_COST", why: "a stolen hash is cheaper to crack than Django allows",
		wayOut: "12 or more",
		values: func(c *Config) []string {
			n := c.Passwords.BcryptCost
			return when(strings.HasPrefix(c.Passwords.Hasher, "bcrypt") && n != 0 && n < 12, n)
		}},
	{number: 56, setting: "SCRYPT_N", why: "a stolen hash is cheaper to crack than Django allows",
		wayOut: "N=16384, R=8 and P=5, or more",
		values: weakScrypt},

	{number: 60, setting: "SESSION_COOKIE_AGE", advice: true, why: "a session on a lost device lives long, used or not",
		wayOut: "30 days or less, or set POSTERN_SESSION_IDLE_TIMEOUT",
		values: func(c *Config) []string {
			s := c.Session
			ends := s.IdleTimeout > 0 || s.AbsoluteAge > 0 && s.AbsoluteAge <= longSession
			return when(s.Age > longSession && !ends, s.Age)
		}},
	{number: 61, setting: "SESSION_SAVE_EVERY_REQUEST", advice: true, why: "a stolen session that is used lives for ever",
		wayOut: "set POSTERN_SESSION_ABSOLUTE_AGE, such as 90 days",
		values: func(c *Config) []string { return when(c.Session.SaveEveryRequest && c.Session.AbsoluteAge == 0, true) }},

	{number: 62, setting: "SESSION_STORE", why: "the password of the store, and with it every session, crosses the network in the clear",
		wayOut: "rediss://, with the server's TLS port; if the network is encrypted, silence this",
		values: func(c *Config) []string { return when(c.storeIsPlain(), redact.URL(c.SessionStore)) }},
	{number: 63, setting: "SESSION_STORE", why: "every program that reaches the server may make itself a session of any user",
		wayOut: "a user with a password and no more rights than docs/redis.md lists",
		values: func(c *Config) []string { return when(c.storeIsOpen(), redact.URL(c.SessionStore)) }},
	{number: 64, setting: "SESSION_STORE", why: "whoever is on the way can pass for the server, by any certificate",
		wayOut: "ca_file=PATH in the place of skip_verify",
		values: func(c *Config) []string { return when(c.storeIsAnybody(), redact.URL(c.SessionStore)) }},

	{number: 65, setting: "DATABASE_URL", why: unproved, wayOut: proved,
		values: func(c *Config) []string { return unprovedDatabase(c.Database) }},
	{number: 66, setting: "DATABASE_LISTEN", why: unproved, wayOut: proved,
		values: func(c *Config) []string { return unprovedDatabase(c.DatabaseListen) }},
	{number: 67, setting: "DATABASE_REPLICA", why: unproved, wayOut: proved,
		values: func(c *Config) []string { return unprovedDatabase(c.DatabaseReplica) }},

	{number: 70, setting: "LOG_LEVEL", advice: true, why: "a line for every session check says who was where and when",
		wayOut: "info",
		values: func(c *Config) []string {
			return when(c.Log != nil && c.Log.Enabled(context.Background(), slog.LevelDebug), "debug")
		}},
}

// isQuoted reports whether s begins and ends with the same quotation mark.
func isQuoted(s string) bool {
	return len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
}

// coversPages reports whether a browser sends a cookie of that path to the API,
// and to the admin site if there is one (RFC 6265, 5.1.4).
func (c *Config) coversPages(path string) bool {
	covers := func(page string) bool { return strings.HasPrefix(page, strings.TrimSuffix(path, "/")+"/") }
	return covers("/api/") && (c.NoAdmin || covers("/admin/"))
}

// guessable estimates the randomness of a key from how often its characters
// occur; a short text that is repeated counts once.
func guessable(key string) bool {
	key = repeated(key)
	count := map[rune]float64{}
	length := 0.0
	for _, r := range key {
		count[r]++
		length++
	}
	bits := 0.0
	for _, n := range count {
		bits += n * math.Log2(length/n)
	}
	const enough = 96 // 32 hexadecimal digits, 128 bits, come to about 115 this way
	return bits < enough
}

// forDevelopment finds the words of placeholders, Django's mark of a project
// that was never deployed, and the form of the keys that "postern dev" makes.
func forDevelopment(key string) bool {
	lower := strings.ToLower(key)
	for _, word := range []string{"django-insecure", "insecure", "secret", "password", "example", "changeme", "change-me", "change_me", "change me", "placeholder", "postern"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	isBase32 := func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= '2' && r <= '7' }
	return len(key) == 52 && !strings.ContainsFunc(key, func(r rune) bool { return !isBase32(r) })
}

// isWide reports whether a network is larger than one operator's private one.
func isWide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < 8
	}
	return p.Bits() < 32 && !netip.MustParsePrefix("fc00::/7").Contains(p.Addr())
}

// isAnchored reports whether a match is always of the whole text.
func isAnchored(expression string) bool {
	re, err := syntax.Parse(expression, syntax.Perl)
	return err == nil && beginsWith(re, syntax.OpBeginText, false) && beginsWith(re, syntax.OpEndText, true)
}

// beginsWith reports whether every match begins (or, from the end, ends) with op.
func beginsWith(re *syntax.Regexp, op syntax.Op, fromEnd bool) bool {
	switch re.Op {
	case op:
		return true
	case syntax.OpCapture:
		return beginsWith(re.Sub[0], op, fromEnd)
	case syntax.OpConcat:
		edge := re.Sub[0]
		if fromEnd {
			edge = re.Sub[len(re.Sub)-1]
		}
		return beginsWith(edge, op, fromEnd)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !beginsWith(sub, op, fromEnd) {
				return false
			}
		}
		return true
	}
	return false
}

// whenOver is the rate, if it is over so many attempts a second.
func whenOver(c *Config, r Rate, attempts float64) []string {
	return when(!c.Throttle.Off && float64(r.Attempts)/r.Per.Seconds() > attempts, r)
}

// weakArgon2 holds memory and time against the list of OWASP's Password
// Storage Cheat Sheet, whose rows cost an attacker the same.
func weakArgon2(c *Config) []string {
	p := c.Passwords
	if p.Hasher != "" && p.Hasher != password.Argon2 {
		return nil
	}
	set(&p.Argon2MemoryKiB, 19456)
	set(&p.Argon2Time, 2)
	for _, row := range []struct{ memoryKiB, time int }{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}} {
		if p.Argon2MemoryKiB >= row.memoryKiB && p.Argon2Time >= row.time {
			return nil
		}
	}
	return []string{fmt.Sprintf("%d with POSTERN_ARGON2_TIME=%d", p.Argon2MemoryKiB, p.Argon2Time)}
}

func weakScrypt(c *Config) []string {
	p := c.Passwords
	set(&p.ScryptN, 16384)
	set(&p.ScryptR, 8)
	set(&p.ScryptP, 5)
	weak := p.ScryptN < 16384 || p.ScryptR < 8 || int64(p.ScryptN)*int64(p.ScryptR)*int64(p.ScryptP) < 16384*8*5
	return when(p.Hasher == password.Scrypt && weak, fmt.Sprintf("%d with POSTERN_SCRYPT_R=%d and POSTERN_SCRYPT_P=%d", p.ScryptN, p.ScryptR, p.ScryptP))
}
