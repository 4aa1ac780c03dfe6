package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

// Each names the users that one filter selects, by an index of its own. The
// orders are those of the indexes, so that no plan reads the table instead.
const (
	pickInactive    = `select id from auth_user where is_active is not true order by id limit $1::bigint`
	pickStaff       = `select id from auth_user where is_staff order by id limit $1::bigint`
	pickSuperusers  = `select id from auth_user where is_superuser order by id limit $1::bigint`
	pickGroup       = `select user_id from auth_user_groups where group_id = $2::bigint limit $1::bigint`
	pickAlgorithm   = `select id from auth_user where ` + algorithmOf + ` = $2::text limit $1::bigint`
	pickJoined      = `select id from auth_user where date_joined >= $2::timestamptz and date_joined < $3::timestamptz order by date_joined, id limit $1::bigint`
	pickLastLogin   = `select id from auth_user where last_login >= $2::timestamptz and last_login < $3::timestamptz order by last_login nulls first, id limit $1::bigint`
	pickNeverLogged = `select id from auth_user where last_login is null order by last_login nulls first, id limit $1::bigint`
	pickUsername    = `select id from auth_user where lower(username) collate "C" >= lower($2::text) collate "C" and lower(username) collate "C" < (lower($2::text) || ` + greatest + `) collate "C"
		order by lower(username) collate "C" limit $1::bigint`
	pickEmail = `select id from auth_user where lower(email) collate "C" >= lower($2::text) collate "C" and lower(email) collate "C" < (lower($2::text) || ` + greatest + `) collate "C"
		order by lower(email) collate "C" limit $1::bigint`
	pickFirstName = `select id from auth_user where first_name <> '' and lower(first_name) collate "C" >= lower($2::text) collate "C" and lower(first_name) collate "C" < (lower($2::text) || ` + greatest + `) collate "C"
		order by lower(first_name) collate "C" limit $1::bigint`
	pickLastName = `select id from auth_user where last_name <> '' and lower(last_name) collate "C" >= lower($2::text) collate "C" and lower(last_name) collate "C" < (lower($2::text) || ` + greatest + `) collate "C"
		order by lower(last_name) collate "C" limit $1::bigint`
)

// The times that PostgreSQL's own range ends before, or after.
var (
	firstTime = time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(250_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// pick is a filter that may select few.
type pick struct {
	queries []string // whose results it selects together
	args    []any
}

// picks are the filters of a list that may select few, those first that are
// likely to. The range of the order itself needs none: it is read as such.
func picks(l *auth.UserList, words []auth.SearchWord) []pick {
	var all []pick
	add := func(is bool, query string, args ...any) {
		if is {
			all = append(all, pick{[]string{query}, args})
		}
	}
	for _, word := range words {
		if !word.Anywhere {
			queries := []string{pickUsername, pickEmail, pickFirstName, pickLastName}
			all = append(all, pick{queries, []any{word.Text}})
		}
	}
	add(l.Superuser != nil && *l.Superuser, pickSuperusers)
	add(l.Staff != nil && *l.Staff, pickStaff)
	add(l.Active != nil && !*l.Active, pickInactive)
	add(l.Group != 0, pickGroup, l.Group)
	add(l.Algorithm != "", pickAlgorithm, l.Algorithm)
	between := func(sort auth.UserSort, query string, from, to time.Time) {
		is := l.Sort != sort && !(from.IsZero() && to.IsZero())
		if from.IsZero() {
			from = firstTime
		}
		if to.IsZero() {
			to = lastTime
		}
		add(is, query, micros(from), micros(to))
	}
	between(auth.ByJoined, pickJoined, l.JoinedFrom, l.JoinedTo)
	between(auth.ByLastLogin, pickLastLogin, l.LastLoginFrom, l.LastLoginTo)
	add(l.NeverLoggedIn && l.Sort != auth.ByLastLogin, pickNeverLogged)
	return all
}

// pickUsers reads the ids that the first filter selects which selects few. If
// none does and there is a search, a list in the order of a column that is
// searched is narrowed to that column: what matches others would be too far
// apart in this order.
func (r *reading) pickUsers() error {
	for _, p := range picks(r.UserList, r.words) {
		ids, few, err := r.pickFew(p)
		if err != nil {
			return err
		}
		if few {
			r.picked = ids
			return nil
		}
	}
	bySearched := r.Sort == auth.ByUsername || r.Sort == auth.ByEmail
	r.narrowed = bySearched && len(r.words) > 0 && !r.words[0].Anywhere
	return nil
}

// pickFew reads what a filter selects; false if that is not few.
func (r *reading) pickFew(p pick) (ids []int64, few bool, err error) {
	ids = []int64{}
	seen := make(map[int64]bool)
	for _, query := range p.queries {
		read := 0
		err := r.each(query, append([]any{r.reach.pick + 1}, p.args...), func(row pgx.Row) error {
			var id int64
			if err := row.Scan(&id); err != nil {
				return err
			}
			if read++; !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil || read > r.reach.pick || len(ids) > r.reach.pick {
			return nil, false, err
		}
	}
	return ids, true, nil
}
