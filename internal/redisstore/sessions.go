package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/auth"
)

// Identity implements auth.SessionStore: the session from here, its user from
// the home of the users.
func (s *Store) Identity(ctx context.Context, id auth.SessionID) (*auth.Identity, error) {
	session, err := s.session(ctx, id)
	if err != nil {
		if errors.Is(err, auth.ErrNoSession) {
			return nil, err
		}
		return nil, fmt.Errorf("load session: %w", err)
	}
	user, err := s.users.UserByID(ctx, session.UserID)
	if errors.Is(err, auth.ErrNoUser) {
		return nil, auth.ErrNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	return &auth.Identity{User: *user, Session: session}, nil
}

// IdentityWith is Identity with the user from elsewhere: nil if there is no
// such session, or if user returns nil, or when the store can't tell.
func (s *Store) IdentityWith(ctx context.Context, id auth.SessionID, user func(context.Context, int64) *auth.User) *auth.Identity {
	session, err := s.session(ctx, id)
	if err != nil {
		return nil
	}
	u := user(ctx, session.UserID)
	if u == nil {
		return nil
	}
	return &auth.Identity{User: *u, Session: session}
}

func (s *Store) session(ctx context.Context, id auth.SessionID) (auth.Session, error) {
	defer s.since(time.Now(), "read")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	fields, err := s.client.Do(ctx, s.client.B().Hgetall().Key(sessionKey(id)).Build()).AsStrMap()
	if err != nil {
		return auth.Session{}, classify(err)
	}
	session, ok := decode(id, fields)
	if !ok {
		return auth.Session{}, auth.ErrNoSession
	}
	return session, nil
}

// End implements auth.SessionStore.
func (s *Store) End(ctx context.Context, id auth.SessionID) (bool, error) {
	defer s.since(time.Now(), "commit")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	ended, err := s.end(ctx, id)
	if err != nil {
		return ended, fmt.Errorf("end session: %w", err)
	}
	return ended, nil
}

// end deletes a session, tells so, and takes it out of its user's index. The
// news is told even if it may not have been deleted.
func (s *Store) end(ctx context.Context, id auth.SessionID) (bool, error) {
	result, err := s.runEnd(ctx, id)
	s.o.News(auth.News{Session: id})
	if err != nil {
		return false, err
	}
	digits, err := result.ToString()
	if valkey.IsValkeyNil(err) {
		return false, nil
	}
	userID, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return true, nil // it was none of ours
	}
	return true, s.unindex(ctx, userID, id)
}

func (s *Store) runEnd(ctx context.Context, id auth.SessionID) (valkey.ValkeyResult, error) {
	args := []string{"s" + id.String()}
	if s.o.Replicas > 0 {
		args = append(args, "waits")
	}
	return s.run(ctx, scriptEnd, sessionKey(id), args...)
}

// unindex takes sessions that have ended out of their user's index.
func (s *Store) unindex(ctx context.Context, userID int64, ids ...auth.SessionID) error {
	if len(ids) == 0 {
		return nil
	}
	members := make([]string, len(ids))
	for i := range ids {
		members[i] = ids[i].String()
	}
	return classify(s.client.Do(ctx, s.client.B().Zrem().Key(userKey(userID)).Member(members...).Build()).Error())
}

