package pgstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.SessionRoster = (*Store)(nil)

const (
	// $1 to $4 are the range to be read, which bounds what is passed over.
	// A session without a place that Go can name is left for the sweep.
	sessionsLive = `isfinite(s.created) and isfinite(s.last_seen) and octet_length(s.id) = 32 and s.expires > $6::timestamptz and s.last_seen >= $7::timestamptz and s.created >= $8::timestamptz and ($9::text = '' or s.address = $9)`
	sessionsOf   = ` and s.user_id = $10::bigint`

	selectSessionPage = `select s.id, ` + sessionColumns + `, ` + userColumns + `
		from postern_session s join auth_user u on u.id = s.user_id where ` + sessionsLive
	byCreated     = ` and (s.created, s.id) < ($1::timestamptz, $2::bytea) and (s.created, s.id) >= ($3::timestamptz, $4::bytea) order by s.created desc, s.id desc limit $5::bigint`
	byCreatedBack = ` and (s.created, s.id) > ($1::timestamptz, $2::bytea) and (s.created, s.id) <= ($3::timestamptz, $4::bytea) order by s.created, s.id limit $5::bigint`
	bySeen        = ` and (s.last_seen, s.id) < ($1::timestamptz, $2::bytea) and (s.last_seen, s.id) >= ($3::timestamptz, $4::bytea) order by s.last_seen desc, s.id desc limit $5::bigint`
	bySeenBack    = ` and (s.last_seen, s.id) > ($1::timestamptz, $2::bytea) and (s.last_seen, s.id) <= ($3::timestamptz, $4::bytea) order by s.last_seen, s.id limit $5::bigint`

	selectSessionStop     = `select s.created, s.id from postern_session s where (s.created, s.id) < ($1::timestamptz, $2::bytea) and isfinite(s.created) order by s.created desc, s.id desc limit 1 offset $3::bigint`
	selectSessionStopBack = `select s.created, s.id from postern_session s where (s.created, s.id) > ($1::timestamptz, $2::bytea) and isfinite(s.created) order by s.created, s.id limit 1 offset $3::bigint`

	selectManySessions = `select count(*) from (select 1 from postern_session limit $1::bigint) s`
	countLiveSessions  = `select count(*) from (select 1 from postern_session where expires > $1::timestamptz limit $2::bigint) s`
)

// sessionMark is a session's place among the sessions.
type sessionMark struct {
	at time.Time
	id []byte
}

// Before every session, and after every one: ids have 32 bytes.
var (
	firstMark = sessionMark{firstTime, []byte{}}
	lastMark  = sessionMark{lastTime, []byte{}}
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
	var stop *sessionMark
	err = s.listing(ctx, func(t *listing) (err error) {
		if stop, err = s.sessionStop(t, l, from, back); err != nil {
			return err
		}
		if stop != nil {
			to = *stop
		}
		turned.Rows, err = s.readSessions(t, l, from, to, back)
		return err
	})
	if err != nil {
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
	at := timeKey(m.at)
	return &auth.Place{List: l.Name(), Key: &at, ID: hex.EncodeToString(m.id)}
}

func markOf(p *auth.Place) (m sessionMark, err error) {
	if p.Key == nil {
		return m, auth.ErrBadPlace
	}
	m.at, err = time.Parse(time.RFC3339Nano, *p.Key)
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
func (s *Store) sessionStop(t *listing, l *auth.SessionList, from sessionMark, back bool) (*sessionMark, error) {
	if l.User != 0 {
		return nil, nil
	}
	if l.ByLastSeen {
		var n int
		err := t.one(selectManySessions, []any{auth.MaxCountedSessions + 1}, func(row pgx.Row) error { return row.Scan(&n) })
		if err != nil {
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
	var m sessionMark
	err := t.one(query, []any{from.at, from.id, s.reach.walk - 1}, func(row pgx.Row) error { return row.Scan(&m.at, &m.id) })
	if isNoRow(err) {
		return nil, nil
	}
	return &m, err
}

func (s *Store) readSessions(t *listing, l *auth.SessionList, from, to sessionMark, back bool) ([]auth.Identity, error) {
	args := []any{
		from.at, from.id, to.at, to.id, l.Limit + 1,
		micros(l.Now), since(l.SeenSince), since(l.StartedSince), addressText(&auth.Session{Address: l.Address}),
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
	err := t.each(query, args, func(row pgx.Row) error {
		i, err := s.scanIdentity(row)
		identities = append(identities, i)
		return err
	})
	return identities, err
}

// since is a time from which on all is meant, if it is zero.
func since(t time.Time) time.Time {
	if t.IsZero() {
		return firstTime
	}
	return micros(t)
}

func (s *Store) scanIdentity(row pgx.Row) (i auth.Identity, err error) {
	var id []byte
	session, user := sessionRow{Session: &i.Session}, userRow{User: &i.User}
	if err := row.Scan(append(append([]any{&id}, session.fields()...), user.fields()...)...); err != nil {
		return i, err
	}
	copy(i.Session.ID[:], id)
	s.report(session.finish())
	user.finish()
	s.odd.User(&i.User)
	return i, nil
}

// CountLive implements auth.SessionRoster. Sessions whose user is gone count
// until they are swept.
func (s *Store) CountLive(ctx context.Context, now time.Time) (auth.Count, error) {
	var n int
	err := s.row(ctx, countLiveSessions, []any{micros(now), auth.MaxCountedSessions + 1}, func(row pgx.Row) error { return row.Scan(&n) })
	if err != nil {
		return auth.Count{}, fmt.Errorf("count the sessions: %w", err)
	}
	return auth.Count{N: min(n, auth.MaxCountedSessions), More: n > auth.MaxCountedSessions}, nil
}
