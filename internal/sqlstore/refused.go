package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postern-auth/postern/internal/auth"
)

// SQLite names what is broken in its message only: the columns of a unique
// index or its name, the column that may not be NULL, the name or the text of
// a check.
var ruleText = regexp.MustCompile(`(UNIQUE|NOT NULL|CHECK) constraint failed: (.*?)(?: \(\d+\))?$`)

const (
	selectRuleSQL = `select group_concat(sql, char(10)) from sqlite_master where name = $1 or name = 'auth_user' and instr(sql, $1) > 0`
	triggerCode   = sqlite3.SQLITE_CONSTRAINT_TRIGGER
)

// refused turns the error of a rule that somebody added to auth_user into
// auth.ErrUsernameTaken or *auth.RefusedError. Other errors stay as they are.
func (s *Store) refused(ctx context.Context, err error) error {
	if resultCode(err) != sqlite3.SQLITE_CONSTRAINT {
		return err
	}
	found := ruleText.FindStringSubmatch(err.Error())
	if found == nil {
		if extendedCode(err) == triggerCode && !isForeignKeyViolation(err) {
			return auth.RefusedBy(auth.Rule{Name: "a trigger"})
		}
		return err
	}
	kind, about := found[1], found[2]
	rule := auth.Rule{Name: kind + " " + about, Unique: kind == "UNIQUE"}
	columns, isList := ruleColumns(about)
	if !isList {
		name := strings.TrimSuffix(strings.TrimPrefix(about, "index '"), "'")
		text, lookup := s.ruleSQL(ctx, name)
		if lookup != nil {
			return errors.Join(err, lookup)
		}
		columns = words(name + " " + definition(text, name))
	} else if len(columns) == 0 {
		return err // of another table
	}
	rule.Columns = columns
	return auth.RefusedBy(rule)
}

// ruleColumns reads "auth_user.email, auth_user.is_active". A list of the
// columns of another table gives none.
func ruleColumns(about string) (columns []string, isList bool) {
	for part := range strings.SplitSeq(about, ", ") {
		table, column, qualified := strings.Cut(part, ".")
		if !qualified || len(words(table)) != 1 {
			return nil, false
		}
		if table == "auth_user" {
			columns = append(columns, column)
		}
	}
	return columns, true
}

func (s *Store) ruleSQL(ctx context.Context, name string) (string, error) {
	var text *string
	if err := s.lists.row(ctx, selectRuleSQL, []any{name}).Scan(&text); err != nil {
		return "", fmt.Errorf("look for the rule %s: %w", name, err)
	}
	if text == nil {
		return "", nil
	}
	return *text, nil
}

// definition is what follows a name up to the end of its parentheses.
func definition(text, name string) string {
	_, rest, _ := strings.Cut(text, name)
	depth := 0
	for i, c := range rest {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth <= 0 {
				return rest[:i]
			}
		}
	}
	return rest
}

var word = regexp.MustCompile(`\w+`)

// words are those that may be names of columns.
func words(text string) []string { return word.FindAllString(strings.ToLower(text), -1) }
