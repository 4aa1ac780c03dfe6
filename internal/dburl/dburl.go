// Package dburl reads the addresses of databases and session stores, which may
// hold a password. It reads strictly: an address that can be read in two ways
// is refused with the way to write it, and no error quotes any part of an
// address that may be a secret. What it returns is unambiguous for the drivers,
// whose errors quote users, hosts and names. The package looks at no file and
// no server.
package dburl

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// How addresses are written, for errors.
const (
	postgresForm = `write "postgres://USER:PASSWORD@HOST:5432/DATABASE"`
	sqliteForm   = `"sqlite:PATH"`
	redisForm    = `write "redis://USER:PASSWORD@HOST:6379", or rediss:// for TLS`
	escapes      = "in user and password write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for # and %25 for %"
)

// IsPostgres tells by the scheme whether a URL is one of a PostgreSQL database.
func IsPostgres(raw string) bool {
	scheme, _, found := strings.Cut(raw, "://")
	return found && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql"))
}

// IsSQLite tells by the scheme whether a URL is one of an SQLite database.
func IsSQLite(raw string) bool {
	scheme, _, found := strings.Cut(raw, ":")
	return found && strings.EqualFold(scheme, "sqlite")
}

// CheckKind returns why raw is the address of no database that is known here,
// and how it would be written; nil if its scheme is one of ours.
func CheckKind(raw string) error {
	if IsPostgres(raw) || IsSQLite(raw) {
		return nil
	}
	if raw == "" {
		return errors.New(`is not set; name a database, such as "sqlite:/var/lib/postern/postern.sqlite3" or "postgres://USER:PASSWORD@HOST:5432/DATABASE"`)
	}
	return errors.New("is not a database address this version reads: " + foreign(raw) + "; " + postgresForm + " or " + sqliteForm + "; " + escapes)
}

// dialects are forms of other programs, in the order in which they are tried.
var dialects = []struct {
	form *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`^["'].*["']$`), "it is in quotation marks, which Docker's --env-file keeps; take them off"},
	{regexp.MustCompile(`(?i)^jdbc:`), "it is a JDBC URL; user and password go before the host"},
	{regexp.MustCompile(`(?i)^(postgres|postgresql|postgis)\+[a-z0-9_]+:`), "it is a SQLAlchemy URL; leave out the + and the driver"},
	{regexp.MustCompile(`(?i)^sqlite[0-9]?\+[a-z0-9_]+:`), "it is a SQLAlchemy URL; leave out the + and the driver"},
	{regexp.MustCompile(`(?i)^(postgis|pgsql|psql|postgres-?native|postgresql_psycopg2|timescale|timescalegis):`), "its scheme must be postgres"},
	{regexp.MustCompile(`(?i)^(sqlite3|spatialite):`), "its scheme must be sqlite"},
	{regexp.MustCompile(`(?i)^(postgres|postgresql):`), "two slashes must follow the scheme"},
	{regexp.MustCompile(`(?i)^(rediss?|valkeys?)(\+[a-z0-9_]+)?:`), "it is one of a session store, which belongs in POSTERN_SESSION_STORE"},
	{regexp.MustCompile(`(?i)^(mysql|mariadb|mysql2|mssql|sqlserver|oracle|mongodb(\+srv)?|cockroach(db)?|redshift)(\+[a-z0-9_]+)?:`), "it is one of another kind of database"},
	{regexp.MustCompile(`(?i)^file:`), "the scheme file: must be sqlite:"},
	{regexp.MustCompile(`(?i)(^|[\s;,])(host|hostaddr|server|data source|datasource|dbname|database|user|user id|userid|uid|username|password|pwd)\s*=`), "it is a list of keywords, not a URL"},
	{regexp.MustCompile(`(?i)^[^\s@]*\.(sqlite3?|db)$`), "the path needs sqlite: in front"},
	{regexp.MustCompile(`^[^/]*@`), "the scheme is missing"},
}

// foreign says what an address that is not ours looks like.
func foreign(raw string) string {
	for _, d := range dialects {
		if d.form.MatchString(raw) {
			return d.what
		}
	}
	return "its scheme is not known"
}

