package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	// selectRuleColumns are the columns that a constraint or an index is about,
	// those in its expressions included.
	selectRuleColumns = `select a.attname::text from pg_attribute a where a.attrelid = to_regclass('auth_user') and a.attnum > 0 and (
		a.attnum in (select unnest(k.conkey) from pg_constraint k where k.conrelid = a.attrelid and k.conname = $1::text)
		or a.attnum in (select d.refobjsubid from pg_depend d where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
			and d.refobjid = a.attrelid and d.objid in (select i.indexrelid from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = a.attrelid and c.relname = $1::text)))`
	selectLengths = `select a.attname::text, a.atttypmod - 4 from pg_attribute a where a.attrelid = to_regclass('auth_user')
		and a.attname in ('username', 'email', 'first_name', 'last_name') and a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) and a.atttypmod > 4`
)

// refused turns the error of a rule that somebody added to auth_user into
// auth.ErrUsernameTaken or *auth.RefusedError; lengths are those of the
// values that were to be stored. Other errors stay as they are.
func (s *Store) refused(ctx context.Context, err error, lengths map[string]int) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	rule := auth.Rule{Name: e.ConstraintName, Unique: e.Code == codeUnique}
	switch e.Code {
	case "22001": // string_data_right_truncation, without the column
		return s.refusedLength(ctx, err, lengths)
	case "23502": // not_null_violation
		rule.Name, rule.Columns = "NOT NULL of column "+e.ColumnName, []string{e.ColumnName}
	case codeUnique, "23514", "23P01": // check_violation, exclusion_violation
		if e.TableName != "auth_user" && e.DataTypeName == "" {
			return err
		}
		columns, lookup := s.ruleColumns(ctx, e.ConstraintName)
		if lookup != nil {
			return errors.Join(err, lookup)
		}
		rule.Columns = columns
	case "P0001": // raise_exception
		where, _, _ := strings.Cut(e.Where, "\n")
		rule.Name = "the trigger of " + where
	default:
		return err
	}
	return auth.RefusedBy(rule)
}

func (s *Store) ruleColumns(ctx context.Context, constraint string) (columns []string, err error) {
	err = s.each(ctx, selectRuleColumns, []any{constraint}, func(row pgx.Row) error {
		var name string
		err := row.Scan(&name)
		columns = append(columns, name)
		return err
	})
	return columns, err
}

func (s *Store) refusedLength(ctx context.Context, err error, lengths map[string]int) error {
	limits := map[string]int{}
	lookup := s.each(ctx, selectLengths, nil, func(row pgx.Row) error {
		var (
			column string
			limit  int
		)
		err := row.Scan(&column, &limit)
		limits[column] = limit
		return err
	})
	if lookup != nil {
		return errors.Join(err, lookup)
	}
	return auth.RefusedLength(lengths, limits)
}

const (
	selectIsPrimaryKey = `select exists (select 1 from pg_constraint where contype = 'p' and cardinality(conkey) = 1 and conname = $1::text and conrelid = to_regclass($2::text))`
	// moveSequence takes the sequence of an id past the ids that are there. Never
	// back: others may draw from it at the same time.
	moveSequence = `select setval(q.name::regclass, greatest((select max(id) from %s), nextval(q.name::regclass))) from (
		select coalesce(pg_get_serial_sequence('%[1]s', 'id'), (select substring(pg_get_expr(d.adbin, d.adrelid) from 'nextval\(''(.+)''::regclass\)')
			from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where d.adrelid = to_regclass('%[1]s') and a.attname = 'id')) as name) q
		where q.name is not null`
)

// mendSequence reports whether a transaction failed because the sequence of a
// table of Django's was behind its rows, as after a copy with ids, and is no
// longer: so that the transaction can be run again. Where the sequence can't
// be moved, the log says what to run.
func (s *Store) mendSequence(ctx context.Context, err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != codeUnique || !strings.HasPrefix(e.TableName, "auth_") && !strings.HasPrefix(e.TableName, "django_") {
		return false
	}
	var isID bool
	lookup := s.row(ctx, selectIsPrimaryKey, []any{e.ConstraintName, e.TableName}, func(row pgx.Row) error { return row.Scan(&isID) })
	if lookup != nil || !isID {
		return false
	}
	var moved int64
	statement := fmt.Sprintf(moveSequence, e.TableName)
	mending := s.row(ctx, statement, nil, func(row pgx.Row) error { return row.Scan(&moved) })
	if mending != nil {
		s.o.Log.LogAttrs(ctx, slog.LevelError, "no row can be added to the table: the sequence of its ids is behind the rows, as after a copy, and this role may not move it; run as its owner: manage.py sqlsequencereset auth | psql",
			slog.String("table", e.TableName), slog.Any("error", mending))
		return false
	}
	s.o.Log.LogAttrs(ctx, slog.LevelWarn, "the sequence of a table's ids was behind its rows, as after a copy, and was moved past them",
		slog.String("table", e.TableName), slog.Int64("id", moved))
	return true
}

// codeNoConstraint says that there is no constraint that "on conflict" names.
const codeNoConstraint = "42P10"

// findNamesRepeat reports whether a transaction failed because no constraint
// keeps usernames unique, and has later ones do so themselves.
func (s *Store) findNamesRepeat(ctx context.Context, err error) bool {
	if code(err) != codeNoConstraint {
		return false
	}
	if !s.namesRepeat.Swap(true) {
		s.o.Log.LogAttrs(ctx, slog.LevelWarn, "auth_user has no unique constraint on username; registrations here look for the name first, but a Django may add it at the same moment: add the constraint again")
	}
	return true
}
