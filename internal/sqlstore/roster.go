package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

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

// listed is a user and its place in the list.
type listed struct {
	user auth.User
	key  value // that the list is sorted by
}

// reading is a list of users on its way.
type reading struct {
	*auth.UserList
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
	r := &reading{UserList: l}
	var possible bool
	if r.words, possible = auth.SearchWords(l.Search); !possible {
		return &auth.UserPage{}, nil
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := s.pickUsers(ctx, r); err != nil {
		return nil, err
	}
	for _, part := range r.stretches() {
		if err := s.readUsers(ctx, r, part); err != nil {
			return nil, err
		}
		if len(r.rows) > l.Limit || r.stopped != nil {
			break
		}
	}
	return r.page(), nil
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
	r.at.byRow = r.place.ByRow
	if r.place.Key != nil {
		r.at.key = *r.place.Key
	}
	r.nullsAt = userOrders[r.Sort].key != "" && r.place.Key == nil && !r.place.ByRow
	return nil
}

// stretches are the parts of the order to be read, in the direction of
// reading. NULL comes before everything else, in columns too where Django
// allows none.
func (r *reading) stretches() []stretch {
	keyed := stretch{order: userOrders[r.Sort], down: r.down}
	least, beyond := bounds(r.UserList)
	if r.narrowed {
		word := r.words[0]
		end := word.Beyond()
		least, beyond = &word.Text, &end
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
func (s *Store) readUsers(ctx context.Context, r *reading, part stretch) error {
	walks := r.picked == nil && r.isFiltered()
	var stop *userPlace
	if walks {
		var err error
		if stop, err = s.boundary(ctx, &part); err != nil {
			return err
		}
		part.through = stop
	}
	if err := s.readRange(ctx, r, &part); err != nil {
		return err
	}
	if stop != nil && len(r.rows) <= r.Limit {
		r.stopped = &auth.Place{List: r.Name(), ID: strconv.FormatInt(stop.id, 10), ByRow: stop.byRow}
		if part.order.key != "" && !part.nulls && !stop.byRow {
			r.stopped.Key = &stop.key
		}
	}
	return nil
}

// boundary is where a walk along a stretch is given up; nil if the stretch
// ends before.
func (s *Store) boundary(ctx context.Context, part *stretch) (*userPlace, error) {
	key := "''"
	if part.order.key != "" && !part.nulls {
		key = "+" + part.order.column
	}
	where, args := part.where(1)
	query := "select " + key + ", u.id from auth_user u where " + where + part.orderBy() +
		fmt.Sprintf(" limit 1 offset $%d", len(args)+1)
	row, err := scanRow(s.lists.row(ctx, query, append(args, s.reach.walk-1)), 2)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var place auth.Place
	setKey(&place, row.values[0])
	p := userPlace{id: row.int(1), byRow: place.ByRow}
	if place.Key != nil {
		p.key = *place.Key
	}
	return &p, nil
}

const (
	rosterTable = ` from auth_user u where `
	// The order of a cross join is SQLite's to keep: the users that were
	// picked, and not all along an index.
	rosterPicked = ` from json_each($17) p cross join auth_user u on u.id = p.value where `
)

// readRange reads what the list selects of a range.
func (s *Store) readRange(ctx context.Context, r *reading, part *stretch) error {
	var (
		args  []any
		where string
		from  = rosterTable
	)
	if r.isFiltered() {
		args, where = filterArgs(r.UserList, r.words), rosterFilters+" and "
	}
	if r.picked != nil {
		ids, err := json.Marshal(r.picked)
		if err != nil {
			return err
		}
		args, from = append(args, string(ids)), rosterPicked
	}
	condition, rangeArgs := part.where(len(args) + 1)
	args = append(args, rangeArgs...)
	query := "select " + userColumns + from + where + condition + part.orderBy() + fmt.Sprintf(" limit $%d", len(args)+1)
	return s.lists.each(ctx, query, append(args, r.Limit+1-len(r.rows)), func(from scanner) error {
		row, err := scanRow(from, userColumnCount)
		if err != nil {
			return err
		}
		u := row.userAt(0)
		s.odd.User(&u)
		r.rows = append(r.rows, listed{u, row.rosterKey(r.Sort)})
		return nil
	})
}

// setKey sets a place's key; NULL is none. What is not a text is compared as
// something else, so it is read from its row again.
func setKey(p *auth.Place, key value) {
	switch v := key.v.(type) {
	case nil:
	case string:
		p.SetKey(v)
	default:
		p.ByRow = true
	}
}

func (r *reading) page() *auth.UserPage {
	turned := auth.Turned[listed]{
		Rows: r.rows, Limit: r.Limit, From: r.place, Stopped: r.stopped,
		At: func(l listed) *auth.Place {
			p := &auth.Place{List: r.Name(), ID: strconv.FormatInt(l.user.ID, 10)}
			setKey(p, l.key)
			return p
		},
	}
	page := &auth.UserPage{Partial: r.stopped != nil, Narrowed: r.narrowed}
	var rows []listed
	rows, page.Next, page.Previous = turned.Page()
	page.Users = make([]auth.User, len(rows))
	for i := range rows {
		page.Users[i] = rows[i].user
	}
	return page
}
