package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/django"
)

const (
	selectApplied = `select coalesce(cast(app as text), ''), coalesce(cast(name as text), ''), coalesce(cast(applied as text), '') from django_migrations`
	// A table of a module that is not compiled in can't be described, nor can
	// a view of tables that are gone.
	realTables       = ` from sqlite_master m, %s where (m.type = 'table' and m.sql not like 'create virtual %%' or m.type = 'view' and lower(m.name) = 'auth_user')`
	selectColumns    = `select lower(m.name), lower(c.name)` + realTables
	selectReferences = `select lower(m.name), lower(r."from"), lower(r."table")` + realTables
	selectAnyRow     = `select exists (select 1 from %s)`
)

// ForeignUsers is [Store.ForeignUsers] of a file that no store has open, and
// need not exist.
func ForeignUsers(ctx context.Context, path string) (_ string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open database: %w", err)
	}
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return "", nil // which OpenSQLite creates, or explains
	}
	lists, err := openSQLite(path, readPragmas, 1)
	if err != nil {
		return "", fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{path: path, lists: newListPool(lists, &health{now: time.Now})}
	defer func() { err = errors.Join(err, s.lists.close()) }()
	found, err := s.ForeignUsers(ctx)
	if err != nil {
		return "", explain(path, err)
	}
	return found, nil
}

// ForeignUsers says why the database must not get the table auth_user, or has
// one that is not its users': see [django.Layout.ForeignUsers]. "" if nothing
// speaks against it. It changes nothing.
func (s *Store) ForeignUsers(ctx context.Context) (string, error) {
	l, err := s.layout(ctx)
	if err != nil {
		return "", err
	}
	return l.ForeignUsers(), nil
}

func (s *Store) layout(ctx context.Context) (*django.Layout, error) {
	l := &django.Layout{Columns: map[string][]string{}, Filled: map[string]bool{}}
	var err error
	if l.Applied, err = s.appliedByDjango(ctx); err != nil || len(l.Applied) == 0 {
		return l, err
	}
	err = s.lists.each(ctx, fmt.Sprintf(selectColumns, "pragma_table_info(m.name) c"), nil, func(row scanner) error {
		var table, column string
		err := row.Scan(&table, &column)
		l.Columns[table] = append(l.Columns[table], column)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.lists.each(ctx, fmt.Sprintf(selectReferences, "pragma_foreign_key_list(m.name) r"), nil, func(row scanner) error {
		var r django.Reference
		err := row.Scan(&r.Table, &r.Column, &r.To)
		l.References = append(l.References, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, table := range l.UserTables() {
		var filled bool
		if err := s.lists.row(ctx, fmt.Sprintf(selectAnyRow, quoted(table)), nil).Scan(&filled); err != nil {
			return nil, err
		}
		l.Filled[table] = filled
	}
	return l, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// appliedByDjango returns the rows of django_migrations, none if there is no
// such table.
func (s *Store) appliedByDjango(ctx context.Context) ([]django.AppliedMigration, error) {
	there, err := s.hasTable(ctx, "django_migrations")
	if err != nil || !there {
		return nil, err
	}
	var applied []django.AppliedMigration
	err = s.lists.each(ctx, selectApplied, nil, func(row scanner) error {
		var m django.AppliedMigration
		err := row.Scan(&m.App, &m.Name, &m.At)
		applied = append(applied, m)
		return err
	})
	return applied, err
}

// IsDjangoProject reports whether a Django project has migrated the database,
// so that a Django may be running on it: see [django.IsProject].
func (s *Store) IsDjangoProject(ctx context.Context) (bool, error) {
	applied, err := s.appliedByDjango(ctx)
	if err != nil {
		return false, fmt.Errorf("look for the migrations of a Django: %w", err)
	}
	return django.IsProject(applied), nil
}

// Without an index on last_login this reads the whole table.
const selectRecentHashes = `select cast(password as text) from auth_user where password not like '!%' order by last_login desc, id desc limit $1`

// RecentHashes returns the encoded passwords of the users who logged in last,
// at most limit; where fewer have logged in, those of others too. Unusable
// passwords are left out.
func (s *Store) RecentHashes(ctx context.Context, limit int) ([]string, error) {
	var hashes []string
	err := s.lists.each(ctx, selectRecentHashes, []any{limit}, func(row scanner) error {
		var encoded string
		err := row.Scan(&encoded)
		hashes = append(hashes, encoded)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the hashes of the latest logins: %w", err)
	}
	return hashes, nil
}
