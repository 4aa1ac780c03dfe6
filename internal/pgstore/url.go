package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-auth/postern/internal/dburl"
)

const (
	connectTimeout = 3 * time.Second
	// statementTimeout bounds what a statement, and a transaction that is left
	// alone, may hold on to, should this process not be there to end it.
	statementTimeout = 30 * time.Second
)

// CheckURL returns what is wrong with a URL for Open, without its password.
func CheckURL(url string) error {
	_, err := parseURL(url, 0)
	return err
}

// parseURL returns the configuration of a pool.
func parseURL(raw string, maxConns int) (*pgxpool.Config, error) {
	url, err := dburl.Postgres(raw)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(url.Canonical)
	if err != nil {
		return nil, errors.New("is not a URL of a PostgreSQL database: " + reason(err) + `; write "postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full"`)
	}
	if maxConns <= 0 {
		maxConns = max(8, 4*runtime.GOMAXPROCS(0))
	}
	config.MaxConns = int32(min(maxConns, 1<<15))
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	config.MaxConnIdleTime, config.HealthCheckPeriod = 5*time.Minute, 15*time.Second
	harden(config.ConnConfig, url.Pooled)
	config.AfterConnect = prepareConn
	return config, nil
}

// harden sets what every connection needs unless the URL says otherwise.
func harden(c *pgx.ConnConfig, pooled bool) {
	if c.ConnectTimeout == 0 || c.ConnectTimeout > time.Minute {
		c.ConnectTimeout = connectTimeout
	}
	if c.ValidateConnect == nil { // target_session_attrs
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	// Texts are UTF-8 here, whatever the encoding of the database. Poolers keep
	// this parameter apart for each client.
	c.RuntimeParams["client_encoding"] = "UTF8"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "postern"
	}
	if pooled {
		// The next statement may reach another connection: nothing may be
		// prepared there or set there.
		c.DefaultQueryExecMode = pgx.QueryExecModeExec
		c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
		delete(c.RuntimeParams, "application_name")
		return
	}
	for _, name := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = fmt.Sprint(statementTimeout.Milliseconds())
		}
	}
}

// warnOfIgnored names the parameters of a URL that change nothing.
func warnOfIgnored(ctx context.Context, log *slog.Logger, raw string) {
	if url, err := dburl.Postgres(raw); err == nil && len(url.Ignored) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "parameters of the database's URL have no effect here; leave them out",
			slog.String("parameters", strings.Join(url.Ignored, ", ")))
	}
}

// reason is the cause of a parser's error, without the URL, of which dburl
// has left nothing that can be misread.
func reason(err error) string {
	if parse, ok := errors.AsType[*pgconn.ParseConfigError](err); ok && parse.Unwrap() != nil {
		return "a parameter can't be read: " + parse.Unwrap().Error()
	}
	return "it can't be read"
}

// nameOf names a database in errors.
func nameOf(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s on %s", c.Database, strings.TrimSuffix(c.Host, "/"))
}
