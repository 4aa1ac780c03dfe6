package pgstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.Roster = (*Store)(nil)

// reach bounds what one list reads.
type reach struct {
	// A filter that selects at most so many users is read first, and what it
	// selects is then sorted. Others are met often on the way along the order.
	pick int
	// walk is how many rows are looked at along the order for one page.
	walk int
}

var defaultReach = reach{pick: 5000, walk: 10_000}

// ListUsers implements auth.Roster.
func (s *Store) ListUsers(ctx context.Context, l auth.UserList) (*auth.UserPage, error) {
	l.Limit = auth.PageLimit(l.Limit)
	page, err := s.listUsers(ctx, &l)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return page, nil
}

// CountUsers implements auth.Roster.
func (s *Store) CountUsers(ctx context.Context, l auth.UserList) (auth.Count, error) {
	l.Limit, l.Place = auth.MaxCounted, ""
	page, err := s.listUsers(ctx, &l)
	if err != nil {
		return auth.Count{}, fmt.Errorf("count users: %w", err)
	}
	return auth.Count{N: len(page.Users), More: page.Next != ""}, nil
}

// listed is a user on a list; null says that what sorts the list is NULL.
type listed struct {
	user auth.User
	null bool
}

// reading is a list of users on its way.
type reading struct {
	*auth.UserList
	*listing
	store    *Store
	reach    reach
	words    []auth.SearchWord
	place    *auth.Place
	at       *userPlace // of place
	nullsAt  bool       // place is among the NULLs
	down     bool
	narrowed bool
	picked   []int64 // nil: not picked
	rows     []listed
	stopped  *auth.Place
}

