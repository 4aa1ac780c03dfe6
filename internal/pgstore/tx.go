package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	// attempts is how often a transaction is run that conflicts with others.
	attempts = 6
	// firstPause is the pause before the second attempt, about; it doubles.
	firstPause = 5 * time.Millisecond
	// commitWait is how long the outcome of a commit is waited for, even when
	// who asked for it has gone.
	commitWait = 5 * time.Second
)

// tx is a transaction and the news it will be.
type tx struct {
	pgx.Tx
	ctx  context.Context
	news []auth.News
	// namesRepeat says that the database does not keep usernames unique.
	namesRepeat bool
}

func (t *tx) tell(n auth.News) { t.news = append(t.news, n) }

// exec runs a statement and returns how many rows it touched.
func (t *tx) exec(statement string, args ...any) (int64, error) {
	tag, err := t.Exec(t.ctx, statement, args...)
	return tag.RowsAffected(), err
}

func (t *tx) row(query string, args ...any) pgx.Row { return t.QueryRow(t.ctx, query, args...) }

// do runs work in one transaction, again if it conflicts with another one,
// and tells its news before it returns. An error of the commit does not say
// that nothing was committed.
func (s *Store) do(ctx context.Context, work func(*tx) error) error {
	once := func(ctx context.Context) error { return s.once(ctx, work) }
	err := s.repeat(ctx, once)
	if s.findNamesRepeat(ctx, err) || s.mendSequence(ctx, err) {
		err = s.repeat(ctx, once)
	}
	return err
}

// repeat runs a transaction until it conflicts with no other.
func (s *Store) repeat(ctx context.Context, once func(context.Context) error) error {
	began := time.Now()
	defer func() { s.o.Observe("commit", 1, time.Since(began)) }()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var err error
	for attempt := range attempts {
		if attempt > 0 && !pause(ctx, attempt) {
			break
		}
		if err = once(ctx); !isRepeatable(err) {
			break
		}
	}
	if code(err) == codeReadOnly {
		s.renew() // this server was a primary, and is none any more
	}
	return classify(err)
}

// alone runs one statement that is a transaction of its own, has no news, and
// changes nothing more when it is run twice, and returns how many rows it
// touched. Its outcome is waited for, as that of a commit. On a connection
// that turns out to be dead it is run again only if it can't be done later
// than that, behind the back of what follows.
func (s *Store) alone(ctx context.Context, statement string, args ...any) (n int64, err error) {
	err = s.repeat(ctx, func(ctx context.Context) error {
		n, err = s.execute(ctx, statement, args...)
		if isConnectionLost(err) {
			s.renew()
			if isDoneWith(err) {
				n, err = s.execute(ctx, statement, args...)
			}
		}
		return err
	})
	return n, err
}

// execute waits for a connection as long as ctx allows, and then for the
// outcome, whatever becomes of ctx.
func (s *Store) execute(ctx context.Context, statement string, args ...any) (int64, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer cancel()
	tag, err := conn.Exec(ctx, statement, args...)
	return tag.RowsAffected(), err
}

// pause waits longer before each attempt, and not the same as others do;
// false if ctx ends before.
func pause(ctx context.Context, attempt int) bool {
	most := firstPause << (attempt - 1)
	select {
	case <-time.After(most/2 + rand.N(most)):
		return true
	case <-ctx.Done():
		return false
	}
}

// begin starts a transaction, on another connection if one turns out to be
// dead: nothing was done on it yet.
func (s *Store) begin(ctx context.Context) (pgx.Tx, error) {
	t, err := s.pool.Begin(ctx)
	if isConnectionLost(err) && ctx.Err() == nil {
		s.renew()
		t, err = s.pool.Begin(ctx)
	}
	return t, err
}

func (s *Store) once(ctx context.Context, work func(*tx) error) error {
	begun, err := s.begin(ctx)
	if err != nil {
		return err
	}
	t := &tx{Tx: begun, ctx: ctx, namesRepeat: s.namesRepeat.Load()}
	if err := work(t); err != nil {
		return errors.Join(err, ended(t.rollback()))
	}
	// What is on its way to be committed is waited for: its outcome is worth
	// knowing, and its news must be told.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer cancel()
	err = t.Commit(ctx)
	if !isRolledBack(err) {
		for _, n := range t.news {
			s.o.News(n)
		}
	}
	return err
}

// isDoneWith reports whether a statement that failed so was never sent, or the
// server process that had it has ended.
func isDoneWith(err error) bool {
	switch code(err) {
	case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return true
	}
	return pgconn.SafeToRetry(err)
}

func (t *tx) rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), time.Second)
	defer cancel()
	return t.Rollback(ctx)
}

// ended leaves out what a rollback on a broken connection says: there is
// nothing left to roll back.
func ended(err error) error {
	if err == nil || errors.Is(err, pgx.ErrTxClosed) || isConnectionLost(err) {
		return nil
	}
	return fmt.Errorf("roll back: %w", err)
}

// isRolledBack reports whether the server itself said that it committed
// nothing.
func isRolledBack(err error) bool {
	return errors.Is(err, pgx.ErrTxCommitRollback) || code(err) == codeForeignKey || isRepeatable(err)
}