// index returns the ids of a user's sessions, some of which may be over.
func (s *Store) index(ctx context.Context, userID int64) ([]auth.SessionID, error) {
	members, err := s.client.Do(ctx, s.client.B().Zrange().Key(userKey(userID)).Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		return nil, classify(err)
	}
	ids := make([]auth.SessionID, 0, len(members))
	for _, member := range members {
		if id, ok := idOf(member); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// endRounds is how often EndAll looks again for sessions that were started
// meanwhile.
const endRounds = 3

// EndAll implements auth.SessionStore.
func (s *Store) EndAll(ctx context.Context, userID int64) (total int, err error) {
	defer s.since(time.Now(), "commit")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	defer s.o.News(auth.News{User: userID})
	for range endRounds {
		ids, err := s.index(ctx, userID)
		if err != nil {
			return total, fmt.Errorf("end the sessions of a user: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		n, err := s.endThese(ctx, userID, ids)
		total += n
		if err != nil {
			return total, fmt.Errorf("end the sessions of a user: %w", err)
		}
	}
	return total, nil
}

// endThese ends sessions of a user, and takes out of the index what is over.
func (s *Store) endThese(ctx context.Context, userID int64, ids []auth.SessionID) (n int, err error) {
	for _, id := range ids {
		result, err := s.runEnd(ctx, id)
		s.o.News(auth.News{Session: id})
		if err != nil {
			return n, err
		}
		if !valkey.IsValkeyNil(result.Error()) {
			n++
		}
	}
	return n, s.unindex(ctx, userID, ids...)
}

// touchChunk is how many touches are sent at once.
const touchChunk = 250

// Touch implements auth.SessionStore. The index learns first that a session
// lives longer: it must never know it for a shorter time than it lives.
// After an error some sessions may have been touched, and it is safe to touch
// them all again.
func (s *Store) Touch(ctx context.Context, seen []auth.Touch) error {
	defer s.since(time.Now(), "commit")
	for chunk := range slices.Chunk(seen, touchChunk) {
		if err := s.touch(ctx, chunk); err != nil {
			return fmt.Errorf("touch sessions: %w", err)
		}
	}
	return nil
}

func (s *Store) touch(ctx context.Context, seen []auth.Touch) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var indexed, touched []valkey.LuaExec
	for i := range seen {
		t := &seen[i]
		if t.UserID != 0 {
			indexed = append(indexed, s.indexExec(t.UserID, t.ID, t.Expires))
		}
		touched = append(touched, valkey.LuaExec{
			Keys: []string{sessionKey(t.ID)}, Args: []string{micros(t.LastSeen), micros(t.Expires), millis(t.Expires)},
		})
	}
	if err := s.runAll(ctx, scriptIndex, indexed); err != nil {
		return err
	}
	return s.runAll(ctx, scriptTouch, touched)
}

func (s *Store) indexExec(userID int64, id auth.SessionID, expires time.Time) valkey.LuaExec {
	return valkey.LuaExec{
		Keys: []string{userKey(userID)},
		Args: []string{id.String(), millis(expires), millis(s.o.Now().Add(-indexSlack))},
	}
}

const (
	defaultLimit = 100
	// maxScanned bounds a list over all users: so many keys are looked at.
	maxScanned = 100_000
	scanCount  = 1000
)

// Sessions implements auth.SessionStore. The sessions of one user are all
// looked at; those of all users, or with a part of an id, among the first
// 100,000 keys that the servers name, in no order: the newest of a larger
// number need not be among them.
func (s *Store) Sessions(ctx context.Context, f auth.SessionFilter) ([]auth.Session, error) {
	defer s.since(time.Now(), "list")
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	wanted, ok := strings.ToLower(f.IDPrefix), isHex(f.IDPrefix)
	if !ok {
		return nil, nil
	}
	var (
		ids []auth.SessionID
		err error
	)
	if id, whole := idOf(wanted); whole {
		ids = []auth.SessionID{id}
	} else if f.UserID != 0 {
		ids, err = s.index(ctx, f.UserID)
	} else {
		ids, err = s.scan(ctx, wanted)
	}
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	sessions, err := s.load(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	sessions = slices.DeleteFunc(sessions, func(session auth.Session) bool {
		return f.UserID != 0 && session.UserID != f.UserID || !strings.HasPrefix(session.ID.String(), wanted)
	})
	slices.SortFunc(sessions, newestFirst)
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	return sessions[:min(limit, len(sessions))], nil
}

func isHex(s string) bool {
	return len(s) <= 2*len(auth.SessionID{}) && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func newestFirst(a, b auth.Session) int {
	if c := b.Created.Compare(a.Created); c != 0 {
		return c
	}
	return slices.Compare(b.ID[:], a.ID[:])
}

// load reads sessions; those that are over are left out.
func (s *Store) load(ctx context.Context, ids []auth.SessionID) ([]auth.Session, error) {
	var sessions []auth.Session
	for chunk := range slices.Chunk(ids, scanCount) {
		commands := make([]valkey.Completed, len(chunk))
		for i := range chunk {
			commands[i] = s.client.B().Hgetall().Key(sessionKey(chunk[i])).Build()
		}
		for i, result := range s.client.DoMulti(ctx, commands...) {
			fields, err := result.AsStrMap()
			if err != nil {
				return nil, classify(err)
			}
			if session, ok := decode(chunk[i], fields); ok {
				sessions = append(sessions, session)
			}
		}
	}
	return sessions, nil
}

// scan names sessions of all masters.
func (s *Store) scan(ctx context.Context, wanted string) ([]auth.SessionID, error) {
	nodes, err := s.masters(ctx)
	if err != nil {
		return nil, classify(err)
	}
	var ids []auth.SessionID
	pattern := prefix + "s:" + wanted + "*"
	for _, node := range nodes {
		for cursor, looked := uint64(0), 0; looked < maxScanned; looked += scanCount {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(scanCount).Build()).AsScanEntry()
			if err != nil {
				return nil, classify(err)
			}
			for _, key := range page.Elements {
				if id, ok := idOf(strings.TrimPrefix(key, prefix+"s:")); ok {
					ids = append(ids, id)
				}
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	slices.SortFunc(ids, func(a, b auth.SessionID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids), nil // SCAN may name a key twice
}
