package sqlstore

import (
	"context"
	"fmt"
	"time"
)

const (
	selectExpired = `select id from postern_session where expires < $1 limit $2`
	selectIdle    = `select id from postern_session where last_seen < $1 and expires >= $2 limit $3`
	selectOrphans = `select s.id from postern_session s
		where not exists (select 1 from auth_user u where u.id = s.user_id)
		and s.last_seen >= $1 and s.expires >= $2 limit $3`
	// Between the search and the deletion a session may have been touched.
	deleteIfOver = `delete from postern_session where id = $1 and (expires < $2 or last_seen < $3
		or not exists (select 1 from auth_user u where u.id = user_id))`
)

// Sweep implements auth.Sweeper. The search, which may read the whole table,
// runs beside the writer; only the deletions are in its way.
func (s *Store) Sweep(ctx context.Context, now, idleSince time.Time, limit int) (int, error) {
	over, err := s.over(ctx, now, idleSince, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep sessions: %w", err)
	}
	if len(over) == 0 {
		return 0, nil
	}
	var removed int64
	err = s.write.do(ctx, func(t *tx) error {
		for _, id := range over {
			n, err := t.exec(deleteIfOver, id, micros(now), micros(idleSince))
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep sessions: %w", err)
	}
	return int(removed), nil
}

// over finds at most limit sessions to sweep, each once.
func (s *Store) over(ctx context.Context, now, idleSince time.Time, limit int) ([][]byte, error) {
	var found [][]byte
	collect := func(row scanner) error {
		var id []byte
		err := row.Scan(&id)
		found = append(found, id)
		return err
	}
	searches := []struct {
		query string
		args  []any
	}{
		{selectExpired, []any{micros(now)}},
		{selectIdle, []any{micros(idleSince), micros(now)}},
		{selectOrphans, []any{micros(idleSince), micros(now)}},
	}
	for _, search := range searches {
		if search.query == selectIdle && idleSince.IsZero() {
			continue
		}
		if len(found) >= limit {
			break
		}
		if err := s.lists.each(ctx, search.query, append(search.args, limit-len(found)), collect); err != nil {
			return nil, err
		}
	}
	return found, nil
}
