package dburl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PostgresURL is a URL of a PostgreSQL database that was understood.
type PostgresURL struct {
	// Canonical is the URL with every special character encoded, so that
	// whatever reads it reads the same, and with the parameters that pgx or
	// the server know.
	Canonical string
	// Pooled says that the parameter pooler=transaction was there.
	Pooled bool
	// Ignored names parameters that change nothing here, in order.
	Ignored []string
}

// Postgres reads a URL of a PostgreSQL database: that of libpq
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS)
// and the parameter pooler. Its error says how to write what it refuses, and
// quotes no value.
func Postgres(raw string) (PostgresURL, error) {
	if !IsPostgres(raw) {
		return PostgresURL{}, errors.New("is not a URL of a PostgreSQL database: " + foreign(raw) + "; " + postgresForm + "; " + escapes)
	}
	a, err := split(raw)
	if err != nil {
		return PostgresURL{}, fmt.Errorf("%w; %s", err, postgresForm)
	}
	hosts, err := postgresHosts(a.hosts)
	if err != nil {
		return PostgresURL{}, err
	}
	name, ok := decode(a.path)
	if !ok || strings.ContainsAny(a.path, ";=,") {
		return PostgresURL{}, errors.New("the name of the database can't be read; encode its special characters, such as %2F for /; " + postgresForm)
	}
	list, err := parameters(a.query)
	if err != nil {
		return PostgresURL{}, err
	}
	u := PostgresURL{}
	var query []string
	for _, p := range list {
		keep, err := u.take(p)
		if err != nil {
			return PostgresURL{}, err
		}
		if keep {
			query = append(query, quote(p.name)+"="+quote(p.value))
		}
	}
	u.Canonical = "postgres://" + a.credentials() + hosts + "/" + quote(name)
	if query != nil {
		u.Canonical += "?" + strings.Join(query, "&")
	}
	slices.Sort(u.Ignored)
	return u, nil
}

// postgresHosts checks "host:port,host:port"; a host may be a folder of
// sockets, percent-encoded.
func postgresHosts(hosts string) (string, error) {
	if hosts == "" {
		return "", nil
	}
	for one := range strings.SplitSeq(hosts, ",") {
		host, _, ok := cutPort(one)
		folder, isEncoded := decode(host)
		if !ok || host != "" && !isHost(host) && !(isEncoded && strings.HasPrefix(folder, "/")) {
			return "", errors.New("host or port can't be read; " + postgresForm + "; " + escapes)
		}
	}
	return hosts, nil
}

// honoured are the parameters that pgx reads itself.
var honoured = []string{
	"host", "port", "user", "password", "dbname", "database", "passfile", "service", "servicefile", "connect_timeout",
	"ssl", "sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslnegotiation", "sslpassword", "sslsni",
	"krbspn", "krbsrvname", "target_session_attrs", "min_protocol_version", "max_protocol_version", "channel_binding", "require_auth",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	"pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime", "pool_max_conn_idle_time",
	"pool_health_check_period", "pool_max_conn_lifetime_jitter", "pool_ping_timeout",
}

// harmless are parameters of libpq, Django and others that ask for what is so
// anyway, or for nothing that matters here; of some only with these values.
var harmless = map[string][]string{
	"fallback_application_name": nil,
	"keepalives":                nil, "keepalives_idle": nil, "keepalives_interval": nil, "keepalives_count": nil, "tcp_user_timeout": nil,
	"load_balance_hosts": nil, "sslkeylogfile": nil, "gsslib": nil,
	"gssencmode": {"disable", "prefer"}, "gssdelegation": {"0"}, "sslcompression": {"0", "1"}, "requiressl": {"0"}, "replication": {"false", "0", "off", "no"},
	"ssl_min_protocol_version": {"", "TLSv1", "TLSv1.1", "TLSv1.2"}, "ssl_max_protocol_version": {"", "TLSv1.3"},
	"conn_max_age": nil, "conn_health_checks": nil, "disable_server_side_cursors": nil, "atomic_requests": nil, "autocommit": nil,
	"ssl_require": {"false", "0", "False"}, "prepared_statements": nil, "pgbouncer": {"false"},
	"loginTimeout": nil, "reWriteBatchedInserts": nil, "prepareThreshold": nil,
}

