package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// inspectedHashes is how many hashes InspectSQLite reads.
const inspectedHashes = 1000

// Condition is what InspectSQLite found.
type Condition struct {
	Exists bool        // false: the file can be created
	Steps  []Migration // of the schema, applied or pending
	// Unreadable is [auth.UnreadableUsers], if the schema is complete.
	Unreadable []auth.User

	project bool
	hashes  []string
}

// IsDjangoProject is [Store.IsDjangoProject] as it was found.
func (c *Condition) IsDjangoProject(context.Context) (bool, error) { return c.project, nil }

// RecentHashes is [Store.RecentHashes] as it was found, for limit at most 1000.
func (c *Condition) RecentHashes(_ context.Context, limit int) ([]string, error) {
	return c.hashes[:min(limit, len(c.hashes))], nil
}

// Pending returns the names of the steps that are not applied.
func (c *Condition) Pending() []string {
	var names []string
	for _, m := range c.Steps {
		if m.Applied.IsZero() {
			names = append(names, m.Name)
		}
	}
	return names
}

// InspectSQLite looks at the database in the file path as OpenSQLite, Migrate
// and Ready will find it, and leaves its content and its journal mode as they
// are. The error says why the store can't be opened, or that its schema is
// complete and yet does not fit; the condition is nil only if nothing at all
// could be found out.
func InspectSQLite(ctx context.Context, path string) (_ *Condition, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return inspectMissing(path)
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	lists, err := openSQLite(path, readPragmas, 1)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{path: path, lists: newListPool(lists, &health{now: time.Now})}
	defer func() { err = errors.Join(err, s.lists.close()) }()
	steps, err := s.Status(ctx)
	if err != nil {
		return nil, explain(path, err)
	}
	found := &Condition{Exists: true, Steps: steps}
	if found.project, err = s.IsDjangoProject(ctx); err == nil && found.project {
		found.hashes, err = s.RecentHashes(ctx, inspectedHashes)
	}
	if err != nil {
		return found, explain(path, err)
	}
	if err := inspectWrite(ctx, path); err != nil {
		return found, explain(path, err)
	}
	if len(found.Pending()) > 0 {
		return found, nil
	}
	if err := s.Ready(ctx); err != nil {
		return found, err
	}
	found.Unreadable, err = auth.UnreadableUsers(ctx, s)
	return found, err
}

// inspectMissing finds out whether the file can be made, by making another.
func inspectMissing(path string) (*Condition, error) {
	if err := checkNoLog(path); err != nil {
		return nil, err
	}
	steps, err := migrationSteps()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".postern-check-*")
	if err != nil {
		return nil, explainMissing(path, err)
	}
	return &Condition{Steps: steps}, errors.Join(file.Close(), os.Remove(file.Name()))
}

// inspectWrite begins a change and takes it back.
func inspectWrite(ctx context.Context, path string) (err error) {
	db, err := openSQLite(path, "_busy_timeout=2000", 1)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return tryWrite(ctx, conn)
}

// tryWrite changes something and takes it back: SQLite begins a transaction
// even on a file that it can only read.
func tryWrite(ctx context.Context, conn *sql.Conn) (err error) {
	if _, err := conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	defer func() {
		_, rollbackErr := conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		err = cmp.Or(err, rollbackErr)
	}()
	_, err = conn.ExecContext(ctx, "create table postern_probe (x)")
	return err
}
