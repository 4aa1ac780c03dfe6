// Package sqlstore is the home of users and sessions in an SQL database. The
// users are rows of Django's own auth_user, so that a Postern database is a
// Django database and the other way round; the sessions are rows of
// postern_session, which Django doesn't know.
//
// A read goes straight to a pool of connections that cannot write. A write
// becomes a job for the one writer, which commits what has queued up in one
// transaction: the caller has its answer after the commit, never before.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	// Wait is how long an act without a deadline of its own waits for a
	// database that another process keeps locked; default 5 s.
	Wait time.Duration
	// Queue is how many writes may wait for the writer; default 1024. One
	// more waits for a place until its deadline.
	Queue int
	// News, if set, is told of each write that ends sessions or changes users,
	// after its commit and before it is acknowledged, and of a write of
	// another process (as news about everything) when it is noticed.
	News func(auth.News)
	// Heartbeat, if set, is called about five times a second with a time up
	// to which all that any process has committed has been told to News.
	// While the database can't be asked, it is not called.
	Heartbeat func(began time.Time)
	// Observe, if set, is told how long the database took for an operation:
	// "read" (of one row), "list" or "commit", and how many writes shared the
	// commit (1 for reads).
	Observe func(operation string, writes int, took time.Duration)
	// Now is the clock of Heartbeat; default time.Now.
	Now func() time.Time
	// Log is warned of rows with values that can't be read, and of a file that
	// was replaced. Default: none.
	Log *slog.Logger
}

const (
	defaultWait  = 5 * time.Second
	defaultQueue = 1024
)

// Store holds users and sessions in one database. Safe for concurrent use.
type Store struct {
	path string
	// reads answers questions about one row. Lists, which may scan a table,
	// have connections of their own, so that no session check waits for them.
	reads *pool
	lists *pool
	// identities answers whose a session is, which every request asks.
	identities *identities
	write      *writer
	reach      reach
	health     *health
	odd        *auth.OddRows
	log        *slog.Logger
}

// Ping reports whether the database can serve: its file is where it was, it
// answers a read, no read or write met a damaged file or a disk that takes
// nothing in the last 30 seconds, and, every 30 seconds, pages of the file can be read.
// Its error wraps auth.ErrUnavailable. Whether it can be written is known once
// somebody writes: a server reports itself every ten seconds (ReportNode).
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", unavailable(err))
	}
	return nil
}

func (s *Store) ping(ctx context.Context) error {
	if err := s.health.locate(); err != nil {
		return err
	}
	if err := s.health.recent(); err != nil {
		return err
	}
	if err := s.reads.row(ctx, selectAnyTable, nil).Scan(new(int)); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return s.health.checkPages(ctx)
}

// Close commits the writes that are queued and closes the database. Acts that
// come later return auth.ErrUnavailable.
func (s *Store) Close() error {
	s.write.drain()
	err := errors.Join(s.identities.close(), s.reads.close(), s.lists.close(), s.write.close())
	if aside, asideErr := s.health.setAside(); asideErr != nil {
		err = errors.Join(err, fmt.Errorf("delete %s before the next start: it belongs to the former database file: %w", s.path+walSuffix, asideErr))
	} else if aside != "" {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "the database file was replaced while it was open: the write-ahead log of the former file, with its last writes, was set aside",
			slog.String("file", s.path), slog.String("log", aside),
			slog.String("fix", "stop the server before you replace the file; delete the log when its writes are not needed"))
	}
	if err != nil {
		return fmt.Errorf("close database %s: %w", s.path, err)
	}
	return nil
}
