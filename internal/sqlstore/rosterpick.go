package sqlstore

import (
	"context"

	"github.com/postern-auth/postern/internal/auth"
)

// Each names the users that one filter selects, by an index of its own.
const (
	pickInactive    = `select id from auth_user where is_active is not 1 limit $1`
	pickStaff       = `select id from auth_user where is_staff limit $1`
	pickSuperusers  = `select id from auth_user where is_superuser limit $1`
	pickGroup       = `select user_id from auth_user_groups where group_id = $2 limit $1`
	pickAlgorithm   = `select id from auth_user where ` + algorithmOf + ` = $2 limit $1`
	pickJoined      = `select id from auth_user where date_joined >= $2 and date_joined < $3 limit $1`
	pickLastLogin   = `select id from auth_user where last_login >= $2 and last_login < $3 limit $1`
	pickNeverLogged = `select id from auth_user where last_login is null limit $1`
	pickUsername    = `select id from auth_user where username collate nocase >= $2 and username collate nocase < $3 limit $1`
	pickEmail       = `select id from auth_user where email collate nocase >= $2 and email collate nocase < $3 limit $1`
	pickFirstName   = `select id from auth_user where first_name <> '' and first_name collate nocase >= $2 and first_name collate nocase < $3 limit $1`
	pickLastName    = `select id from auth_user where last_name <> '' and last_name collate nocase >= $2 and last_name collate nocase < $3 limit $1`
)

// A text of date and time is between these.
const (
	firstTime = "0"
	lastTime  = ":"
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
			all = append(all, pick{queries, []any{word.Text, word.Beyond()}})
		}
	}
	add(l.Superuser != nil && *l.Superuser, pickSuperusers)
	add(l.Staff != nil && *l.Staff, pickStaff)
	add(l.Active != nil && !*l.Active, pickInactive)
	add(l.Group != 0, pickGroup, l.Group)
	add(l.Algorithm != "", pickAlgorithm, l.Algorithm)
	between := func(sort auth.UserSort, query string, from, to string) {
		if from == "" {
			from = firstTime
		}
		if to == "" {
			to = lastTime
		}
		add(l.Sort != sort && (from != firstTime || to != lastTime), query, from, to)
	}
	between(auth.ByJoined, pickJoined, nullTime(l.JoinedFrom).String, nullTime(l.JoinedTo).String)
	between(auth.ByLastLogin, pickLastLogin, nullTime(l.LastLoginFrom).String, nullTime(l.LastLoginTo).String)
	add(l.NeverLoggedIn && l.Sort != auth.ByLastLogin, pickNeverLogged)
	return all
}

// pickUsers reads the ids that the first filter selects which selects few. If
// none does and there is a search, a list in the order of a column that is
// searched is narrowed to that column: what matches others would be too far
// apart in this order.
func (s *Store) pickUsers(ctx context.Context, r *reading) error {
	for _, p := range picks(r.UserList, r.words) {
		ids, few, err := s.pickFew(ctx, p)
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
func (s *Store) pickFew(ctx context.Context, p pick) (ids []int64, few bool, err error) {
	ids = []int64{}
	seen := make(map[int64]bool)
	for _, query := range p.queries {
		read := 0
		err := s.lists.each(ctx, query, append([]any{s.reach.pick + 1}, p.args...), func(row scanner) error {
			var found value
			if err := row.Scan(&found); err != nil {
				return err
			}
			id, ok := found.int()
			if read++; ok && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil || read > s.reach.pick || len(ids) > s.reach.pick {
			return nil, false, err
		}
	}
	return ids, true, nil
}
