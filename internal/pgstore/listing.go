package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// planByOrder has the planner follow the index of a list's order, which stops
// when a page is full. Its estimates would now and then have it read a whole
// range, and sort it. Engines that lack a setting plan in their own way.
const planByOrder = `select set_config(name, 'off', true) from pg_settings
	where name in ('enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'jit')`

// listing is a read of several queries that see the database as it was at
// one time.
type listing struct {
	pgx.Tx
	ctx context.Context
}

// listing runs work in a transaction that only reads.
func (s *Store) listing(ctx context.Context, work func(*listing) error) error {
	began := time.Now()
	defer func() { s.o.Observe("list", 1, time.Since(began)) }()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return classify(s.listOnce(ctx, work))
}

func (s *Store) listOnce(ctx context.Context, work func(*listing) error) error {
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.Rollback(context.WithoutCancel(ctx)) // there is nothing to commit
	if _, err := t.Exec(ctx, `set transaction isolation level repeatable read, read only`); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, planByOrder); err != nil {
		return err
	}
	return work(&listing{Tx: t, ctx: ctx})
}

// one reads one row.
func (l *listing) one(query string, args []any, scan func(pgx.Row) error) error {
	return scan(l.QueryRow(l.ctx, query, args...))
}

// each reads rows.
func (l *listing) each(query string, args []any, scan func(pgx.Row) error) error {
	rows, err := l.Query(l.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
