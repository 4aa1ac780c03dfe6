package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// pool is a set of connections that only read. Its statements are prepared at
// their first use, because there may be no tables before that.
type pool struct {
	db     *sql.DB
	stop   bool // a read that takes long ends with its context
	took   observer
	health *health

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
	closed   bool
}

// newPool returns a pool for reads of one row: they take microseconds and
// look at their context only before they start, which spares the driver a
// goroutine for each.
func newPool(db *sql.DB, h *health) *pool {
	return &pool{db: db, health: h, prepared: make(map[string]*sql.Stmt)}
}

// newListPool returns a pool for reads that may scan a table: they end with
// their context.
func newListPool(db *sql.DB, h *health) *pool {
	p := newPool(db, h)
	p.stop = true
	return p
}

// scanner is a row: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// failed is a row that could not be read.
type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

// explained is a row whose errors are told apart by classify.
type explained struct {
	row    *sql.Row
	health *health
}

func (e explained) Scan(dest ...any) error { return classify(e.health.note(e.row.Scan(dest...))) }

// row runs a query for one row. sql.ErrNoRows is passed on; other errors wrap
// auth.ErrUnavailable when the database is to blame.
func (p *pool) row(ctx context.Context, query string, args []any) scanner {
	ctx, stmt, err := p.statement(ctx, query)
	if err != nil {
		return failed{err}
	}
	defer p.took.since(time.Now(), "read", 1)
	return explained{stmt.QueryRowContext(ctx, args...), p.health}
}

// each runs a query and calls scan for every row of its result.
func (p *pool) each(ctx context.Context, query string, args []any, scan func(scanner) error) (err error) {
	ctx, stmt, err := p.statement(ctx, query)
	if err != nil {
		return err
	}
	defer p.took.since(time.Now(), "list", 1)
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return p.classify(err)
	}
	defer func() { err = errors.Join(err, p.classify(rows.Close())) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return p.classify(err)
		}
	}
	return p.classify(rows.Err())
}

func (p *pool) statement(ctx context.Context, query string) (context.Context, *sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", auth.ErrUnavailable, context.Cause(ctx))
	}
	if !p.stop {
		ctx = context.WithoutCancel(ctx)
	}
	if p.health.misplaced.Load() {
		return nil, nil, errMisplaced
	}
	p.mu.RLock()
	stmt, closed := p.prepared[query], p.closed
	p.mu.RUnlock()
	if closed {
		return nil, nil, errClosed
	}
	if stmt != nil {
		return ctx, stmt, nil
	}
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, p.classify(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.prepared[query]; first != nil {
		return ctx, first, stmt.Close()
	}
	p.prepared[query] = stmt
	return ctx, stmt, nil
}

// prepare reports whether the database knows what a statement names.
func (p *pool) prepare(ctx context.Context, query string) error {
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return p.classify(err)
	}
	return stmt.Close()
}

func (p *pool) classify(err error) error { return classify(p.health.note(err)) }

// close ends the pool; reads under way fail.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return p.db.Close()
}
