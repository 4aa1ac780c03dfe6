package auth

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/ratelog"
)

// Columns is a set of columns of auth_user.
type Columns uint16

// The columns of auth_user.
const (
	ColumnID Columns = 1 << iota
	ColumnPassword
	ColumnLastLogin
	ColumnIsSuperuser
	ColumnUsername
	ColumnFirstName
	ColumnLastName
	ColumnEmail
	ColumnIsStaff
	ColumnIsActive
	ColumnDateJoined
)

var columnNames = []string{
	"id", "password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined",
}

// Names returns the names of the columns, nil for none.
func (c Columns) Names() []string {
	var names []string
	for i, name := range columnNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (c Columns) String() string { return strings.Join(c.Names(), ", ") }

// warnAgainAfter is how long nothing more is logged of the same value.
const warnAgainAfter = 10 * time.Minute

// OddRows logs which stored values can't be read. A store reports each row that
// it meets; a line is logged once in ten minutes for each value. The nil one
// logs nothing.
type OddRows struct {
	log   *slog.Logger
	lines *ratelog.Limiter
}

// NewOddRows returns an OddRows that warns in log; nil if that is nil.
func NewOddRows(log *slog.Logger) *OddRows {
	if log == nil {
		return nil
	}
	return &OddRows{log: log, lines: ratelog.New(warnAgainAfter, nil)}
}

// User reports the unreadable columns of a user, if there are any.
func (o *OddRows) User(u *User) {
	if u.Unreadable == 0 || o == nil {
		return
	}
	id := strconv.FormatInt(u.ID, 10)
	for _, column := range u.Unreadable.Names() {
		o.warn("auth_user", id, column, "unreadable value in the database: the user cannot log in; repair it with: postern users repair --id "+id)
	}
}

// Row reports an unreadable column of another table.
func (o *OddRows) Row(table, id, column string) {
	if o != nil {
		o.warn(table, id, column, "unreadable value in the database: it counts as empty; correct it in the table")
	}
}

func (o *OddRows) warn(table, id, column, message string) {
	ok, skipped := o.lines.Allow(table + " " + id + " " + column)
	if !ok {
		return
	}
	o.log.LogAttrs(context.Background(), slog.LevelWarn, message,
		slog.String("table", table), slog.String("id", id), slog.String("column", column), slog.Int("not_logged", skipped))
}
