package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

// What another node sweeps at the same time is left to it.
const (
	sweepExpired = `delete from postern_session where id in (
		select id from postern_session where expires < $1 limit $2::bigint for update skip locked) returning id`
	sweepIdle = `delete from postern_session where id in (
		select id from postern_session where last_seen < $1 limit $2::bigint for update skip locked) returning id`
	sweepOrphans = `delete from postern_session where id in (
		select s.id from postern_session s
		where not exists (select 1 from auth_user u where u.id = s.user_id) limit $1::bigint for update of s skip locked) returning id`
)

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

func (s *Store) sweep(ctx context.Context, statement string, limit int, args ...any) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	err = s.do(ctx, func(t *tx) error {
		rows, err := t.Query(t.ctx, statement, append(args, limit)...)
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
