package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.SessionRoster = (*Store)(nil)

// ListSessions implements auth.SessionRoster. The servers keep no order of all
// sessions: those of all users are listed while they are at most
// auth.MaxCountedSessions, and ErrNotListed is returned when they are more.
func (s *Store) ListSessions(ctx context.Context, l auth.SessionList) (*auth.SessionPage, error) {
	place, err := auth.ParsePlace(l.Place, l.Name())
	if err != nil {
		return nil, err
	}
	var from *mark
	if place != nil {
		if from, err = markOf(place); err != nil {
			return nil, err
		}
	}
	sessions, err := s.selected(ctx, &l)
	if err != nil {
		if errors.Is(err, auth.ErrNotListed) {
			return nil, err
		}
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	if l.Limit <= 0 || l.Limit > auth.MaxPage {
		l.Limit = defaultLimit
	}
	first, last := cutOut(sessions, &l, from, place != nil && place.Before)
	page := &auth.SessionPage{}
	if first > 0 && last > first {
		page.Previous = newMark(&sessions[first], &l).place(&l, true)
	}
	if last < len(sessions) && last > first {
		page.Next = newMark(&sessions[last-1], &l).place(&l, false)
	}
	page.Identities, err = s.withUsers(ctx, sessions[first:last])
	return page, err
}

// selected are the sessions that l selects, in its order.
func (s *Store) selected(ctx context.Context, l *auth.SessionList) ([]auth.Session, error) {
	defer s.since(time.Now(), "list")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var (
		ids []auth.SessionID
		err error
	)
	if l.User != 0 {
		ids, err = s.index(ctx, l.User)
	} else if ids, err = s.scan(ctx, ""); len(ids) > auth.MaxCountedSessions {
		return nil, auth.ErrNotListed
	}
	if err != nil {
		return nil, err
	}
	sessions, err := s.load(ctx, ids)
	if err != nil {
		return nil, err
	}
	sessions = slices.DeleteFunc(sessions, func(one auth.Session) bool {
		return l.User != 0 && one.UserID != l.User || l.Address.IsValid() && one.Address != l.Address ||
			!one.Expires.After(l.Now) || one.LastSeen.Before(l.SeenSince) || one.Created.Before(l.StartedSince)
	})
	slices.SortFunc(sessions, func(a, b auth.Session) int { return newMark(&a, l).compare(newMark(&b, l)) })
	return sessions, nil
}

// mark is where a session stands in a list.
type mark struct {
	at int64 // microseconds
	id auth.SessionID
}

func newMark(s *auth.Session, l *auth.SessionList) *mark {
	if l.ByLastSeen {
		return &mark{s.LastSeen.UnixMicro(), s.ID}
	}
	return &mark{s.Created.UnixMicro(), s.ID}
}

// compare orders marks, newest first.
func (m *mark) compare(n *mark) int {
	switch {
	case m.at > n.at:
		return -1
	case m.at < n.at:
		return 1
	}
	return slices.Compare(n.id[:], m.id[:])
}

func (m *mark) place(l *auth.SessionList, before bool) string {
	at := strconv.FormatInt(m.at, 10)
	p := auth.Place{List: l.Name(), Key: &at, ID: m.id.String(), Before: before}
	return p.String()
}

func markOf(p *auth.Place) (*mark, error) {
	if p.Key == nil {
		return nil, auth.ErrBadPlace
	}
	at, err := strconv.ParseInt(*p.Key, 10, 64)
	id, ok := idOf(p.ID)
	if err != nil || !ok {
		return nil, auth.ErrBadPlace
	}
	return &mark{at, id}, nil
}

// cutOut says which of the sorted sessions are on the page after the mark, or
// before it; a page before the second is the first, and full.
func cutOut(sessions []auth.Session, l *auth.SessionList, from *mark, before bool) (first, last int) {
	if from == nil {
		return 0, min(l.Limit, len(sessions))
	}
	at, found := slices.BinarySearchFunc(sessions, from, func(s auth.Session, m *mark) int { return newMark(&s, l).compare(m) })
	if before {
		return max(0, at-l.Limit), at
	}
	if found {
		at++
	}
	return at, min(at+l.Limit, len(sessions))
}

// withUsers brings sessions and their users together; those whose user is
// gone are left out.
func (s *Store) withUsers(ctx context.Context, sessions []auth.Session) ([]auth.Identity, error) {
	identities := make([]auth.Identity, 0, len(sessions))
	users := make(map[int64]*auth.User)
	for i := range sessions {
		id := sessions[i].UserID
		user, known := users[id]
		if !known {
			var err error
			if user, err = s.users.UserByID(ctx, id); err != nil && !errors.Is(err, auth.ErrNoUser) {
				return nil, fmt.Errorf("list sessions: %w", err)
			}
			users[id] = user
		}
		if user != nil {
			identities = append(identities, auth.Identity{User: *user, Session: sessions[i]})
		}
	}
	return identities, nil
}

// CountLive implements auth.SessionRoster. It counts keys: a session counts
// until its key expires, whatever now is.
func (s *Store) CountLive(ctx context.Context, _ time.Time) (auth.Count, error) {
	defer s.since(time.Now(), "list")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	ids, err := s.scan(ctx, "")
	if err != nil {
		return auth.Count{}, fmt.Errorf("count sessions: %w", err)
	}
	return auth.Count{N: min(len(ids), auth.MaxCountedSessions), More: len(ids) > auth.MaxCountedSessions}, nil
}

// EndSessionsOf implements auth.SessionRoster.
func (s *Store) EndSessionsOf(ctx context.Context, userIDs []int64) (total int, err error) {
	if len(userIDs) > auth.MaxBulk {
		return 0, auth.ErrTooMany
	}
	for _, id := range userIDs {
		n, err := s.EndAll(ctx, id)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
