package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/django"
)

// djangoFile is run table by table, not as a whole.
const djangoFile = "00001_django_tables.sql"

//go:embed migrations/sqlite/00001_django_tables.sql
var djangoSchema string

const selectTables = `select name from sqlite_master where type = 'table'`

// createDjangoTables makes those of Django's tables that are missing, and says
// in django_migrations that they are there if Django has never been here. In the
// database of a Django project it makes no more than Postern reads.
func createDjangoTables(ctx context.Context, t *sql.Tx) error {
	existing, err := tableNames(ctx, t)
	if err != nil {
		return err
	}
	project, err := isProject(ctx, t)
	if err != nil {
		return err
	}
	untouched := true
	for _, table := range djangoTables(djangoSchema) {
		if existing[table.name] {
			untouched = false
			continue
		}
		if table.name == "django_migrations" && !untouched || table.name == "django_session" && project {
			continue // which are the Django's own affair
		}
		if _, err := t.ExecContext(ctx, table.statements); err != nil {
			return fmt.Errorf("create table %s: %w", table.name, err)
		}
	}
	return nil
}

// isProject is IsDjangoProject in a transaction that migrates.
func isProject(ctx context.Context, t *sql.Tx) (bool, error) {
	existing, err := tableNames(ctx, t)
	if err != nil || !existing["django_migrations"] {
		return false, err
	}
	rows, err := t.QueryContext(ctx, selectApplied)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var applied []django.AppliedMigration
	for rows.Next() {
		var m django.AppliedMigration
		if err := rows.Scan(&m.App, &m.Name, &m.At); err != nil {
			return false, err
		}
		applied = append(applied, m)
	}
	return django.IsProject(applied), rows.Err()
}

func tableNames(ctx context.Context, t *sql.Tx) (map[string]bool, error) {
	rows, err := t.QueryContext(ctx, selectTables)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names[name] = true
	}
	return names, rows.Err()
}

type djangoTable struct{ name, statements string }

// djangoTables returns the paragraphs of the schema that create a table.
func djangoTables(schema string) []djangoTable {
	var tables []djangoTable
	for paragraph := range strings.SplitSeq(schema, "\n\n") {
		_, statement, found := strings.Cut("\n"+paragraph, "\nCREATE TABLE \"")
		if !found {
			continue
		}
		name, _, _ := strings.Cut(statement, `"`)
		tables = append(tables, djangoTable{name, paragraph})
	}
	return tables
}
