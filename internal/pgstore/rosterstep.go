package pgstore

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rosterFile is run paragraph by paragraph, outside of a transaction.
const (
	rosterFile    = "00005_roster.sql"
	rosterVersion = 5
)

//go:embed migrations/postgresql/00005_roster.sql
var rosterSteps string

const (
	// few is how many users a table may have for its indexes to be built at
	// once, which keeps writers waiting but takes only milliseconds.
	few              = 10_000
	selectFewUsers   = `select count(*) <= $1::bigint from (select 1 from auth_user limit $1::bigint + 1) u`
	selectHalfIndex  = `select exists (select 1 from pg_index where indexrelid = to_regclass($1::text) and not indisvalid)`
	concurrentlyWord = " CONCURRENTLY"
)

// applyRoster takes the step, without the indexes on auth_user where that is
// the table of a Django project: see MakeAdminIndexes. What was done stays done
// if it fails, and is not done again.
func (s *Store) applyRoster(ctx context.Context, _ *sql.DB) error {
	project, err := s.IsDjangoProject(ctx)
	if err != nil {
		return err
	}
	return s.alongside(ctx, func(conn *pgx.Conn) error {
		for _, statement := range paragraphs(rosterSteps) {
			if project && adminIndex(statement) != "" {
				continue
			}
			err := runRoster(ctx, conn, statement)
			if s.mendSequence(ctx, err) {
				err = runRoster(ctx, conn, statement)
			}
			if isLeftToOwner(err) {
				s.o.Log.LogAttrs(ctx, slog.LevelWarn, "not allowed to prepare the database for administration; have the owner of the table run the statement",
					slog.String("statement", statement), slog.Any("error", err))
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// alongside runs work on a connection of its own, which knows no time-outs: a
// pool may have none left, and an index takes as long as it takes.
func (s *Store) alongside(ctx context.Context, work func(*pgx.Conn) error) error {
	config := s.pool.Config().ConnConfig
	delete(config.RuntimeParams, "statement_timeout")
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return work(conn)
}

// runRoster runs a statement of the step. An index of a table so small that
// nobody would notice is built at once.
func runRoster(ctx context.Context, conn *pgx.Conn, statement string) error {
	if err := dropHalf(ctx, conn, statement); err != nil {
		return err
	}
	var small bool
	if err := conn.QueryRow(ctx, selectFewUsers, few).Scan(&small); err != nil {
		return err
	}
	if small {
		statement = strings.Replace(statement, concurrentlyWord, "", 1)
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%.80s: %w", statement, err)
	}
	return nil
}

// adminIndex is the name of the index on auth_user that a statement makes, ""
// if it makes none.
func adminIndex(statement string) string {
	_, rest, _ := strings.Cut(statement, "CREATE INDEX CONCURRENTLY IF NOT EXISTS ")
	name, on, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(on, "ON auth_user ") {
		return ""
	}
	return name
}

const selectIsIndex = `select exists (select 1 from pg_index where indexrelid = to_regclass($1::text) and indisvalid)`

// AdminIndexes says how many of the admin site's indexes on auth_user there
// are, and how many there can be.
func (s *Store) AdminIndexes(ctx context.Context) (made, all int, err error) {
	for _, statement := range paragraphs(rosterSteps) {
		name := adminIndex(statement)
		if name == "" {
			continue
		}
		var there bool
		if err := s.row(ctx, selectIsIndex, []any{name}, func(row pgx.Row) error { return row.Scan(&there) }); err != nil {
			return 0, 0, fmt.Errorf("look at the indexes of database %s: %w", s.name, err)
		}
		if all++; there {
			made++
		}
	}
	return made, all, nil
}

// MakeAdminIndexes makes those of the admin site's indexes on auth_user that
// are missing, while others read and write.
func (s *Store) MakeAdminIndexes(ctx context.Context) error {
	return s.eachAdminIndex(ctx, func(conn *pgx.Conn, _, statement string) error { return runRoster(ctx, conn, statement) })
}

// DropAdminIndexes takes the admin site's indexes away: its lists are right
// without them, and slower.
func (s *Store) DropAdminIndexes(ctx context.Context) error {
	return s.eachAdminIndex(ctx, func(conn *pgx.Conn, name, _ string) error {
		_, err := conn.Exec(ctx, `drop index concurrently if exists `+name)
		return err
	})
}

func (s *Store) eachAdminIndex(ctx context.Context, run func(conn *pgx.Conn, name, statement string) error) error {
	err := s.locked(ctx, func() error {
		return s.alongside(ctx, func(conn *pgx.Conn) error {
			for _, statement := range paragraphs(rosterSteps) {
				name := adminIndex(statement)
				if name == "" {
					continue
				}
				if err := run(conn, name, statement); err != nil {
					return fmt.Errorf("index %s: %w", name, err)
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("change the indexes of database %s: %w", s.name, classify(err))
	}
	return nil
}

// isLeftToOwner reports whether the role lacks the right, or the engine the
// kind of index: administration is slower without it, and nothing else.
func isLeftToOwner(err error) bool {
	switch code(err) {
	case "42501", "0A000", "42704": // insufficient_privilege, feature_not_supported, undefined_object
		return true
	}
	return false
}

// dropHalf removes an index that was left half built, by a step that was
// interrupted; nobody else is at it while the migration's lock is held.
func dropHalf(ctx context.Context, conn *pgx.Conn, statement string) error {
	_, rest, isIndex := strings.Cut(statement, concurrentlyWord+" IF NOT EXISTS ")
	if !isIndex {
		return nil
	}
	name, _, _ := strings.Cut(rest, " ")
	var half bool
	if err := conn.QueryRow(ctx, selectHalfIndex, name).Scan(&half); err != nil || !half {
		return err
	}
	_, err := conn.Exec(ctx, `drop index concurrently if exists `+name)
	return err
}

// paragraphs returns the statements of a step, without its comments.
func paragraphs(step string) []string {
	var statements []string
	for paragraph := range strings.SplitSeq(step, "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" && !strings.HasPrefix(paragraph, "--") {
			statements = append(statements, strings.TrimSuffix(paragraph, ";"))
		}
	}
	return statements
}
