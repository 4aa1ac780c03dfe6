package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
)

// rosterFile is run statement by statement.
const (
	rosterFile    = "00004_roster.sql"
	rosterVersion = 4
)

//go:embed migrations/sqlite/00004_roster.sql
var rosterSteps string

// applyRoster takes the step, without the indexes on auth_user where that is
// the table of a Django project: see MakeAdminIndexes.
func applyRoster(ctx context.Context, t *sql.Tx) error {
	project, err := isProject(ctx, t)
	if err != nil {
		return err
	}
	for _, statement := range rosterStatements() {
		if project && adminIndex(statement) != "" {
			continue
		}
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	return nil
}

// rosterStatements returns the statements of the step.
func rosterStatements() []string {
	_, text, _ := strings.Cut(rosterSteps, "-- +goose Up\n")
	var statements []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// adminIndex is the name of the index on auth_user that a statement makes, ""
// if it makes none.
func adminIndex(statement string) string {
	_, rest, _ := strings.Cut(statement, `CREATE INDEX IF NOT EXISTS "`)
	name, on, _ := strings.Cut(rest, `"`)
	if !strings.HasPrefix(on, ` ON "auth_user" `) {
		return ""
	}
	return name
}

const selectIndexNamed = `select count(*) from sqlite_master where type = 'index' and name = $1`

// AdminIndexes says how many of the admin site's indexes on auth_user there
// are, and how many there can be.
func (s *Store) AdminIndexes(ctx context.Context) (made, all int, err error) {
	for _, statement := range rosterStatements() {
		name := adminIndex(statement)
		if name == "" {
			continue
		}
		var n int
		if err := s.lists.row(ctx, selectIndexNamed, []any{name}).Scan(&n); err != nil {
			return 0, 0, fmt.Errorf("look at the indexes of database %s: %w", s.path, err)
		}
		made, all = made+n, all+1
	}
	return made, all, nil
}

// MakeAdminIndexes makes those of the admin site's indexes on auth_user that
// are missing.
func (s *Store) MakeAdminIndexes(ctx context.Context) error {
	return s.eachAdminIndex(ctx, func(_, statement string) string { return statement })
}

// DropAdminIndexes takes the admin site's indexes away: its lists are right
// without them, and slower.
func (s *Store) DropAdminIndexes(ctx context.Context) error {
	return s.eachAdminIndex(ctx, func(name, _ string) string { return `drop index if exists "` + name + `"` })
}

func (s *Store) eachAdminIndex(ctx context.Context, run func(name, statement string) string) error {
	err := s.write.doAlone(ctx, func(t *tx) error {
		for _, statement := range rosterStatements() {
			name := adminIndex(statement)
			if name == "" {
				continue
			}
			if _, err := t.exec(run(name, statement)); err != nil {
				return fmt.Errorf("index %s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("change the indexes of database %s: %w", s.path, err)
	}
	return nil
}
