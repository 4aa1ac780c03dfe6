// Package pgstore is the home of users and sessions in PostgreSQL, version 14
// or newer. The users are rows of Django's own auth_user, so that a Postern
// database is a Django database and the other way round; the sessions are rows
// of postern_session, which Django doesn't know.
//
// Every act is one statement or one transaction on a pool of connections;
// whatever is acknowledged was committed. Nothing needs an advisory lock or a
// setting of the session to be right, so that a pooler such as PgBouncer may
// stand between. Other writers are heard by LISTEN: see listen.go.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-auth/postern/internal/auth"
)

var (
	_ auth.UserStore    = (*Store)(nil)
	_ auth.SessionStore = (*Store)(nil)
	_ auth.Sweeper      = (*Store)(nil)
	_ auth.LoginStore   = (*Store)(nil)
)

// Options are the bounds of a store; zero values mean the defaults.
type Options struct {
	// Wait is how long an act without a deadline of its own may take, waiting
	// for a connection included; default 5 s.
	Wait time.Duration
	// MaxConns is how many connections the store opens at most, beside the
	// one that listens; default max(8, 4 × processors).
	MaxConns int
	// ListenURL is the database without a pooler in between, for the
	// connection that listens for news; default the URL of the store itself.
	ListenURL string
	// ReplicaURL is a standby of the database, for reads that need not be as
	// new as can be; with several hosts it is the first that answers.
	// Default: none.
	ReplicaURL string
	// News, if set, is told of each write that ends sessions or changes users:
	// of this store's after the commit and before it is acknowledged, of
	// others' when it is heard.
	News func(auth.News)
	// Heartbeat, if set, is called about five times a second with a time up
	// to which all that anyone has committed has been told to News. While
	// the news can't be heard, it is not called.
	Heartbeat func(began time.Time)
	// Observe, if set, is told how long the database took for an operation:
	// "read" (of one row), "replica" (the same, of the replica), "list" or
	// "commit"; writes is 1.
	Observe func(operation string, writes int, took time.Duration)
	// Now is the clock of Heartbeat; default time.Now.
	Now func() time.Time
	// Log is told when the news can't be heard, and when they can again, and
	// is warned of rows with values that can't be read.
	// Default: none.
	Log *slog.Logger
}

const defaultWait = 5 * time.Second

// Store holds users and sessions in one database. Safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	replica *replica // nil: none
	name    string   // the database, for errors: without credentials
	o       Options
	reach   reach
	odd     *auth.OddRows
	isUTF8  atomic.Bool // the encoding of the database
	// namesRepeat is set once no constraint keeps usernames unique.
	namesRepeat atomic.Bool

	renewing sync.Mutex
	renewed  time.Time

	sweeping sync.Mutex
	orphans  time.Time // when orphaned sessions are searched next

	listening context.CancelFunc
	listened  chan struct{} // closed when the listener has ended
}

// Open connects to the database that url names, as postgres:// or
// postgresql:// URL (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS);
// with several hosts it is the one that takes writes. The parameter
// pooler=transaction says that a pooler is in between which gives a
// connection to a transaction, not to a client. Open makes no tables: see
// Migrate and Ready. Its error names the way out and holds no password; it
// wraps auth.ErrUnavailable when the database can't be reached.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.setDefaults()
	config, err := parseURL(url, o.MaxConns)
	if err != nil {
		return nil, err
	}
	warnOfIgnored(ctx, o.Log, url)
	s := &Store{name: nameOf(config.ConnConfig), o: o, reach: defaultReach, odd: auth.NewOddRows(o.Log), listened: make(chan struct{})}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		s.isUTF8.Store(conn.PgConn().ParameterStatus("server_encoding") == "UTF8")
		return prepareConn(ctx, conn)
	}
	if s.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return nil, fmt.Errorf("open database %s: %w", s.name, err)
	}
	if err := s.Ping(ctx); err != nil {
		s.pool.Close()
		return nil, explain(s.name, err)
	}
	if o.ReplicaURL != "" {
		if err := s.openReplica(ctx); err != nil {
			s.pool.Close()
			return nil, err
		}
		s.o.News = func(n auth.News) {
			s.replica.hear()
			o.News(n)
		}
	}
	if err := s.listen(ctx, url); err != nil {
		s.closePools()
		return nil, err
	}
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.News == nil {
		o.News = func(auth.News) {}
	}
	if o.Observe == nil {
		o.Observe = func(string, int, time.Duration) {}
	}
}

// Ping reports whether the database answers; its error wraps
// auth.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", unavailable(err))
	}
	return nil
}

// Close ends the listener and the connections, once the acts under way have
// ended. Acts that come later return auth.ErrUnavailable.
func (s *Store) Close() error {
	s.listening()
	<-s.listened
	s.closePools()
	return nil
}

func (s *Store) closePools() {
	if s.replica != nil {
		s.replica.close()
	}
	s.pool.Close()
}

// bounded gives an act a deadline if it has none.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.o.Wait)
}

// row reads one row, anew if the connection turns out to be dead: a read may
// be repeated.
func (s *Store) row(ctx context.Context, query string, args []any, scan func(pgx.Row) error) error {
	began := time.Now()
	defer func() { s.o.Observe("read", 1, time.Since(began)) }()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	err := scan(s.pool.QueryRow(ctx, query, args...))
	if isConnectionLost(err) && ctx.Err() == nil {
		s.renew()
		err = scan(s.pool.QueryRow(ctx, query, args...))
	}
	return classify(err)
}

// renewAtMost is how often the connections are given up.
const renewAtMost = 250 * time.Millisecond

// renew gives up the connections that are open: where one is dead, because
// the server was restarted, others are.
func (s *Store) renew() {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	if time.Since(s.renewed) < renewAtMost {
		return
	}
	s.renewed = time.Now()
	s.pool.Reset()
}

// each reads a list.
func (s *Store) each(ctx context.Context, query string, args []any, scan func(pgx.Row) error) error {
	began := time.Now()
	defer func() { s.o.Observe("list", 1, time.Since(began)) }()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return classify(err)
		}
	}
	return classify(rows.Err())
}

var errNoRows = pgx.ErrNoRows

func isNoRow(err error) bool { return errors.Is(err, errNoRows) }
