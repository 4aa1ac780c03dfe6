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

// applyRoster takes the step with a connection of its own, which knows no
// time-outs: a pool may have none left, and an index takes as long as it takes.
// What was done stays done if it fails, and is not done again.
func (s *Store) applyRoster(ctx context.Context, _ *sql.DB) error {
	config := s.pool.Config().ConnConfig
	delete(config.RuntimeParams, "statement_timeout")
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var small bool
	if err := conn.QueryRow(ctx, selectFewUsers, few).Scan(&small); err != nil {
		return err
	}
	for _, statement := range paragraphs(rosterSteps) {
		if err := dropHalf(ctx, conn, statement); err != nil {
			return err
		}
		run := statement
		if small {
			run = strings.Replace(statement, concurrentlyWord, "", 1)
		}
		_, err := conn.Exec(ctx, run)
		if isLeftToOwner(err) {
			s.o.Log.LogAttrs(ctx, slog.LevelWarn, "not allowed to prepare the database for administration; have the owner of the table run the statement",
				slog.String("statement", statement), slog.Any("error", err))
			continue
		}
		if err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
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
