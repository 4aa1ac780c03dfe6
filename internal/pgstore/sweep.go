package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

// A sweeping finds sessions that are over: $1, $2… are its arguments, the last
// is how many it finds at most. What another node sweeps at the same time is
// left to it.
type sweeping struct{ find, lock string }

var (
	sweepExpired = sweeping{`select id from postern_session where expires < $1 limit $2::bigint`, ` for update skip locked`}
	sweepIdle    = sweeping{`select id from postern_session where last_seen < $1 limit $2::bigint`, ` for update skip locked`}
	sweepOrphans = sweeping{`select s.id from postern_session s
		where not exists (select 1 from auth_user u where u.id = s.user_id) limit $1::bigint`, ` for update of s skip locked`}
)

func (s sweeping) locked() string { return removal(s.find + s.lock) }

// unlocked is for a table that a server won't lock rows of, such as one that
// Citus spreads over several: two nodes may wait for one another then.
func (s sweeping) unlocked() string { return removal(s.find) }

func removal(found string) string {
	return `delete from postern_session where id in (` + found + `) returning id`
}

// orphansEvery is the pause between two searches for orphaned sessions, which
// read the whole table. They are worth nothing without their user, and only
// programs that don't know of them leave any.
const orphansEvery = time.Hour

// Sweep implements auth.Sweeper. Idle sessions are found by reading the
// whole table; orphaned ones too, which is done once an hour.
func (s *Store) Sweep(ctx context.Context, now, idleSince time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	removed, err := s.sweep(ctx, sweepExpired, limit, micros(now))
	if err == nil && removed < limit && !idleSince.IsZero() {
		var n int
		n, err = s.sweep(ctx, sweepIdle, limit-removed, micros(idleSince))
		removed += n
	}
	if err == nil && removed < limit && !time.Now().Before(s.orphans) {
		var n int
		n, err = s.sweep(ctx, sweepOrphans, limit-removed)
		if code(err) == codeUnsupported { // users and sessions in different places: they stay until they expire
			err = nil
		}
		if removed += n; err == nil && removed < limit {
			s.orphans = time.Now().Add(orphansEvery)
		}
	}
	if err != nil {
		return removed, fmt.Errorf("sweep sessions: %w", err)
	}
	return removed, nil
}

// sweepWait bounds a sweep, which may read the whole table.
const sweepWait = 25 * time.Second

func (s *Store) sweep(ctx context.Context, what sweeping, limit int, args ...any) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	args = append(args, limit)
	n, err := s.removeFound(ctx, what.locked(), args)
	if code(err) == codeUnsupported {
		n, err = s.removeFound(ctx, what.unlocked(), args)
	}
	return n, err
}

func (s *Store) removeFound(ctx context.Context, statement string, args []any) (n int, err error) {
	err = s.do(ctx, func(t *tx) error {
		rows, err := t.Query(t.ctx, statement, args...)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		for _, id := range ids {
			if len(id) == len(auth.SessionID{}) { // or it is none of ours
				t.tell(auth.News{Session: auth.SessionID(id)})
			}
		}
		n = len(ids)
		return err
	})
	return n, err
}
