package pgstore

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
)

// djangoFile is run table by table, not as a whole.
const djangoFile = "00001_django_tables.sql"

//go:embed migrations/postgresql/00001_django_tables.sql
var djangoSchema string

// createDjangoTables makes those of Django's tables that are missing, and says
// in django_migrations that they are there if Django has never been here.
func createDjangoTables(ctx context.Context, t *sql.Tx) error {
	untouched := true
	for _, table := range djangoTables(djangoSchema) {
		var exists bool
		if err := t.QueryRowContext(ctx, selectTableNamed, table.name).Scan(&exists); err != nil {
			return err
		}
		if exists {
			untouched = false
			continue
		}
		if table.name == "django_migrations" && !untouched {
			continue
		}
		for statement := range strings.SplitSeq(table.statements, ";\n") {
			if _, err := t.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("create table %s: %w", table.name, err)
			}
		}
	}
	return nil
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
		tables = append(tables, djangoTable{name, strings.TrimSpace(paragraph)})
	}
	return tables
}
