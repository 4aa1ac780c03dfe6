package dburl

import (
	"strings"
	"testing"
)

// secret must be in no error, nor any half of it.
const secret = "TOPSECRET"

func leaks(err error) bool {
	return strings.Contains(err.Error(), "TOP") || strings.Contains(err.Error(), "SECRET")
}

// mistaken are addresses that are none, or can be read in several ways, with a
// part of what must be said about them.
var mistaken = map[string]string{
	"host=h user=a password=TOPSECRET dbname=d":               "keywords",
	"host = h password = 'TOPSECRET'":                         "keywords",
	"Server=h;User Id=a;Password=TOPSECRET":                   "keywords",
	"Data Source=h;Pwd=TOPSECRET":                             "keywords",
	"a:TOPSECRET@h:5432/d":                                    "scheme is missing",
	":TOPSECRET@h:6379":                                       "scheme is missing",
	"TOPSECRET":                                               "scheme is not known",
	"postgres:/a:TOPSECRET@h/d":                               "two slashes",
	"postgres:a:TOPSECRET@h/d":                                "two slashes",
	"postgresql+psycopg2://a:TOPSECRET@h/d":                   "SQLAlchemy",
	"sqlite+pysqlcipher://:TOPSECRET@/x.db":                   "SQLAlchemy",
	"jdbc:postgresql://h/d?user=a&password=TOPSECRET":         "JDBC",
	"postgis://a:TOPSECRET@h/d":                               "scheme must be postgres",
	"mysql://a:TOPSECRET@h/d":                                 "another kind of database",
	`"postgres://a:TOPSECRET@h/d"`:                            "quotation marks",
	"file:x?password=TOPSECRET":                               "sqlite:",
	"postgres://a:TOP/SECRET@h/d":                             "%2F",
	"postgres://a:12/SECRET@h/d":                              "%2F",
	"postgres://a:TOP?SECRET@h/d":                             "%3F",
	"postgres://a:12?x=SECRET@h/d":                            "%3F",
	"postgres://a:TOP#SECRET@h/d":                             "%23",
	"postgres://a:12#SECRET@h/d":                              "%23",
	"postgres://a:TOP SECRET@h/d":                             "spaces",
	"postgres://a@h/d password=TOPSECRET":                     "spaces",
	"postgres://a@h/d;password=TOPSECRET":                     "name of the database",
	"postgres://a@h,password=TOPSECRET/d":                     "host or port",
	"postgres://h:5432,password=TOPSECRET/d":                  "host or port",
	"postgres://a@h:TOPSECRET/d":                              "host or port",
	"postgres://a@h/d?user=x;password=TOPSECRET":              "parameters",
	"postgres://a@h/d?TOPSECRET":                              "parameters",
	"postgres://a@h/d?Password=TOPSECRET":                     "write password",
	"postgres://a@h/d?pwd=TOPSECRET":                          "write password",
	"postgres://a@h/d?host=b%20password%3DTOPSECRET":          "parameter host",
	"postgres://a@h/d?x=%zzTOPSECRET":                         "parameters",
	"sqlite://a:TOPSECRET@h/x/d":                              "server with a password",
	"sqlite:a:TOPSECRET@h/x/d":                                "server with a password",
	"sqlite:///a:TOP/SECRET@h/x/d":                            "server with a password",
	"sqlite:Data Source=x;Password=TOPSECRET":                 "server with a password",
	"sqlite:/x.db?key=TOPSECRET":                              "parameter key",
	"sqlite:/x.db?TOPSECRET":                                  "question mark",
	"redis://a:TOPSECRET@h:6379/0":                            "POSTERN_SESSION_STORE",
	"postgres://a:TOPSECRET@h/d?gssencmode=require":           "sslmode=verify-full",
	"postgres://a:TOPSECRET@h/d?pooler=TOPSECRET":             `"transaction" or "none"`,
	"postgres://a:TOPSECRET@h/d?channel_binding=prefer&SSL=1": "write ssl",
}

func TestDatabase_MistakesHaveARemedyAndShowNoSecret(t *testing.T) {
	for raw, want := range mistaken {
		var err error
		switch {
		case IsPostgres(raw):
			_, err = Postgres(raw)
		default:
			_, err = SQLite(raw)
		}
		if err == nil || !strings.Contains(err.Error(), want) || leaks(err) {
			t.Errorf("%s:\n    %v\n    want %q, and no secret", raw, err, want)
		}
		for _, read := range []func(string) error{
			func(s string) error { _, err := Redis(s); return err },
			func(s string) error { _, err := Postgres(s); return err },
			func(s string) error { _, err := SQLite(s); return err },
		} {
			if err := read(raw); err != nil && leaks(err) {
				t.Errorf("%s: %v", raw, err)
			}
		}
	}
}

