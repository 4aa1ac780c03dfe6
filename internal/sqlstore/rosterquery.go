package sqlstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// algorithmOf is the expression of the index postern_user_algorithm.
const algorithmOf = `case substr(password, 1, 1) when '!' then '!' else substr(password, 1, instr(password, '$') - 1) end`

// rosterFilters are the conditions of a list of users but its range, in the
// parameters $1 to $16. The plus signs keep SQLite from taking a filter for the
// range to be read, which is another one.
const rosterFilters = `($1 is null or (u.is_active is 1) = $1) and ($2 is null or (u.is_staff is 1) = $2) and ($3 is null or (u.is_superuser is 1) = $3)
	and ($4 is null or +u.date_joined >= $4) and ($5 is null or +u.date_joined < $5)
	and ($6 is null or +u.last_login >= $6) and ($7 is null or +u.last_login < $7) and ($8 = 0 or +u.last_login is null)
	and ($9 = '' or ` + algorithmOf + ` = $9)
	and ($10 = 0 or exists (select 1 from auth_user_groups g where g.user_id = u.id and g.group_id = $10))
	and ($11 = '' or ` + like11 + `) and ($12 = '' or ` + like12 + `) and ($13 = '' or ` + like13 + `)
	and ($14 = '' or ` + like14 + `) and ($15 = '' or ` + like15 + `) and ($16 = '' or ` + like16 + `)`

// One for each word of a search.
const (
	like11 = `u.username like $11 escape '\' or u.email like $11 escape '\' or u.first_name like $11 escape '\' or u.last_name like $11 escape '\'`
	like12 = `u.username like $12 escape '\' or u.email like $12 escape '\' or u.first_name like $12 escape '\' or u.last_name like $12 escape '\'`
	like13 = `u.username like $13 escape '\' or u.email like $13 escape '\' or u.first_name like $13 escape '\' or u.last_name like $13 escape '\'`
	like14 = `u.username like $14 escape '\' or u.email like $14 escape '\' or u.first_name like $14 escape '\' or u.last_name like $14 escape '\'`
	like15 = `u.username like $15 escape '\' or u.email like $15 escape '\' or u.first_name like $15 escape '\' or u.last_name like $15 escape '\'`
	like16 = `u.username like $16 escape '\' or u.email like $16 escape '\' or u.first_name like $16 escape '\' or u.last_name like $16 escape '\'`
)

// userOrder is what a list of users is sorted by, before the id.
type userOrder struct {
	key    string // an expression that an index is on; "" for the id alone
	column string // of which it is
}

var userOrders = map[auth.UserSort]userOrder{
	auth.ByID:        {},
	auth.ByUsername:  {key: `u.username collate nocase`, column: `u.username`},
	auth.ByEmail:     {key: `u.email collate nocase`, column: `u.email`},
	auth.ByJoined:    {key: `u.date_joined`, column: `u.date_joined`},
	auth.ByLastLogin: {key: `u.last_login`, column: `u.last_login`},
}

// userPlace is a row's place in the order of the list.
type userPlace struct {
	key   string // not if the order has no key, or it is NULL
	byRow bool   // the key is that of the row
	id    int64
}

// stretch is a part of the order that is read in one go: an index range, in
// which either all keys are NULL or none is.
type stretch struct {
	order userOrder
	nulls bool // the key is NULL
	down  bool // read from the greatest
	// Where it begins and ends in the direction of reading: at a key, or after
	// a row and with a row.
	from, to       *string
	after, through *userPlace
}

// where returns the condition of the stretch and its parameters, of which the
// first has the number first.
func (s *stretch) where(first int) (condition string, args []any) {
	next := func(arg any) string {
		args = append(args, arg)
		return fmt.Sprintf("$%d", first+len(args)-1)
	}
	var all []string
	keyed := s.order.key != "" && !s.nulls
	// Rows as values would not use an index with a collation of its own.
	row := func(p *userPlace, beyond, orAt string) {
		if keyed {
			key := ""
			if p.byRow {
				key = "(select " + s.order.column + " from auth_user u where u.id = " + next(p.id) + ")"
			} else {
				key = next(p.key)
			}
			all = append(all, fmt.Sprintf("%[1]s %[2]s= %[3]s and (%[1]s %[2]s %[3]s or u.id %[4]s %[5]s)", s.order.key, beyond, key, orAt, next(p.id)))
			return
		}
		all = append(all, fmt.Sprintf("u.id %s %s", orAt, next(p.id)))
	}
	if s.order.key != "" {
		null := " is null"
		if !s.nulls {
			null = " is not null"
		}
		all = append(all, s.order.key+null)
	}
	switch {
	case s.after != nil:
		row(s.after, edge(s.down, ">", "<"), edge(s.down, ">", "<"))
	case s.from != nil && keyed:
		all = append(all, s.order.key+edge(s.down, " >= ", " < ")+next(*s.from))
	}
	switch {
	case s.through != nil:
		row(s.through, edge(s.down, "<", ">"), edge(s.down, "<=", ">="))
	case s.to != nil && keyed:
		all = append(all, s.order.key+edge(s.down, " < ", " >= ")+next(*s.to))
	}
	if len(all) == 0 {
		return "true", nil
	}
	return strings.Join(all, " and "), args
}

func edge(down bool, up, other string) string {
	if down {
		return other
	}
	return up
}

// orderBy is the order of reading.
func (s *stretch) orderBy() string {
	direction := edge(s.down, "", " desc")
	if s.order.key == "" || s.nulls {
		return " order by u.id" + direction
	}
	return " order by " + s.order.key + direction + ", u.id" + direction
}

// rosterKey is what a list is sorted by, of a row on its way out.
func (r *row) rosterKey(sort auth.UserSort) value {
	switch sort {
	case auth.ByUsername:
		return r.values[1]
	case auth.ByEmail:
		return r.values[2]
	case auth.ByJoined:
		return r.values[10]
	case auth.ByLastLogin:
		return r.values[9]
	}
	return value{}
}

// filterArgs are the parameters of rosterFilters.
func filterArgs(l *auth.UserList, words []auth.SearchWord) []any {
	args := []any{
		optional(l.Active), optional(l.Staff), optional(l.Superuser),
		nullTime(l.JoinedFrom), nullTime(l.JoinedTo), nullTime(l.LastLoginFrom), nullTime(l.LastLoginTo),
		l.NeverLoggedIn, l.Algorithm, l.Group,
	}
	for i := range auth.MaxSearchWords {
		pattern := ""
		if i < len(words) {
			pattern = words[i].Pattern()
		}
		args = append(args, pattern)
	}
	return args
}

func optional(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

// bounds are the range of keys that a list is in, if it is one of its order.
func bounds(l *auth.UserList) (least, beyond *string) {
	text := func(t time.Time) *string {
		if t.IsZero() {
			return nil
		}
		s := djangoTime(t)
		return &s
	}
	switch l.Sort {
	case auth.ByJoined:
		return text(l.JoinedFrom), text(l.JoinedTo)
	case auth.ByLastLogin:
		return text(l.LastLoginFrom), text(l.LastLoginTo)
	}
	return nil, nil
}
