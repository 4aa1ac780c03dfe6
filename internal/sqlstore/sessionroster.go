package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.SessionRoster = (*Store)(nil)

const (
	// $1 to $4 are the range to be read, which bounds what is passed over. A
	// session without a readable place in the order is left for the sweep.
	sessionsLive = `typeof(s.created) = 'integer' and typeof(s.last_seen) = 'integer' and typeof(s.id) = 'blob' and length(s.id) = 32
		and s.expires > $6 and s.last_seen >= $7 and s.created >= $8 and ($9 = '' or s.address = $9)`
	sessionsOf = ` and s.user_id = $10`

	selectSessionPage = `select s.id, ` + sessionColumns + `, ` + userColumns + `
		from postern_session s join auth_user u on u.id = s.user_id where ` + sessionsLive
	byCreated     = ` and (s.created, s.id) < ($1, $2) and (s.created, s.id) >= ($3, $4) order by s.created desc, s.id desc limit $5`
	byCreatedBack = ` and (s.created, s.id) > ($1, $2) and (s.created, s.id) <= ($3, $4) order by s.created, s.id limit $5`
	bySeen        = ` and (s.last_seen, s.id) < ($1, $2) and (s.last_seen, s.id) >= ($3, $4) order by s.last_seen desc, s.id desc limit $5`
	bySeenBack    = ` and (s.last_seen, s.id) > ($1, $2) and (s.last_seen, s.id) <= ($3, $4) order by s.last_seen, s.id limit $5`

	selectSessionStop     = `select s.created, s.id from postern_session s where (s.created, s.id) < ($1, $2) and typeof(s.created) = 'integer' order by s.created desc, s.id desc limit 1 offset $3`
	selectSessionStopBack = `select s.created, s.id from postern_session s where (s.created, s.id) > ($1, $2) and typeof(s.created) = 'integer' order by s.created, s.id limit 1 offset $3`

	selectManySessions = `select count(*) from (select 1 from postern_session limit $1)`
	countLiveSessions  = `select count(*) from (select 1 from postern_session where expires > $1 limit $2)`
)

// sessionMark is a session's place among the sessions.
type sessionMark struct {
	at int64 // microseconds
	id []byte
}

// Before every session, and after every one: ids have 32 bytes.
var (
	firstMark = sessionMark{math.MinInt64, []byte{}}
	lastMark  = sessionMark{math.MaxInt64, []byte{}}
)

// ListSessions implements auth.SessionRoster.
func (s *Store) ListSessions(ctx context.Context, l auth.SessionList) (*auth.SessionPage, error) {
	l.Limit = auth.PageLimit(l.Limit)
	page, err := s.listSessions(ctx, &l)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return page, nil
}

func (s *Store) listSessions(ctx context.Context, l *auth.SessionList) (*auth.SessionPage, error) {
	place, err := auth.ParsePlace(l.Place, l.Name())
	if err != nil {
		return nil, err
	}
	back := place != nil && place.Before
	from, to := lastMark, firstMark
	if back {
		from, to = firstMark, lastMark
	}
	if place != nil {
		if from, err = markOf(place); err != nil {
			return nil, err
		}
	}
	turned := auth.Turned[auth.Identity]{Limit: l.Limit, From: place, At: func(i auth.Identity) *auth.Place {
		at := i.Session.Created
		if l.ByLastSeen {
			at = i.Session.LastSeen
		}
		return sessionMark{micros(at), i.Session.ID[:]}.place(l)
	}}
	stop, err := s.sessionStop(ctx, l, from, back)
	if err != nil {
		return nil, err
	}
	if stop != nil {
		to = *stop
	}
	if turned.Rows, err = s.readSessions(ctx, l, from, to, back); err != nil {
		return nil, err
	}
	if stop != nil && len(turned.Rows) <= l.Limit {
		turned.Stopped = stop.place(l)
	}
	page := &auth.SessionPage{Partial: turned.Stopped != nil}
	page.Identities, page.Next, page.Previous = turned.Page()
	return page, nil
}

func (m sessionMark) place(l *auth.SessionList) *auth.Place {
	at := strconv.FormatInt(m.at, 10)
	return &auth.Place{List: l.Name(), Key: &at, ID: hex.EncodeToString(m.id)}
}

func markOf(p *auth.Place) (m sessionMark, err error) {
	if p.Key == nil {
		return m, auth.ErrBadPlace
	}
	m.at, err = strconv.ParseInt(*p.Key, 10, 64)
	if err == nil {
		m.id, err = hex.DecodeString(p.ID)
	}
	if err != nil {
		return m, auth.ErrBadPlace
	}
	return m, nil
}

// sessionStop is where a walk along the sessions is given up; nil if it can't
// be too long. Those of one user are few, and there is no order of all by
// their last sign of life.
func (s *Store) sessionStop(ctx context.Context, l *auth.SessionList, from sessionMark, back bool) (*sessionMark, error) {
	if l.User != 0 {
		return nil, nil
	}
	if l.ByLastSeen {
		var n int
		if err := s.lists.row(ctx, selectManySessions, []any{auth.MaxCountedSessions + 1}).Scan(&n); err != nil {
			return nil, err
		}
		if n > auth.MaxCountedSessions {
			return nil, auth.ErrNotListed
		}
		return nil, nil
	}
	query := selectSessionStop
	if back {
		query = selectSessionStopBack
	}
	r, err := scanRow(s.lists.row(ctx, query, []any{from.at, from.id, s.reach.walk - 1}), 2)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &sessionMark{r.int(0), []byte(r.values[1].raw())}, nil
}

func (s *Store) readSessions(ctx context.Context, l *auth.SessionList, from, to sessionMark, back bool) ([]auth.Identity, error) {
	args := []any{
		from.at, from.id, to.at, to.id, l.Limit + 1,
		micros(l.Now), since(l.SeenSince), since(l.StartedSince), addressText(l.Address),
	}
	query := selectSessionPage
	if l.User != 0 {
		query, args = query+sessionsOf, append(args, l.User)
	}
	switch {
	case l.ByLastSeen && back:
		query += bySeenBack
	case l.ByLastSeen:
		query += bySeen
	case back:
		query += byCreatedBack
	default:
		query += byCreated
	}
	var identities []auth.Identity
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		i, err := s.scanIdentity(row)
		identities = append(identities, i)
		return err
	})
	return identities, err
}

// since is a time from which on all is meant, if it is zero.
func since(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return micros(t)
}

func (s *Store) scanIdentity(from scanner) (i auth.Identity, err error) {
	r, err := scanRow(from, len(sessionNames)+userColumnCount)
	if err != nil {
		return i, err
	}
	i.Session, i.User = r.session(), r.userAt(len(sessionNames))
	s.report(r, "postern_session", i.Session.ID.String()[:12], sessionNames...)
	s.odd.User(&i.User)
	return i, nil
}

// CountLive implements auth.SessionRoster. Sessions whose user is gone count
// until they are swept.
func (s *Store) CountLive(ctx context.Context, now time.Time) (auth.Count, error) {
	var n int
	if err := s.lists.row(ctx, countLiveSessions, []any{micros(now), auth.MaxCountedSessions + 1}).Scan(&n); err != nil {
		return auth.Count{}, fmt.Errorf("count the sessions: %w", err)
	}
	return auth.Count{N: min(n, auth.MaxCountedSessions), More: n > auth.MaxCountedSessions}, nil
}
