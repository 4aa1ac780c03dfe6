package dburl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// redisSchemes are those of valkey-go.
var redisSchemes = []string{"redis", "rediss", "valkey", "valkeys", "unix"}

// redisParameters are those of valkey-go, and ca_file.
var redisParameters = []string{
	"addr", "db", "dial_timeout", "write_timeout", "master_set", "skip_verify", "ca_file", "protocol", "client_cache", "client_name", "max_retries",
}

var redisRemedies = map[string]string{
	"password":               "write it before the host: redis://USER:PASSWORD@HOST",
	"username":               "write it before the host: redis://USER:PASSWORD@HOST",
	"user":                   "write it before the host: redis://USER:PASSWORD@HOST",
	"auth":                   "write it before the host: redis://USER:PASSWORD@HOST",
	"ssl":                    "write rediss:// for TLS",
	"tls":                    "write rediss:// for TLS",
	"ssl_cert_reqs":          "leave it out, or write skip_verify for none",
	"ssl_ca_certs":           "write ca_file=FILE",
	"socket_timeout":         "write write_timeout=3s",
	"socket_connect_timeout": "write dial_timeout=3s",
	"read_timeout":           "write write_timeout=3s",
	"master_name":            "write master_set=NAME",
	"sentinel_master":        "write master_set=NAME",
	"virtual_host":           "leave it out",
}

// Redis reads the URL of a Redis or Valkey and returns it with every special
// character of user and password encoded. Its error says how to write what it
// refuses, and quotes no value.
func Redis(raw string) (string, error) {
	scheme, _, found := strings.Cut(raw, "://")
	if !found || !slices.Contains(redisSchemes, strings.ToLower(scheme)) {
		return "", errors.New("is not a URL of a Redis or Valkey server: " + foreignRedis(raw) + "; " + redisForm + "; " + escapes)
	}
	a, err := split(raw)
	if err != nil {
		return "", fmt.Errorf("%w; %s", err, redisForm)
	}
	list, err := parameters(a.query)
	if err != nil {
		return "", err
	}
	if err := checkRedis(&a, list); err != nil {
		return "", err
	}
	canonical := a.scheme + "://" + a.credentials() + a.hosts
	if a.path != "" || a.scheme == "unix" {
		canonical += "/" + a.path
	}
	if a.query != "" {
		canonical += "?" + a.query
	}
	return canonical, nil
}

// checkRedis judges host, path and parameters.
func checkRedis(a *authority, list []parameter) error {
	if a.scheme != "unix" {
		switch host, _, ok := cutPort(a.hosts); {
		case ok && host == "":
			return errors.New("names no host; " + redisForm)
		case strings.Contains(a.hosts, ","):
			return errors.New("names several hosts before the path; write more nodes as parameters, ?addr=HOST:PORT; " + redisForm)
		case !ok || !isHost(host):
			return errors.New("host or port can't be read; " + redisForm + "; " + escapes)
		case len(a.path) > 5 || strings.Trim(a.path, "0123456789") != "":
			return errors.New("the number of the database, after the slash, can't be read; " + redisForm)
		}
	}
	for _, p := range list {
		if !slices.Contains(redisParameters, p.name) {
			remedy, known := redisRemedies[p.name]
			if p.bare && !known {
				return errParameters
			}
			if !known {
				remedy = "leave it out"
			}
			return fmt.Errorf("has the parameter %s, which is not known; %s", p.name, remedy)
		}
		if host, _, ok := cutPort(p.value); p.name == "addr" && (!ok || !isHost(host)) {
			return errors.New("has a parameter addr that is not HOST:PORT")
		}
	}
	return nil
}

// foreignRedis says what an address that is none of Redis looks like.
func foreignRedis(raw string) string {
	if strings.Contains(raw, ",") && strings.Contains(raw, "=") && !strings.Contains(raw, "://") {
		return "it is a connection string of StackExchange.Redis"
	}
	if lower := strings.ToLower(raw); strings.HasPrefix(lower, "redis+") || strings.HasPrefix(lower, "sentinel:") {
		return "its scheme must be redis; Sentinels are named by the parameters addr and master_set"
	}
	if IsPostgres(raw) || IsSQLite(raw) {
		return "it is the address of a database, which belongs in POSTERN_DATABASE_URL"
	}
	if !strings.Contains(raw, "://") && !strings.ContainsAny(raw, " =") {
		return "the scheme is missing"
	}
	return foreign(raw)
}
