package pgstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// algorithmOf is the expression of the index postern_user_algorithm.
const algorithmOf = `case when left(password, 1) = '!' then '!' when strpos(password, '$') = 0 then '' else split_part(password, '$', 1) end`

// rosterFilters are the conditions of a list of users but its range, in the
// parameters $1 to $16.
const rosterFilters = `($1::boolean is null or (u.is_active is true) = $1) and ($2::boolean is null or (u.is_staff is true) = $2)
	and ($3::boolean is null or (u.is_superuser is true) = $3)
	and ($4::timestamptz is null or u.date_joined >= $4) and ($5::timestamptz is null or u.date_joined < $5)
	and ($6::timestamptz is null or u.last_login >= $6) and ($7::timestamptz is null or u.last_login < $7)
	and (not $8::boolean or u.last_login is null)
	and ($9::text = '' or ` + algorithmOf + ` = $9)
	and ($10::bigint = 0 or exists (select 1 from auth_user_groups g where g.user_id = u.id and g.group_id = $10))
	and ($11::text = '' or ` + like11 + `) and ($12::text = '' or ` + like12 + `) and ($13::text = '' or ` + like13 + `)
	and ($14::text = '' or ` + like14 + `) and ($15::text = '' or ` + like15 + `) and ($16::text = '' or ` + like16 + `)`

// One for each word of a search. A like of what is in lower case already takes
// half the time of an ilike.
const (
	like11 = `lower(u.username) like lower($11) or lower(u.email) like lower($11) or lower(u.first_name) like lower($11) or lower(u.last_name) like lower($11)`
	like12 = `lower(u.username) like lower($12) or lower(u.email) like lower($12) or lower(u.first_name) like lower($12) or lower(u.last_name) like lower($12)`
	like13 = `lower(u.username) like lower($13) or lower(u.email) like lower($13) or lower(u.first_name) like lower($13) or lower(u.last_name) like lower($13)`
	like14 = `lower(u.username) like lower($14) or lower(u.email) like lower($14) or lower(u.first_name) like lower($14) or lower(u.last_name) like lower($14)`
	like15 = `lower(u.username) like lower($15) or lower(u.email) like lower($15) or lower(u.first_name) like lower($15) or lower(u.last_name) like lower($15)`
	like16 = `lower(u.username) like lower($16) or lower(u.email) like lower($16) or lower(u.first_name) like lower($16) or lower(u.last_name) like lower($16)`
)

// userOrder is what a list of users is sorted by, before the id.
type userOrder struct {
	key   string // an expression that an index is on; "" for the id alone
	param string // a parameter, %s, as such a key
	nulls string // how the index orders NULL, if not as PostgreSQL does
}

var userOrders = map[auth.UserSort]userOrder{
	auth.ByID:        {},
	auth.ByUsername:  {key: `lower(u.username) collate "C"`, param: `lower(%s::text) collate "C"`},
	auth.ByEmail:     {key: `lower(u.email) collate "C"`, param: `lower(%s::text) collate "C"`},
	auth.ByJoined:    {key: `u.date_joined`, param: `%s::timestamptz`},
	auth.ByLastLogin: {key: `u.last_login`, param: `%s::timestamptz`, nulls: ` nulls first`},
}

// greatest is a text that in no database a text goes beyond, byte by byte: one
// that every encoding has there is none.
const greatest = `convert_from(case when getdatabaseencoding() = 'UTF8' then '\xf48fbfbf'::bytea when getdatabaseencoding() like 'EUC%' then '\xfefefefe' else '\xffffffff' end, getdatabaseencoding())`

// beyondPrefix is a key greater than every one that begins with the text.
type beyondPrefix string

// userPlace is a row's place in the order of the list.
type userPlace struct {
	key   any  // a text or a time; nil if the order has no key, or it is NULL
	byRow bool // the key is that of the row
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
	from, to       any
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
	key := func(arg any) string {
		if prefix, ok := arg.(beyondPrefix); ok {
			return `(lower(` + next(string(prefix)) + `::text) || ` + greatest + `) collate "C"`
		}
		return fmt.Sprintf(s.order.param, next(arg))
	}
	row := func(p *userPlace, op string) {
		switch {
		case keyed && p.byRow:
			id := next(p.id)
			all = append(all, fmt.Sprintf("(%[1]s, u.id) %[2]s ((select %[1]s from auth_user u where u.id = %[3]s::bigint), %[3]s::bigint)", s.order.key, op, id))
			return
		case keyed:
			all = append(all, fmt.Sprintf("(%s, u.id) %s (%s, %s::bigint)", s.order.key, op, key(p.key), next(p.id)))
			return
		}
		all = append(all, fmt.Sprintf("u.id %s %s::bigint", op, next(p.id)))
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
		row(s.after, edge(s.down, ">", "<"))
	case s.from != nil && keyed:
		all = append(all, s.order.key+edge(s.down, " >= ", " < ")+key(s.from))
	}
	switch {
	case s.through != nil:
		row(s.through, edge(s.down, "<=", ">="))
	case s.to != nil && keyed:
		all = append(all, s.order.key+edge(s.down, " < ", " >= ")+key(s.to))
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

// orderBy is the order of reading, in the words of the index: who never logged
// in comes first.
func (s *stretch) orderBy() string {
	direction := edge(s.down, "", " desc")
	if s.order.key == "" {
		return " order by u.id" + direction
	}
	nulls := s.order.nulls
	if nulls != "" && s.down {
		nulls = " nulls last"
	}
	return " order by " + s.order.key + direction + nulls + ", u.id" + direction
}

// setKey sets a place's key to what a list is sorted by, of a user for whom it
// is not NULL.
func setKey(p *auth.Place, u *auth.User, sort auth.UserSort) {
	text, at := "", time.Time{}
	switch sort {
	case auth.ByID:
		return
	case auth.ByUsername:
		text = u.Username
	case auth.ByEmail:
		text = u.Email
	case auth.ByJoined:
		at = u.DateJoined
	case auth.ByLastLogin:
		at = u.LastLogin
	}
	if sort == auth.ByJoined || sort == auth.ByLastLogin {
		text = timeKey(at)
	}
	if p.SetKey(text); u.Unreadable != 0 { // the key may read as empty
		p.Key, p.ByRow = nil, true
	}
}

func timeKey(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// filterArgs are the parameters of rosterFilters.
func filterArgs(l *auth.UserList, words []auth.SearchWord) []any {
	args := []any{
		l.Active, l.Staff, l.Superuser,
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

// bounds are the range of keys that a list is in, if it is one of its order.
func bounds(l *auth.UserList) (least, beyond any) {
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return micros(t)
	}
	switch l.Sort {
	case auth.ByJoined:
		return at(l.JoinedFrom), at(l.JoinedTo)
	case auth.ByLastLogin:
		return at(l.LastLoginFrom), at(l.LastLoginTo)
	}
	return nil, nil
}
