package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/django"
)

const (
	selectApplied = `select app::text, name::text, applied::text from django_migrations`
	selectColumns = `select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
		where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace <> 'pg_catalog'::regnamespace and pg_table_is_visible(c.oid)
		and a.attnum > 0 and not a.attisdropped`
	selectReferences = `select c.relname::text, a.attname::text, o.relname::text from pg_constraint k
		join pg_class c on c.oid = k.conrelid join pg_class o on o.oid = k.confrelid
		join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
		where k.contype = 'f' and pg_table_is_visible(c.oid)`
	selectAnyRow = `select exists (select 1 from %s)`
)

// ForeignUsers says why the database must not get the table auth_user, or has
// one that is not its users': see [django.Layout.ForeignUsers]. "" if nothing
// speaks against it. It changes nothing.
func (s *Store) ForeignUsers(ctx context.Context) (string, error) {
	l, err := s.layout(ctx)
	if err != nil {
		return "", fmt.Errorf("look at the tables of database %s: %w", s.name, err)
	}
	return l.ForeignUsers(), nil
}

func (s *Store) layout(ctx context.Context) (*django.Layout, error) {
	l := &django.Layout{Columns: map[string][]string{}, Filled: map[string]bool{}}
	var err error
	if l.Applied, err = s.appliedByDjango(ctx); err != nil || len(l.Applied) == 0 {
		return l, err
	}
	err = s.each(ctx, selectColumns, nil, func(row pgx.Row) error {
		var table, column string
		err := row.Scan(&table, &column)
		l.Columns[table] = append(l.Columns[table], column)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, selectReferences, nil, func(row pgx.Row) error {
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
		query := fmt.Sprintf(selectAnyRow, pgx.Identifier{table}.Sanitize())
		err := s.row(ctx, query, nil, func(row pgx.Row) error { return row.Scan(&filled) })
		if err != nil && code(err) != "42501" { // insufficient_privilege: it may be empty
			return nil, err
		}
		l.Filled[table] = filled
	}
	return l, nil
}

// appliedByDjango returns the rows of django_migrations, none if there is no
// such table or if it is not for this role.
func (s *Store) appliedByDjango(ctx context.Context) ([]django.AppliedMigration, error) {
	there, err := s.hasTable(ctx, "django_migrations")
	if err != nil || !there {
		return nil, err
	}
	var applied []django.AppliedMigration
	err = s.each(ctx, selectApplied, nil, func(row pgx.Row) error {
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

// Without an index on last_login this reads the whole table. A backward scan
// of the one that Postern makes has this order.
const selectRecentHashes = `select password::text from auth_user where password not like '!%' order by last_login desc nulls last, id desc limit $1::bigint`

// RecentHashes returns the encoded passwords of the users who logged in last,
// at most limit; where fewer have logged in, those of others too. Unusable
// passwords are left out.
func (s *Store) RecentHashes(ctx context.Context, limit int) ([]string, error) {
	var hashes []string
	err := s.each(ctx, selectRecentHashes, []any{limit}, func(row pgx.Row) error {
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
