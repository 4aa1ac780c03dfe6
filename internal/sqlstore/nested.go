package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

var errNotNested = errors.New("the driver's connections can't be shared")

// within returns a database whose only connection is driverConn, which is in a
// transaction already; the transactions of the database become savepoints in
// it. This is how goose migrates under the writer's lock, all or nothing,
// though it knows no lock for SQLite and begins transactions of its own.
// Closing the database leaves driverConn open.
func within(driverConn any) (*sql.DB, error) {
	conn, ok := driverConn.(sqliteConn)
	if !ok {
		return nil, errNotNested
	}
	db := sql.OpenDB(nested{conn})
	db.SetMaxOpenConns(1)
	return db, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

// nested is the connection, its own connector and its own transaction.
type nested struct{ sqliteConn }

func (n nested) Connect(context.Context) (driver.Conn, error) { return n, nil }
func (n nested) Driver() driver.Driver                        { return nil }
func (n nested) Close() error                                 { return nil }

func (n nested) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	_, err := n.ExecContext(ctx, "savepoint migration", nil)
	return n, err
}

func (n nested) Commit() error {
	_, err := n.ExecContext(context.Background(), "release migration", nil)
	return err
}

func (n nested) Rollback() error {
	_, err := n.ExecContext(context.Background(), "rollback to migration; release migration", nil)
	return err
}