func TestPostgres_ReadsPasswordsAsPythonDoes(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://h/d":                              "postgres://h/d",
		"POSTGRESQL://joe@h/d":                        "postgres://joe@h/d",
		"postgres://joe:p@ss@h/d":                     "postgres://joe:p%40ss@h/d",
		"postgres://joe:p:ss@h/d":                     "postgres://joe:p%3Ass@h/d",
		"postgres://joe:100%@h/d":                     "postgres://joe:100%25@h/d",
		"postgres://joe:p%2Fs%40s@h/d":                "postgres://joe:p%2Fs%40s@h/d",
		"postgres://:pass@h/d":                        "postgres://:pass@h/d",
		"postgres://joe:+=!$@h/d":                     "postgres://joe:%2B%3D%21%24@h/d",
		"postgres://a,b:5433/d":                       "postgres://a,b:5433/d",
		"postgres://[::1]:5433/d":                     "postgres://[::1]:5433/d",
		"postgres://%2Frun%2Fpostgresql/d":            "postgres://%2Frun%2Fpostgresql/d",
		"postgres://joe@/d?host=/run/postgresql":      "postgres://joe@/d?host=%2Frun%2Fpostgresql",
		"postgres://h/d%20e":                          "postgres://h/d%20e",
		"postgres://h/d?options=-c%20geqo%3Doff":      "postgres://h/d?options=-c%20geqo%3Doff",
		"postgres://h/d?sslmode=require&pooler=none":  "postgres://h/d?sslmode=require",
		"postgres://h/d?user=joe%40server&password=x": "postgres://h/d?user=joe%40server&password=x",
		"postgres://h/d?search_path=auth":             "postgres://h/d?search_path=auth",
	} {
		if u, err := Postgres(raw); err != nil || u.Canonical != want {
			t.Errorf("%s: %s, %v; want %s", raw, u.Canonical, err, want)
		}
	}
}

func TestPostgres_LeavesOutWhatChangesNothing(t *testing.T) {
	u, err := Postgres("postgres://h/d?keepalives_idle=30&gssencmode=prefer&conn_max_age=600&sslcompression=0&application_name=x")
	if err != nil || u.Canonical != "postgres://h/d?application_name=x" || strings.Join(u.Ignored, " ") != "conn_max_age gssencmode keepalives_idle sslcompression" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err = Postgres("postgres://h/d?pooler=transaction"); err != nil || !u.Pooled || u.Canonical != "postgres://h/d" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestPostgres_ParametersItCanNotHonourHaveARemedy(t *testing.T) {
	for name := range remedies {
		u, err := Postgres("postgres://h/d?" + name + "=" + secret)
		if err == nil || !strings.Contains(err.Error(), name) || leaks(err) {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

func TestRedis_ReadsPasswordsAsPythonDoes(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://h":                               "redis://h",
		"REDISS://joe:p@ss@h:6379/1":              "rediss://joe:p%40ss@h:6379/1",
		"valkey://:p:ss%2F@[::1]:6379":            "valkey://:p%3Ass%2F@[::1]:6379",
		"redis://h?addr=b:1&addr=[::1]:2":         "redis://h?addr=b:1&addr=[::1]:2",
		"rediss://h:1?skip_verify&ca_file=/x.pem": "rediss://h:1?skip_verify&ca_file=/x.pem",
		"unix:///run/redis.sock?db=1":             "unix:///run/redis.sock?db=1",
		"redis://h:26379?master_set=sessions":     "redis://h:26379?master_set=sessions",
	} {
		if got, err := Redis(raw); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", raw, got, err, want)
		}
	}
}

func TestRedis_MistakesHaveARemedyAndShowNoSecret(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                   "redis://USER",
		"h:6379,password=TOPSECRET":          "StackExchange",
		"h:6379,ssl=true,Password=TOPSECRET": "StackExchange",
		"host=h password=TOPSECRET":          "keywords",
		":TOPSECRET@h:6379":                  "scheme is missing",
		"h:6379":                             "scheme is missing",
		"redis+sentinel://:TOPSECRET@h/set":  "master_set",
		"postgres://a:TOPSECRET@h/d":         "POSTERN_DATABASE_URL",
		"sqlite:/x.db":                       "POSTERN_DATABASE_URL",
		"redis://:TOP/SECRET@h":              "%2F",
		"redis://:12/SECRET@h":               "%2F",
		"redis://:TOP?SECRET@h":              "%3F",
		"redis://:TOP#SECRET@h":              "%23",
		"redis://:TOPSECRET@h:port":          "host or port",
		"redis://:TOPSECRET@h,i":             "?addr=",
		"redis://:TOPSECRET@":                "names no host",
		"redis://h/TOPSECRET":                "number of the database",
		"redis://h?password=TOPSECRET":       "before the host",
		"redis://h?ssl_cert_reqs=none":       "skip_verify",
		"redis://h?TOPSECRET":                "parameters",
		"redis://h?addr=:TOPSECRET@i:6379":   "%40",
		"redis://h?addr=TOP%20SECRET":        "not HOST:PORT",
	} {
		if _, err := Redis(raw); err == nil || !strings.Contains(err.Error(), want) || leaks(err) {
			t.Errorf("%s:\n    %v\n    want %q, and no secret", raw, err, want)
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for raw := range mistaken {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if u, err := Postgres(raw); err == nil {
			again, err := Postgres(u.Canonical)
			if err != nil || again.Canonical != u.Canonical {
				t.Errorf("%q is read as %q, and that as %q, %v", raw, u.Canonical, again.Canonical, err)
			}
		}
		if u, err := Redis(raw); err == nil {
			if again, err := Redis(u); err != nil || again != u {
				t.Errorf("%q is read as %q, and that as %q, %v", raw, u, again, err)
			}
		}
		_, _ = SQLite(raw)
	})
}
