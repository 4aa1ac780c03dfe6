package sqlstore

import (
	"context"
	"fmt"
	"time"
)

// observer is Options.Observe; nil observes nothing.
type observer func(operation string, writes int, took time.Duration)

func (o observer) since(began time.Time, operation string, writes int) {
	if o != nil {
		o(operation, writes, time.Since(began))
	}
}

const countSessions = `select count(*) from postern_session`

// CountSessions counts the stored sessions, expired ones among them. It reads
// the smallest index of the table from end to end, some hundred milliseconds
// for millions of sessions, and ends with its context.
func (s *Store) CountSessions(ctx context.Context) (n int64, err error) {
	if err := s.lists.row(ctx, countSessions, nil).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the sessions: %w", err)
	}
	return n, nil
}