// authority is an address by its parts: scheme://user:password@hosts/path?query.
type authority struct {
	scheme         string // lower case
	user, password string // decoded
	hasUser        bool
	hasPassword    bool
	hosts          string // as written
	path           string // as written, without the slash in front
	query          string // as written
}

// split takes an address apart. The user ends at the last @ of the authority,
// which ends at the first /, ? or #: so Python reads it, and with it Django.
// An @ behind that, or a #, shows that a special character of the password was
// not encoded.
func split(raw string) (authority, error) {
	var a authority
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return a, errors.New("has spaces or control characters in it; write %20 for a space")
	}
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return a, errors.New("can't be read")
	}
	a.scheme = strings.ToLower(scheme)
	if strings.Contains(rest, "#") {
		return a, errors.New("can't be read: there is a # in it; " + escapes)
	}
	rest, a.query, _ = strings.Cut(rest, "?")
	netloc, path, _ := strings.Cut(rest, "/")
	a.path = path
	if at := strings.LastIndexByte(netloc, '@'); at >= 0 {
		user, password, hasPassword := strings.Cut(netloc[:at], ":")
		a.user, a.hasUser = unquote(user), true
		a.password, a.hasPassword = unquote(password), hasPassword
		netloc = netloc[at+1:]
	}
	a.hosts = netloc
	if strings.Contains(path, "@") || strings.Contains(a.query, "@") {
		return a, errors.New("can't be read: there is an @ behind a / or ?; " + escapes)
	}
	return a, nil
}

// unquote decodes what is percent-encoded and leaves any other % as it is, as
// Python's urllib.parse.unquote does.
func unquote(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := escaped(s[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escaped reads %XX at the start of s.
func escaped(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, s[1]|0x20), strings.IndexByte(hexDigits, s[2]|0x20)
	return byte(high<<4 | low), high >= 0 && low >= 0
}

const hexDigits = "0123456789abcdef"

// decode is unquote for what can't be anything but percent-encoded.
func decode(s string) (string, bool) {
	decoded := unquote(s)
	for i := range len(s) {
		if _, ok := escaped(s[i:]); s[i] == '%' && !ok {
			return "", false
		}
	}
	return decoded, !strings.Contains(decoded, "\x00")
}

// quote encodes every byte that any reader of URLs could take for a delimiter.
func quote(s string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isLetterOrDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upper[c>>4])
		b.WriteByte(upper[c&15])
	}
	return b.String()
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// credentials is "USER:PASSWORD@", or "" if there are none.
func (a *authority) credentials() string {
	switch {
	case a.hasPassword:
		return quote(a.user) + ":" + quote(a.password) + "@"
	case a.hasUser && a.user != "":
		return quote(a.user) + "@"
	}
	return ""
}

// parameter is one of the query. bare is one without "=".
type parameter struct {
	name, value string
	bare        bool
}

var errParameters = errors.New("has parameters after the question mark that can't be read; write NAME=VALUE&NAME=VALUE; " + escapes)

// parameters splits a query. A + is a +, as libpq has it.
func parameters(query string) ([]parameter, error) {
	var list []parameter
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, found := strings.Cut(pair, "=")
		name, nameOK := decode(rawName)
		value, valueOK := decode(rawValue)
		if !nameOK || !valueOK || !isName(name) || strings.ContainsAny(rawValue, "=;") {
			return nil, errParameters
		}
		list = append(list, parameter{name, value, !found})
	}
	return list, nil
}

// isName reports whether s is no more than the name of a parameter, and may be
// shown.
func isName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

// isHost reports whether s is a name or an address that may be looked up: what
// else stands there is part of a password.
func isHost(s string) bool {
	if literal, ok := strings.CutPrefix(s, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		_, err := netip.ParseAddr(literal)
		return ok && err == nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

// cutPort splits "host:port"; ok is false when the port is none.
func cutPort(s string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasSuffix(s, "]") {
		return s, "", true
	}
	host, port = s[:colon], s[colon+1:]
	return host, port, len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}