// remedies say what to do about parameters that can't be honoured.
var remedies = map[string]string{
	"hostaddr":                 "write the address in the place of the host",
	"requirepeer":              "leave it out: the owner of the server's socket is not looked at",
	"gssencmode":               "leave it out and set sslmode=verify-full: GSSAPI encryption is not spoken here",
	"gssdelegation":            "leave it out: GSSAPI is not spoken here",
	"requiressl":               "write sslmode=require, or better sslmode=verify-full",
	"ssl_require":              "write sslmode=require, or better sslmode=verify-full",
	"sslcrl":                   "leave it out: lists of revoked certificates are not read here",
	"sslcrldir":                "leave it out: lists of revoked certificates are not read here",
	"ssl_min_protocol_version": "leave it out: TLS 1.2 and newer is spoken here",
	"ssl_max_protocol_version": "leave it out: TLS 1.2 and newer is spoken here",
	"replication":              "leave it out: it turns the connection into one for replication",
	"scram_client_key":         "leave it out and give the password",
	"scram_server_key":         "leave it out and give the password",
	"oauth_issuer":             "leave it out: OAuth is not spoken here",
	"oauth_client_id":          "leave it out: OAuth is not spoken here",
	"oauth_client_secret":      "leave it out: OAuth is not spoken here",
	"oauth_scope":              "leave it out: OAuth is not spoken here",
	"pgbouncer":                "write pooler=transaction",
	"schema":                   "write search_path=NAME",
	"currentSchema":            "write search_path=NAME",
	"ApplicationName":          "write application_name=NAME",
	"targetServerType":         "leave it out: the server that takes writes is looked for",
	"connection_limit":         "set POSTERN_DATABASE_CONNECTIONS instead",
	"pool":                     "set POSTERN_DATABASE_CONNECTIONS instead",
	"pool_size":                "set POSTERN_DATABASE_CONNECTIONS instead",
	"max_connections":          "set POSTERN_DATABASE_CONNECTIONS instead",
	"pool_timeout":             "leave it out",
	"socketTimeout":            "write statement_timeout=MILLISECONDS",
	"timeout":                  "write connect_timeout=SECONDS",
	"sslaccept":                "write sslmode=verify-full, or sslmode=require to accept any certificate",
	"sslfactory":               "write sslmode=verify-full, or sslmode=require to accept any certificate",
	"ssl_mode":                 "write sslmode",
	"sslidentity":              "write sslcert=FILE and sslkey=FILE",
	"encoding":                 "leave it out",
	"charset":                  "leave it out",
	"username":                 "write user=NAME",
	"pwd":                      "write password=…",
	"passwd":                   "write password=…",
}

// take judges a parameter: keep it for pgx, or leave it out.
func (u *PostgresURL) take(p parameter) (keep bool, err error) {
	values, isHarmless := harmless[p.name]
	remedy, hasRemedy := remedies[p.name]
	switch {
	case p.bare:
		return false, errParameters
	case p.name == "pooler":
		if p.value != "transaction" && p.value != "none" {
			return false, errors.New(`has the parameter pooler with a value that is not known; it must be "transaction" or "none"`)
		}
		u.Pooled = p.value == "transaction"
		return false, nil
	case slices.Contains(honoured, p.name):
		return true, p.checkHosts()
	case isHarmless && (values == nil || slices.Contains(values, p.value)):
		u.Ignored = append(u.Ignored, p.name)
		return false, nil
	case hasRemedy:
		return false, fmt.Errorf("has the parameter %s, which can't be honoured; %s", p.name, remedy)
	case slices.ContainsFunc(honoured, func(known string) bool { return strings.EqualFold(known, p.name) }):
		return false, fmt.Errorf("has the parameter %s; write %s", p.name, strings.ToLower(p.name))
	}
	return true, nil // a parameter of the server, such as search_path
}

// checkHosts holds hosts in parameters to the rules of those before the path.
func (p parameter) checkHosts() error {
	if p.name != "host" || p.value == "" {
		return nil
	}
	for host := range strings.SplitSeq(p.value, ",") {
		if host != "" && !isHost(host) && !isHost("["+host+"]") && !strings.HasPrefix(host, "/") && !strings.HasPrefix(host, "@") && !isDrive(host) {
			return errors.New("has the parameter host with a value that is neither a name, nor an address, nor the folder of a socket")
		}
	}
	return nil
}
