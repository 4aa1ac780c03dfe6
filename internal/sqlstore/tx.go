package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/postern-auth/postern/internal/auth"
)

// tx is the writer's running transaction, as a job sees it. Its statements
// run without the context of the job's caller: an interrupted statement would
// undo the whole transaction, which other jobs share.
type tx struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	news     []auth.News // of the jobs so far
}

// tell notes what a job changes. It is told whether or not the job is
// committed: a commit that fails may still have reached the disk.
func (t *tx) tell(n auth.News) { t.news = append(t.news, n) }

// attempt runs a job in a savepoint. err is the job's outcome; lost says why
// the jobs before it are undone too, nil if they are not.
func (t *tx) attempt(run func(*tx) error) (err, lost error) {
	if err := t.command("savepoint job"); err != nil {
		return unavailable(err), unavailable(err)
	}
	err = classify(run(t))
	switch {
	case err == nil:
		err = unavailable(t.command("release job"))
		return err, err
	case errors.Is(err, auth.ErrUnavailable):
		return err, err
	}
	return err, unavailable(errors.Join(t.command("rollback to job"), t.command("release job")))
}

// command runs a statement without parameters that returns nothing.
func (t *tx) command(statement string) error {
	_, err := t.exec(statement)
	return err
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(statement string, args ...any) (int64, error) {
	stmt, err := t.statement(statement)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row runs a query, or a change that returns something, for one row.
func (t *tx) row(query string, args ...any) scanner {
	stmt, err := t.statement(query)
	if err != nil {
		return failed{err}
	}
	return stmt.QueryRowContext(context.Background(), args...)
}

func (t *tx) statement(query string) (*sql.Stmt, error) {
	if stmt := t.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.prepared[query] = stmt
	return stmt, nil
}
