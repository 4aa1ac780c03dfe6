package main

import (
	"io/fs"
	"log/slog"
	"math"
	"regexp"
	"time"

	"github.com/postern-auth/postern"
)

// options is what the settings set.
type options struct {
	config        postern.Config
	listen        postern.Listen
	secretKeyFile string
	logFormat     string
	logLevel      slog.Level
	memory        memoryLimit
}

// Groups of settings, in the order of the help.
const (
	groupListening = "Listening"
	groupDatabase  = "Database"
	groupPages     = "Pages"
	groupSecrets   = "Secret key"
	groupCORS      = "CORS"
	groupCSRF      = "CSRF"
	groupSessions  = "Sessions"
	groupPasswords = "Passwords"
	groupSecurity  = "Security"
	groupLog       = "Log"
	groupOps       = "Operations"
)

const (
	second = time.Second
	most   = math.MaxInt32
)

var sameSites = []string{"Lax", "Strict", "None"}

// table is every setting there is. Flags, environment variables, keys of the
// file, the help and docs/settings.md are made from it.
//
//go:generate go run . settings --markdown --output ../../docs/settings.md
var table = []setting{
	{name: "ADDR", group: groupListening, hint: "HOST:PORT", preset: "127.0.0.1:8000",
		usage: "TCP address to listen on; port 0 takes a free one; not used when only a unix socket is set",
		set:   address(func(o *options) *string { return &o.listen.Addr })},
	{name: "UNIX_SOCKET", group: groupListening, hint: "PATH", absent: "none",
		usage: "unix socket to listen on, instead of the address unless that is set too",
		set:   text(func(o *options) *string { return &o.listen.UnixSocket })},
	{name: "UNIX_SOCKET_MODE", group: groupListening, hint: "MODE", preset: "0660",
		usage: "permissions of the unix socket, octal",
		set:   fileMode(func(o *options) *fs.FileMode { return &o.listen.SocketMode })},
	{name: "TLS_CERT", group: groupListening, hint: "FILE", absent: "none: plain HTTP",
		usage: "certificate for HTTPS, PEM, with its chain",
		set:   text(func(o *options) *string { return &o.listen.TLSCert })},
	{name: "TLS_KEY", group: groupListening, hint: "FILE", absent: "none: plain HTTP",
		usage: "private key of the certificate, PEM",
		set:   text(func(o *options) *string { return &o.listen.TLSKey })},
	{name: "ALLOWED_HOSTS", group: groupListening, hint: "HOST,…", absent: "none: serve does not start without",
		usage: `names this server answers to: "example.com", ".example.com" with its subdomains, "*" for any`,
		set:   list(func(o *options) *[]string { return &o.config.AllowedHosts })},
	{name: "TRUSTED_PROXIES", group: groupListening, hint: "NETWORK,…", absent: "none",
		usage: `proxies whose X-Forwarded-… headers are believed: networks, addresses, or "unix" for the peers of the unix socket`,
		set:   trustedProxies},

	{name: "DATABASE_URL", credentials: true, flag: "database", group: groupDatabase, hint: "URL", scope: forDatabase, absent: "none: serve does not start without; dev and administration take sqlite:postern.sqlite3 of the folder they run in",
		usage: `where users and sessions live: "sqlite:PATH" or "postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full", with pooler=transaction if PgBouncer or the like is in between`,
		set:   text(func(o *options) *string { return &o.config.Database })},
	{name: "DATABASE_LISTEN", credentials: true, group: groupDatabase, hint: "URL", absent: "none: as POSTERN_DATABASE_URL",
		usage: "the same PostgreSQL database without the pooler, for the one connection that listens for news",
		set:   text(func(o *options) *string { return &o.config.DatabaseListen })},
	{name: "DATABASE_REPLICA", credentials: true, group: groupDatabase, hint: "URL", absent: "none",
		usage: "a hot standby of the PostgreSQL database, which session checks read first; what it is too far behind for is read from POSTERN_DATABASE_URL",
		set:   text(func(o *options) *string { return &o.config.DatabaseReplica })},
	{name: "DATABASE_CONNECTIONS", group: groupDatabase, hint: "NUMBER", preset: "0",
		usage: "how many connections to PostgreSQL are opened at most, beside the one that listens, and as many to the replica; 0: four for each processor, at least 8",
		set:   number(func(o *options) *int { return &o.config.DatabaseConnections }, 0, 10_000)},
	{name: "SESSION_STORE", credentials: true, group: groupDatabase, hint: "REDIS", scope: forDatabase, absent: "none: sessions live in the database",
		usage: `a Redis or Valkey for the sessions: "redis://USER:PASSWORD@HOST:6379", rediss:// with TLS; more nodes of a Cluster by ?addr=HOST:PORT, Sentinels by ?master_set=NAME`,
		set:   text(func(o *options) *string { return &o.config.SessionStore })},
	{name: "SESSION_REPLICAS", group: groupDatabase, hint: "NUMBER", scope: forDatabase, preset: "0",
		usage: "how many replicas of the session store must have a session, or its end, before that is acknowledged",
		set:   number(func(o *options) *int { return &o.config.SessionReplicas }, 0, 100)},
	{name: "NO_MIGRATE", group: groupDatabase, preset: "false",
		usage: "do not bring the database's schema up to date at the start",
		set:   boolean(func(o *options) *bool { return &o.config.NoMigrate })},

	{name: "NO_BROWSABLE_API", group: groupPages, preset: "false",
		usage: "answer with JSON only, also to a browser that asks for a page",
		set:   boolean(func(o *options) *bool { return &o.config.NoBrowsableAPI })},

	{name: "NO_API_DOCS", group: groupPages, preset: "false",
		usage: "leave out the OpenAPI document, /api/schema/, and the page that shows it, /api/docs/",
		set:   boolean(func(o *options) *bool { return &o.config.NoAPIDocs })},
	{name: "NO_ADMIN", group: groupPages, preset: "false",
		usage: "leave out the admin site, /admin/",
		set:   boolean(func(o *options) *bool { return &o.config.NoAdmin })},

	{name: "SECRET_KEY", group: groupSecrets, hint: "TEXT", secret: true, absent: "none: serve does not start without; dev makes one",
		usage: "binds sessions to passwords, at least 32 characters",
		set:   text(func(o *options) *string { return &o.config.SecretKey })},
	{name: "SECRET_KEY_FILE", group: groupSecrets, hint: "FILE", absent: "none",
		usage: "file that holds the secret key, instead of the variable",
		set:   text(func(o *options) *string { return &o.secretKeyFile })},
	{name: "SECRET_KEY_FALLBACKS", group: groupSecrets, hint: "TEXT,…", secret: true, absent: "none",
		usage: "former secret keys: sessions made with them live on",
		set:   list(func(o *options) *[]string { return &o.config.SecretKeyFallbacks })},

	{name: "CORS_ALLOWED_ORIGINS", group: groupCORS, hint: "ORIGIN,…", absent: "none",
		usage: `origins whose scripts may call with cookies: "https://app.example.com"`,
		set:   list(func(o *options) *[]string { return &o.config.CORS.AllowedOrigins })},
	{name: "CORS_ALLOWED_ORIGIN_REGEXES", group: groupCORS, hint: "REGEX,…", absent: "none",
		usage: "the same as regular expressions",
		set:   regexes(func(o *options) *[]*regexp.Regexp { return &o.config.CORS.AllowedOriginRegexes })},
	{name: "CORS_ALLOW_ALL_ORIGINS", group: groupCORS, preset: "false",
		usage: "let the scripts of every origin call, without cookies",
		set:   boolean(func(o *options) *bool { return &o.config.CORS.AllowAllOrigins })},
	{name: "CORS_ALLOW_HEADERS", group: groupCORS, hint: "HEADER,…", preset: "accept,authorization,content-type,user-agent,x-csrftoken,x-requested-with",
		usage: "request headers that scripts may set",
		set:   list(func(o *options) *[]string { return &o.config.CORS.AllowHeaders })},
	{name: "CORS_ALLOW_METHODS", group: groupCORS, hint: "METHOD,…", preset: "DELETE,GET,OPTIONS,PATCH,POST,PUT",
		usage: "methods that scripts may use",
		set:   list(func(o *options) *[]string { return &o.config.CORS.AllowMethods })},
	{name: "CORS_EXPOSE_HEADERS", group: groupCORS, hint: "HEADER,…", absent: "none",
		usage: "answer headers that scripts may read",
		set:   list(func(o *options) *[]string { return &o.config.CORS.ExposeHeaders })},
	{name: "CORS_PREFLIGHT_MAX_AGE", group: groupCORS, hint: "DURATION", preset: "86400",
		usage: "how long a browser may remember the answer to a preflight; 0 leaves the header out",
		set:   preflightAge},

	{name: "CSRF_TRUSTED_ORIGINS", group: groupCSRF, hint: "ORIGIN,…", absent: "none",
		usage: `origins that may send unsafe requests beside our own: "https://app.example.com", "https://*.example.com"`,
		set:   list(func(o *options) *[]string { return &o.config.CSRF.TrustedOrigins })},
	{name: "CSRF_COOKIE_NAME", group: groupCSRF, hint: "NAME", preset: "csrftoken",
		usage: "name of the CSRF cookie",
		set:   text(func(o *options) *string { return &o.config.CSRF.Cookie.Name })},
	{name: "CSRF_COOKIE_AGE", group: groupCSRF, hint: "DURATION", preset: "31449600",
		usage: "how long a browser keeps it",
		set:   duration(func(o *options) *time.Duration { return &o.config.CSRF.Cookie.Age }, second)},
	{name: "CSRF_COOKIE_DOMAIN", group: groupCSRF, hint: "DOMAIN", absent: "none: the host only",
		usage: "domain it is for",
		set:   text(func(o *options) *string { return &o.config.CSRF.Cookie.Domain })},
	{name: "CSRF_COOKIE_PATH", group: groupCSRF, hint: "PATH", preset: "/",
		usage: "path it is for",
		set:   text(func(o *options) *string { return &o.config.CSRF.Cookie.Path })},
	{name: "CSRF_COOKIE_SAMESITE", group: groupCSRF, hint: "MODE", preset: "Lax", choices: sameSites,
		usage: "Lax, Strict or None",
		set:   choice(func(o *options) *string { return &o.config.CSRF.Cookie.SameSite }, sameSites...)},
	{name: "CSRF_COOKIE_SECURE", group: groupCSRF, hint: "MODE", preset: "auto", choices: secureModes,
		usage: "true, false, or auto: as the request came, over https or not",
		set:   secureMode(func(o *options) *postern.SecureMode { return &o.config.CSRF.Cookie.Secure })},
	{name: "CSRF_COOKIE_HTTPONLY", group: groupCSRF, preset: "false",
		usage: "hide it from scripts, which then need the token from the login's answer",
		set:   boolean(func(o *options) *bool { return &o.config.CSRF.Cookie.HTTPOnly })},

	{name: "SESSION_COOKIE_NAME", group: groupSessions, hint: "NAME", preset: "sessionid",
		usage: "name of the session cookie",
		set:   text(func(o *options) *string { return &o.config.Cookie.Name })},
	{name: "SESSION_COOKIE_AGE", group: groupSessions, hint: "DURATION", preset: "1209600", scope: forSessions,
		usage: "how long a session lives",
		set:   duration(func(o *options) *time.Duration { return &o.config.Session.Age }, second)},
	{name: "SESSION_COOKIE_DOMAIN", group: groupSessions, hint: "DOMAIN", absent: "none: the host only",
		usage: "domain the cookie is for",
		set:   text(func(o *options) *string { return &o.config.Cookie.Domain })},
	{name: "SESSION_COOKIE_PATH", group: groupSessions, hint: "PATH", preset: "/",
		usage: "path the cookie is for",
		set:   text(func(o *options) *string { return &o.config.Cookie.Path })},
	{name: "SESSION_COOKIE_SAMESITE", group: groupSessions, hint: "MODE", preset: "Lax", choices: sameSites,
		usage: "Lax, Strict or None",
		set:   choice(func(o *options) *string { return &o.config.Cookie.SameSite }, sameSites...)},
	{name: "SESSION_COOKIE_SECURE", group: groupSessions, hint: "MODE", preset: "auto", choices: secureModes,
		usage: "true, false, or auto: as the request came, over https or not",
		set:   secureMode(func(o *options) *postern.SecureMode { return &o.config.Cookie.Secure })},
	{name: "SESSION_EXPIRE_AT_BROWSER_CLOSE", group: groupSessions, preset: "false",
		usage: "let the browser drop the cookie when it closes",
		set:   boolean(func(o *options) *bool { return &o.config.Cookie.ExpireAtBrowserClose })},
	{name: "SESSION_IDLE_TIMEOUT", group: groupSessions, hint: "DURATION", preset: "0", scope: forSessions,
		usage: "end a session that was not used for so long; 0 for never",
		set:   duration(func(o *options) *time.Duration { return &o.config.Session.IdleTimeout }, 0)},
	{name: "SESSION_ABSOLUTE_AGE", group: groupSessions, hint: "DURATION", preset: "0", scope: forSessions,
		usage: "end a session so long after its login whatever else; 0 for never",
		set:   duration(func(o *options) *time.Duration { return &o.config.Session.AbsoluteAge }, 0)},
	{name: "SESSION_SAVE_EVERY_REQUEST", group: groupSessions, preset: "false", scope: forSessions,
		usage: "let a session's life start anew with use",
		set:   boolean(func(o *options) *bool { return &o.config.Session.SaveEveryRequest })},
	{name: "SESSION_LIMIT", group: groupSessions, hint: "NUMBER", preset: "0",
		usage: "sessions a user may have, the oldest leaves for a new one; 0 for any number",
		set:   number(func(o *options) *int { return &o.config.Session.Limit }, 0, most)},
	{name: "RECALL_ENTRIES", group: groupSessions, hint: "NUMBER", preset: "262144",
		usage: "sessions that are remembered in memory, at some 400 bytes each, so that their checks need no database; 0 for none",
		set:   recallEntries},

	{name: "PASSWORD_HASHER", group: groupPasswords, hint: "NAME", preset: "argon2", choices: hashers, scope: forPasswords, implied: true,
		usage: "how new passwords are hashed, if not as the Django project of the database does: argon2, pbkdf2_sha256, pbkdf2_sha1, bcrypt_sha256, bcrypt, scrypt, or md5 for tests",
		set:   choice(func(o *options) *string { return &o.config.Passwords.Hasher }, hashers...)},
	{name: "ARGON2_MEMORY_KIB", group: groupPasswords, hint: "KIB", preset: "19456", scope: forPasswords, implied: true,
		usage: "memory of a hash, in KiB",
		set:   number(func(o *options) *int { return &o.config.Passwords.Argon2MemoryKiB }, 1, most)},
	{name: "ARGON2_TIME", group: groupPasswords, hint: "NUMBER", preset: "2", scope: forPasswords, implied: true,
		usage: "passes over the memory",
		set:   number(func(o *options) *int { return &o.config.Passwords.Argon2Time }, 1, most)},
	{name: "ARGON2_PARALLELISM", group: groupPasswords, hint: "NUMBER", preset: "1", scope: forPasswords, implied: true,
		usage: "lanes of a hash",
		set:   number(func(o *options) *int { return &o.config.Passwords.Argon2Parallelism }, 1, 255)},
	{name: "PBKDF2_ITERATIONS", group: groupPasswords, hint: "NUMBER", preset: "1000000", scope: forPasswords, implied: true,
		usage: "iterations of PBKDF2",
		set:   number(func(o *options) *int { return &o.config.Passwords.PBKDF2Iterations }, 1, most)},
	{name: "BCRYPT_COST", group: groupPasswords, hint: "NUMBER", preset: "12", scope: forPasswords, implied: true,
		usage: "cost of bcrypt, the logarithm of its rounds",
		set:   number(func(o *options) *int { return &o.config.Passwords.BcryptCost }, 4, 31)},
	{name: "SCRYPT_N", group: groupPasswords, hint: "NUMBER", preset: "16384", scope: forPasswords, implied: true,
		usage: "cost of scrypt, a power of two",
		set:   number(func(o *options) *int { return &o.config.Passwords.ScryptN }, 2, most)},
	{name: "SCRYPT_R", group: groupPasswords, hint: "NUMBER", preset: "8", scope: forPasswords, implied: true,
		usage: "block size of scrypt",
		set:   number(func(o *options) *int { return &o.config.Passwords.ScryptR }, 1, most)},
	{name: "SCRYPT_P", group: groupPasswords, hint: "NUMBER", preset: "5", scope: forPasswords, implied: true,
		usage: "parallelism of scrypt",
		set:   number(func(o *options) *int { return &o.config.Passwords.ScryptP }, 1, most)},
	{name: "PASSWORD_MIN_LENGTH", group: groupPasswords, hint: "NUMBER", preset: "8", scope: forPasswords,
		usage: "shortest new password, in characters",
		set:   number(func(o *options) *int { return &o.config.Passwords.MinLength }, 1, 1000)},
	{name: "HASH_WORKERS", group: groupPasswords, hint: "NUMBER", absent: "one for each processor",
		usage: "passwords hashed at a time",
		set:   orUnset(number(func(o *options) *int { return &o.config.Passwords.Workers }, 0, 1024))},
	{name: "HASH_QUEUE", group: groupPasswords, hint: "NUMBER", preset: "256",
		usage: "passwords that may wait to be hashed; beyond, the answer is 503",
		set:   number(func(o *options) *int { return &o.config.Passwords.Queue }, 1, 1_000_000)},
	{name: "HASH_QUEUE_WAIT", group: groupPasswords, hint: "DURATION", preset: "5s",
		usage: "how long one may wait; beyond, the answer is 503",
		set:   duration(func(o *options) *time.Duration { return &o.config.Passwords.QueueWait }, time.Millisecond)},

	{name: "SECURE_HSTS_SECONDS", group: groupSecurity, hint: "DURATION", preset: "0",
		usage: "Strict-Transport-Security for so long; 0 for none",
		set:   hstsSeconds},
	{name: "SECURE_HSTS_INCLUDE_SUBDOMAINS", group: groupSecurity, preset: "false",
		usage: "for the subdomains too",
		set:   boolean(func(o *options) *bool { return &o.config.Security.HSTSIncludeSubdomains })},
	{name: "SECURE_HSTS_PRELOAD", group: groupSecurity, preset: "false",
		usage: "agree to the browsers' preload lists",
		set:   boolean(func(o *options) *bool { return &o.config.Security.HSTSPreload })},
	{name: "SECURE_SSL_REDIRECT", group: groupSecurity, preset: "false",
		usage: "redirect http to https",
		set:   boolean(func(o *options) *bool { return &o.config.Security.SSLRedirect })},
	{name: "X_FRAME_OPTIONS", group: groupSecurity, hint: "MODE", preset: "DENY", choices: frameOptions,
		usage: "DENY or SAMEORIGIN",
		set:   choice(func(o *options) *string { return &o.config.Security.FrameOptions }, frameOptions...)},
	{name: "SECURE_REFERRER_POLICY", group: groupSecurity, hint: "POLICY", preset: "same-origin",
		usage: "the header Referrer-Policy",
		set:   text(func(o *options) *string { return &o.config.Security.ReferrerPolicy })},
	{name: "UNAUTHENTICATED_STATUS", group: groupSecurity, hint: "STATUS", preset: "403", choices: []string{"403", "401"},
		usage: "the answer to a request without a session: 403, as session authentication answers in Django REST framework, or 401",
		set:   status(func(o *options) *int { return &o.config.UnauthenticatedStatus })},
	{name: "THROTTLE", group: groupSecurity, hint: "MODE", preset: "on", choices: []string{"on", "off"},
		usage: "limit attempts to log in and to register; off is for tests",
		set:   onOff(func(o *options) *bool { return &o.config.Throttle.Off })},
	{name: "THROTTLE_LOGIN", group: groupSecurity, hint: "RATE", preset: "60/m",
		usage: "attempts to log in from one address (an IPv6 /64 counts as one)",
		set:   scalar(func(o *options) *postern.Rate { return &o.config.Throttle.Login }, parseRate)},
	{name: "THROTTLE_LOGIN_ACCOUNT", group: groupSecurity, hint: "RATE", preset: "10/m",
		usage: "attempts to log in to one account from all unknown addresses together, and from each known one",
		set:   scalar(func(o *options) *postern.Rate { return &o.config.Throttle.LoginAccount }, parseRate)},
	{name: "THROTTLE_REGISTER", group: groupSecurity, hint: "RATE", preset: "100/m",
		usage: "attempts to register from one address",
		set:   scalar(func(o *options) *postern.Rate { return &o.config.Throttle.Register }, parseRate)},

	{name: "LOG_FORMAT", group: groupLog, hint: "FORMAT", preset: "text", choices: logFormats,
		usage: "text or json",
		set:   choice(func(o *options) *string { return &o.logFormat }, logFormats...)},
	{name: "LOG_LEVEL", group: groupLog, hint: "LEVEL", preset: "info", choices: logLevels,
		usage: "debug, info, warn or error",
		set:   logLevel(func(o *options) *slog.Level { return &o.logLevel })},

	{name: "AUDIT_AGE", group: groupOps, hint: "DURATION", preset: "2160h", scope: forDatabase,
		usage: "how long the audit log keeps who did what to whom, when and from where; 0 to write nothing down",
		set:   auditAge},
	{name: "MEMORY_LIMIT", group: groupOps, hint: "SIZE", preset: "auto",
		usage: `memory that the server tries to stay under, such as "512MiB"; auto: GOMEMLIMIT, or 90% of the container's limit, or 75% of the machine's memory; off: no limit`,
		set:   scalar(func(o *options) *memoryLimit { return &o.memory }, parseMemoryLimit)},
	{name: "ADMIN_ADDR", group: groupOps, hint: "HOST:PORT", absent: "none",
		usage: "second TCP address, for operators only: probes, metrics and profiles over plain HTTP; port 0 takes a free one",
		set:   orUnset(address(func(o *options) *string { return &o.listen.AdminAddr }))},
	{name: "METRICS", group: groupOps, preset: "false",
		usage: "answer /-/metrics on the main address, for everyone who reaches it, when there is no admin address",
		set:   boolean(func(o *options) *bool { return &o.listen.Metrics })},
	{name: "DRAIN_DELAY", group: groupOps, hint: "DURATION", preset: "3s",
		usage: "how long a server that is told to stop goes on, but answers /-/ready with 503, before it takes no more requests",
		set:   duration(func(o *options) *time.Duration { return &o.listen.DrainDelay }, 0)},
}

// Words that a setting may be.
var (
	secureModes  = []string{"auto", "true", "false"}
	hashers      = []string{"argon2", "pbkdf2_sha256", "pbkdf2_sha1", "bcrypt_sha256", "bcrypt", "scrypt", "md5"}
	frameOptions = []string{"DENY", "SAMEORIGIN"}
	logFormats   = []string{"text", "json"}
)

// hstsSeconds takes Django's seconds and durations too.
func hstsSeconds(o *options, g given) error {
	var age time.Duration
	if err := duration(func(*options) *time.Duration { return &age }, 0)(o, g); err != nil {
		return err
	}
	o.config.Security.HSTSSeconds = int(age / time.Second)
	return nil
}

// orUnset leaves a setting that has no preset alone.
func orUnset(set setter) setter {
	return func(o *options, g given) error {
		if g.text == "" && !g.array {
			return nil
		}
		return set(o, g)
	}
}
