package pgstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Condition is how a server is set up, as far as what was acknowledged may be
// lost by it.
type Condition struct {
	// Server names the database.
	Server string
	// Fsync and FullPages are the settings fsync and full_page_writes: without
	// one of them a crash may destroy the database.
	Fsync, FullPages bool
	// Commit is synchronous_commit, as it holds for Postern's connections.
	Commit string
	// Standbys follow the server now; Waits: a commit waits for one of them.
	Standbys int
	Waits    bool
}

// What a relative of PostgreSQL does not have is no weakness.
const selectCondition = `select coalesce(current_setting('fsync', true), 'on')::bool, coalesce(current_setting('full_page_writes', true), 'on')::bool,
	coalesce(current_setting('synchronous_commit', true), 'on'), coalesce(current_setting('synchronous_standby_names', true), ''),
	(select count(*) from pg_stat_replication)`

// Condition asks the server how it is set up. It changes nothing.
func (s *Store) Condition(ctx context.Context) (Condition, error) {
	c := Condition{Server: s.name}
	var names string
	err := s.row(ctx, selectCondition, nil, func(row pgx.Row) error {
		return row.Scan(&c.Fsync, &c.FullPages, &c.Commit, &names, &c.Standbys)
	})
	c.Waits = strings.TrimSpace(names) != "" && c.Commit != "off" && c.Commit != "local"
	return c, err
}

const (
	// selectFlushed is a place in the log that the standbys are sent without
	// a further commit.
	selectFlushed = `select (select system_identifier from pg_control_system()),
		pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint,
		('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint,
		to_regclass('postern_timeline') is not null`
	selectStandby = `select (select system_identifier from pg_control_system()),
		coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint`
)

var errStranger = errors.New("it is a copy of another database, not of this one")

// inspectFor is how long InspectReplica looks again at a standby that is
// behind: one that has just been started, or that had to wait for a disk, is
// asked a moment later.
const inspectFor = 3 * time.Second

// InspectReplica says why a standby at url would not be asked, nil if it
// would: if within inspectFor it is once near enough. It changes nothing.
func (s *Store) InspectReplica(ctx context.Context, url string) error {
	config, err := parseReplicaURL(url, 1)
	if err != nil {
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var want place
	for began, until := (time.Time{}), time.Now().Add(inspectFor); ; time.Sleep(watchPause) {
		if time.Since(began) > maxMarkAge { // as far as a standby may be behind
			if began = time.Now(); began.After(until) {
				return errBehind
			}
			if want, err = s.flushed(ctx); err != nil {
				return fmt.Errorf("ask the primary how far it is: %w", err)
			}
		}
		follows, err := want.isReached(ctx, pool)
		switch {
		case errors.Is(err, errStranger):
			return err
		case err != nil:
			return explainWith(nameOf(config.ConnConfig), "check host, port and sslmode, and that the standby runs and is one", err)
		case follows:
			return nil
		}
	}
}

// place is what the standbys of a database have to have reached.
type place struct {
	system, lsn, timeline int64
	token                 string // of the timeline, "" if none was made yet
}

// flushed returns the place up to which the log is on the primary's disk.
func (s *Store) flushed(ctx context.Context) (p place, err error) {
	var tokens bool
	if err := s.pool.QueryRow(ctx, selectFlushed).Scan(&p.system, &p.lsn, &p.timeline, &tokens); err != nil || !tokens {
		return p, err
	}
	if err = s.pool.QueryRow(ctx, selectToken, p.timeline).Scan(&p.token); isNoRow(err) {
		err = nil
	}
	return p, err
}

// isReached reports whether a standby has followed so far.
func (p place) isReached(ctx context.Context, standby *pgxpool.Pool) (follows bool, err error) {
	var system, replayed int64
	if err := standby.QueryRow(ctx, selectStandby).Scan(&system, &replayed); err != nil {
		return false, err
	}
	if system != p.system {
		return false, errStranger
	}
	if p.token != "" {
		err = standby.QueryRow(ctx, selectReplayed, p.timeline, p.token).Scan(&replayed)
	}
	return replayed >= p.lsn, err
}

// IsUnproved reports whether a URL that CheckURL accepts lets somebody on the
// way to the server read along or pass for it: over a network, without TLS or
// by any certificate.
func IsUnproved(url string) bool {
	config, err := parseURL(url, 0)
	if err != nil {
		return false
	}
	c := config.ConnConfig
	unproved := isUnproved(c.Host, c.TLSConfig)
	for _, f := range c.Fallbacks {
		unproved = unproved || isUnproved(f.Host, f.TLSConfig)
	}
	return unproved
}

func isUnproved(host string, c *tls.Config) bool {
	if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" || host == "localhost" || net.ParseIP(host).IsLoopback() {
		return false
	}
	return c == nil || c.InsecureSkipVerify && c.VerifyPeerCertificate == nil && c.VerifyConnection == nil
}
