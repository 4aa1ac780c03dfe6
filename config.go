package postern

import (
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Config says how a server behaves. The zero value of each field means its
// default; Database, SecretKey and AllowedHosts have none and must be set.
// Names follow Django's settings where there is one.
type Config struct {
	// Database is where users and sessions live: "sqlite:PATH" or the URL of a
	// PostgreSQL database, "postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=…",
	// with the parameter pooler=transaction if a pooler such as PgBouncer is
	// in between; see docs/postgresql.md.
	Database string
	// DatabaseListen is the same PostgreSQL database without the pooler, for
	// the one connection that listens for news. Default: Database.
	DatabaseListen string
	// DatabaseReplica is a hot standby of the PostgreSQL database, which
	// session checks read before they ask Database; several hosts may be
	// named, of which the first that answers is used. What it is too far
	// behind for is read from Database. Default: none.
	DatabaseReplica string
	// DatabaseConnections is how many connections to PostgreSQL are opened at
	// most, beside the one that listens, and as many to DatabaseReplica. Default: four for each processor, at
	// least eight.
	DatabaseConnections int
	// SessionStore is a Redis or Valkey, version 7 or newer, where sessions
	// live apart from the users: "redis://USER:PASSWORD@HOST:6379", with TLS
	// "rediss://…"; for a Cluster more nodes as parameters "addr=HOST:PORT", for
	// Sentinels "master_set=NAME"; see docs/redis.md. Default: in Database.
	SessionStore string
	// SessionReplicas is how many replicas of the session store must have a
	// session, or its end, before that is acknowledged. Default: 0.
	SessionReplicas int
	// ExplainRefusals has the answer to a refused host or origin say which
	// setting would allow it, as the log does: for development.
	ExplainRefusals bool
	// NoBrowsableAPI answers with JSON only. By default someone who opens an
	// endpoint in a browser gets a page with the answer and its forms.
	NoBrowsableAPI bool
	// NoAPIDocs leaves out the OpenAPI document, /api/schema/, and the page
	// that shows it, /api/docs/.
	NoAPIDocs bool
	// NoAdmin leaves out the admin site, /admin/.
	NoAdmin bool
	// NoMigrate leaves the database's schema as it is at Open.
	NoMigrate bool

	// SecretKey binds sessions to passwords, at least 32 characters (Django's
	// SECRET_KEY). SecretKeyFallbacks are former keys that still count.
	SecretKey          string
	SecretKeyFallbacks []string

	// AllowedHosts are the names this server answers to: "example.com",
	// ".example.com" with its subdomains, or "*" for any.
	AllowedHosts []string
	// TrustedProxies are the peers whose X-Forwarded-For, X-Forwarded-Proto
	// and X-Forwarded-Host are believed. TrustUnixPeers adds the peers of a
	// unix socket.
	TrustedProxies []netip.Prefix
	TrustUnixPeers bool

	CORS   CORS
	CSRF   CSRF
	Cookie SessionCookie
	// Session says how long sessions live and how many a user may have.
	Session SessionPolicy
	// RecallEntries is how many sessions the process remembers, at some 400
	// bytes each, so that their checks need no database. A session that ends
	// is forgotten at once, one that another process ends within a second.
	// Default 262144; negative: none. See docs/recall.md.
	RecallEntries int
	Passwords     Passwords
	Security      Security

	// UnauthenticatedStatus answers a request without a session: 403, as the
	// model does, or 401. Default 403.
	UnauthenticatedStatus int
	// Throttle limits attempts to log in and to register; see Throttle.
	Throttle Throttle

	// AuditAge is how long the audit log keeps an entry: who logged in, changed
	// a user, ended a session, and from where. Default 90 days; negative:
	// nothing is written down.
	AuditAge time.Duration
	// Operator is whom the audit log names for what is done through a
	// [Directory] at a command: the user of the operating system. "" says
	// that a program does it.
	Operator string

	// TracerProvider makes OpenTelemetry spans of requests, of their hashing
	// and of their reads and commits. Default: none are made.
	TracerProvider trace.TracerProvider

	Log  *slog.Logger     // default: none
	Now  func() time.Time // default time.Now
	Rand io.Reader        // default crypto/rand
}

// CORS is django-cors-headers' settings.
type CORS struct {
	// AllowedOrigins are exact origins, "https://app.example.com".
	AllowedOrigins       []string
	AllowedOriginRegexes []*regexp.Regexp
	// AllowAllOrigins answers any origin, without credentials.
	AllowAllOrigins bool
	// AllowHeaders and AllowMethods default to django-cors-headers' lists.
	AllowHeaders  []string
	AllowMethods  []string
	ExposeHeaders []string
	// PreflightMaxAge is how long a browser may keep the answer to a
	// preflight. Default 24 h; negative: the header is left out.
	PreflightMaxAge time.Duration
}

// CSRF is Django's CSRF settings.
type CSRF struct {
	// TrustedOrigins may send unsafe requests: "https://app.example.com" or
	// "https://*.example.com".
	TrustedOrigins []string
	Cookie         CSRFCookie
}

// SessionCookie is Django's SESSION_COOKIE_… settings.
type SessionCookie struct {
	Name     string // default "sessionid"
	Domain   string
	Path     string     // default "/"
	SameSite string     // "Lax" (default), "Strict" or "None"
	Secure   SecureMode // default SecureAuto
	// ExpireAtBrowserClose leaves out Max-Age (SESSION_EXPIRE_AT_BROWSER_CLOSE).
	ExpireAtBrowserClose bool
}

// CSRFCookie is Django's CSRF_COOKIE_… settings.
type CSRFCookie struct {
	Name     string        // default "csrftoken"
	Age      time.Duration // default 364 days
	Domain   string
	Path     string     // default "/"
	SameSite string     // "Lax" (default), "Strict" or "None"
	Secure   SecureMode // default SecureAuto
	HTTPOnly bool
}

// SecureMode says when a cookie gets the attribute Secure.
type SecureMode string

// The modes: as the request came (https or not), always, never.
const (
	SecureAuto   SecureMode = "auto"
	SecureAlways SecureMode = "true"
	SecureNever  SecureMode = "false"
)

// SessionPolicy says how long sessions live.
type SessionPolicy struct {
	// Age is SESSION_COOKIE_AGE, at least 1 s. Default 14 days.
	Age time.Duration
	// IdleTimeout ends a session that was not used for so long. 0: never.
	IdleTimeout time.Duration
	// AbsoluteAge ends a session so long after its login, whatever else. 0: never.
	AbsoluteAge time.Duration
	// SaveEveryRequest moves the expiry on with use (sliding renewal). It is
	// written at most once a minute for a session.
	SaveEveryRequest bool
	// Limit is how many sessions a user may have; the oldest leaves for a
	// new one. 0: any number.
	Limit int
}

// Passwords says how new passwords are hashed and judged.
type Passwords struct {
	// Hasher for new hashes: "argon2" (default), "pbkdf2_sha256",
	// "pbkdf2_sha1", "bcrypt_sha256", "bcrypt", "scrypt" or "md5" (tests only).
	Hasher string

	Argon2MemoryKiB   int // default 19456
	Argon2Time        int // default 2
	Argon2Parallelism int // default 1
	PBKDF2Iterations  int // default 1,000,000
	BcryptCost        int // default 12
	ScryptN           int // default 16384
	ScryptR           int // default 8
	ScryptP           int // default 5

	// MinLength is the shortest password, in characters. Default 8.
	MinLength int
	// WarnOnly logs what the validators say and lets the password pass.
	WarnOnly bool

	// Workers is how many passwords are hashed at a time. Default: one for
	// each processor. Queue is how many may wait (default 256), QueueWait how
	// long (default 5 s); beyond, the answer is 503.
	Workers   int
	Queue     int
	QueueWait time.Duration
	// LowPriority hashes on threads of lower priority and raises GOMAXPROCS
	// by Workers, so that the operating system prefers session checks to
	// logins. For a process that is a server and nothing else; on Linux only.
	LowPriority bool
}

// Security is Django's SECURE_… settings and X_FRAME_OPTIONS.
type Security struct {
	HSTSSeconds           int // 0: no Strict-Transport-Security header
	HSTSIncludeSubdomains bool
	HSTSPreload           bool
	SSLRedirect           bool   // redirect http to https
	FrameOptions          string // "DENY" (default) or "SAMEORIGIN"
	ReferrerPolicy        string // default "same-origin"
}
