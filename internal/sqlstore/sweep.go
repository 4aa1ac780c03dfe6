package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	// A text or a blob is more than every number, and never expires by itself.
	selectExpired = `select id from postern_session where expires < $1 or expires >= '' limit $2`
	selectIdle    = `select id from postern_session where last_seen < $1 limit $2`
	// An index holds all that this reads of the sessions, in the order of the
	// users, and what no session can be. With "not in" SQLite keeps its place among the users from one row
	// to the next; "not exists" would look up each from the root.
	selectOrphans = `select id from postern_session where user_id not in (select id from auth_user)
		or typeof(created) <> 'integer' or typeof(id) <> 'blob' or length(id) <> 32 limit $1`
	// Between the search and the deletion a session may have been touched.
	deleteIfOver = `delete from postern_session where id = $1 and (expires < $2 or expires >= '' or last_seen < $3
		or typeof(created) <> 'integer' or typeof(id) <> 'blob' or length(id) <> 32
		or not exists (select 1 from auth_user u where u.id = user_id))`
)

// Sweep implements auth.Sweeper. The search, which may read the whole table,
// runs beside the writer; only the deletions are in its way.
func (s *Store) Sweep(ctx context.Context, now, idleSince time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
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
			if raw := id.raw(); len(raw) == len(auth.SessionID{}) { // or it is none of ours
				t.tell(auth.News{Session: auth.SessionID([]byte(raw))})
			}
			n, err := t.exec(deleteIfOver, id.v, micros(now), micros(idleSince))
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

// over finds at most limit sessions to sweep, each once; fewer only if there
// are no more.
func (s *Store) over(ctx context.Context, now, idleSince time.Time, limit int) ([]value, error) {
	var found []value
	known := make(map[string]bool)
	collect := func(row scanner) error {
		var id value
		if err := row.Scan(&id); err != nil {
			return err
		}
		if key := fmt.Sprintf("%T %v", id.v, id.v); !known[key] && len(found) < limit {
			known[key] = true
			found = append(found, id)
		}
		return nil
	}
	err := s.lists.each(ctx, selectExpired, []any{micros(now), limit}, collect)
	if err == nil && len(found) < limit && !idleSince.IsZero() {
		err = s.lists.each(ctx, selectIdle, []any{micros(idleSince), limit}, collect)
	}
	if err == nil && len(found) < limit {
		err = s.lists.each(ctx, selectOrphans, []any{limit}, collect)
	}
	return found, err
}