func (s *Store) listUsers(ctx context.Context, l *auth.UserList) (*auth.UserPage, error) {
	r := &reading{UserList: l, store: s, reach: s.reach}
	var possible bool
	if r.words, possible = auth.SearchWords(l.Search); !possible || !isText(l.Algorithm) {
		return &auth.UserPage{}, nil
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	err := s.listing(ctx, func(t *listing) error {
		r.listing = t
		return r.read()
	})
	if code(err) == codeUnstorable { // no user has what the database can't store
		return &auth.UserPage{}, nil
	}
	if err != nil {
		return nil, err
	}
	return r.page(), nil
}

// read reads a page.
func (r *reading) read() error {
	if err := r.pickUsers(); err != nil {
		return err
	}
	for _, part := range r.stretches() {
		if err := r.readUsers(part); err != nil {
			return err
		}
		if len(r.rows) > r.Limit || r.stopped != nil {
			break
		}
	}
	return nil
}

// begin finds the place to read from and the direction to read in.
func (r *reading) begin() (err error) {
	if r.Sort < auth.ByID || r.Sort > auth.ByLastLogin {
		return auth.ErrBadPlace
	}
	r.down = r.Descending
	if r.place, err = auth.ParsePlace(r.Place, r.Name()); err != nil || r.place == nil {
		return err
	}
	r.down = r.Descending != r.place.Before
	r.at = new(userPlace)
	if r.at.id, err = r.place.Number(); err != nil {
		return err
	}
	if r.at.byRow = r.place.ByRow; r.at.byRow {
		return nil
	}
	order := userOrders[r.Sort]
	r.nullsAt = order.key != "" && r.place.Key == nil
	if order.key == "" || r.nullsAt {
		return nil
	}
	r.at.key = *r.place.Key
	if r.Sort == auth.ByJoined || r.Sort == auth.ByLastLogin {
		if r.at.key, err = time.Parse(time.RFC3339Nano, *r.place.Key); err != nil {
			return auth.ErrBadPlace
		}
	}
	return nil
}

// stretches are the parts of the order to be read, in the direction of
// reading. NULL comes before everything else, in columns too where Django
// allows none.
func (r *reading) stretches() []stretch {
	keyed := stretch{order: userOrders[r.Sort], down: r.down}
	least, beyond := bounds(r.UserList)
	if r.narrowed {
		least, beyond = r.words[0].Text, beyondPrefix(r.words[0].Text)
	}
	keyed.from, keyed.to = least, beyond
	if r.down {
		keyed.from, keyed.to = beyond, least
	}
	if !r.nullsAt {
		keyed.after = r.at
	}
	if keyed.order.key == "" {
		return []stretch{keyed}
	}
	nulls := stretch{order: keyed.order, down: r.down, nulls: true}
	if r.nullsAt {
		nulls.after = r.at
	}
	parts := []stretch{nulls, keyed}
	if r.down {
		slices.Reverse(parts)
	}
	if r.at != nil && r.nullsAt == r.down { // the place is in the second part
		parts = parts[1:]
	}
	return slices.DeleteFunc(parts, func(p stretch) bool {
		return p.nulls && (least != nil || beyond != nil) || !p.nulls && r.NeverLoggedIn && r.Sort == auth.ByLastLogin
	})
}

// isFiltered reports whether users along the order may have to be passed over.
func (r *reading) isFiltered() bool {
	return len(r.words) > 0 || r.Active != nil || r.Staff != nil || r.Superuser != nil ||
		!r.JoinedFrom.IsZero() || !r.JoinedTo.IsZero() || !r.LastLoginFrom.IsZero() || !r.LastLoginTo.IsZero() ||
		r.NeverLoggedIn || r.Algorithm != "" || r.Group != 0
}

// readUsers reads a stretch until there are enough rows.
func (r *reading) readUsers(part stretch) error {
	var stop *auth.User
	if r.picked == nil && r.isFiltered() {
		var err error
		if stop, err = r.boundary(&part); err != nil {
			return err
		}
	}
	if stop != nil {
		part.through = &userPlace{id: stop.ID, byRow: true}
	}
	if err := r.readRange(&part); err != nil {
		return err
	}
	if stop != nil && len(r.rows) <= r.Limit {
		r.stopped = r.placeOf(listed{*stop, part.nulls})
	}
	return nil
}

// boundary is where a walk along a stretch is given up; nil if the stretch
// ends before. Only the id is looked for along the index.
func (r *reading) boundary(part *stretch) (u *auth.User, err error) {
	where, args := part.where(1)
	query := "select u.id from auth_user u where " + where + part.orderBy() + fmt.Sprintf(" limit 1 offset $%d::bigint", len(args)+1)
	query = "select " + userColumns + " from auth_user u where u.id = (" + query + ")"
	err = r.one(query, append(args, r.reach.walk-1), func(row pgx.Row) (err error) {
		u, err = r.store.scanUser(row)
		return err
	})
	if isNoRow(err) {
		return nil, nil
	}
	return u, err
}

const (
	rosterTable = ` from auth_user u where `
	// What was picked is read before it is sorted, and not along an index.
	rosterPicked = `with picked as materialized (select * from auth_user where id = any($17::bigint[])) select ` + userColumns + ` from picked u where `
)

// readRange reads what the list selects of a range.
func (r *reading) readRange(part *stretch) error {
	var args []any
	query := "select " + userColumns + rosterTable
	if r.isFiltered() {
		args = filterArgs(r.UserList, r.words)
	}
	if r.picked != nil {
		query, args = rosterPicked, append(args, r.picked)
	}
	if r.isFiltered() {
		query += rosterFilters + " and "
	}
	condition, rangeArgs := part.where(len(args) + 1)
	args = append(args, rangeArgs...)
	query += condition + part.orderBy() + fmt.Sprintf(" limit $%d::bigint", len(args)+1)
	return r.each(query, append(args, r.Limit+1-len(r.rows)), func(row pgx.Row) error {
		u, err := r.store.scanUser(row)
		if err != nil {
			return err
		}
		r.rows = append(r.rows, listed{*u, part.nulls})
		return nil
	})
}

func (r *reading) placeOf(l listed) *auth.Place {
	p := &auth.Place{List: r.Name(), ID: strconv.FormatInt(l.user.ID, 10)}
	if !l.null {
		setKey(p, &l.user, r.Sort)
	}
	return p
}

func (r *reading) page() *auth.UserPage {
	turned := auth.Turned[listed]{Rows: r.rows, Limit: r.Limit, From: r.place, Stopped: r.stopped, At: r.placeOf}
	page := &auth.UserPage{Partial: r.stopped != nil, Narrowed: r.narrowed}
	var rows []listed
	rows, page.Next, page.Previous = turned.Page()
	page.Users = make([]auth.User, len(rows))
	for i := range rows {
		page.Users[i] = rows[i].user
	}
	return page
}
