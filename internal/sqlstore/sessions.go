package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/auth"
)

// The columns of auth.Session but its id, in the order of sessionAt.
const sessionColumns = `s.user_id, s.auth_hash, s.csrf_secret, s.created, s.last_seen, s.expires, s.address, s.user_agent`

// sessionNames names what the lists read of a session.
var sessionNames = []string{"id", "user_id", "auth_hash", "csrf_secret", "created", "last_seen", "expires", "address", "user_agent"}

// session makes a session of the columns of sessionNames. One that can't be
// read is over.
func (r *row) session() (s auth.Session) {
	id := r.values[0].raw()
	r.note(0, len(id) == len(s.ID))
	copy(s.ID[:], id)
	s.UserID, s.AuthHash, s.CSRFSecret = r.int(1), r.text(2), r.text(3)
	s.Created, s.LastSeen, s.Expires = r.micros(4), r.micros(5), r.micros(6)
	// An address that can't be read is as good as an unknown one.
	s.Address, _ = netip.ParseAddr(r.text(7))
	s.UserAgent = r.text(8)
	if len(r.odd) > 0 {
		s.Expires = fromMicros(0)
	}
	return s
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// selectIdentity is read by Store.Identity, which counts on the order of its
// columns.
const selectIdentity = `select ` + userColumns + `, ` + sessionColumns + `
	from postern_session s join auth_user u on u.id = s.user_id where s.id = $1`

const (
	deleteSession        = `delete from postern_session where id = $1`
	deleteSessionsOfUser = `delete from postern_session where user_id = $1`
)

// End implements auth.SessionStore.
func (s *Store) End(ctx context.Context, id auth.SessionID) (bool, error) {
	n, err := s.remove(ctx, deleteSession, id[:], auth.News{Session: id})
	if err != nil {
		return false, fmt.Errorf("end session: %w", err)
	}
	return n > 0, nil
}

// EndAll implements auth.SessionStore.
func (s *Store) EndAll(ctx context.Context, userID int64) (int, error) {
	n, err := s.remove(ctx, deleteSessionsOfUser, userID, auth.News{User: userID})
	if err != nil {
		return 0, fmt.Errorf("end the sessions of a user: %w", err)
	}
	return int(n), nil
}

func (s *Store) remove(ctx context.Context, statement string, key any, news auth.News) (n int64, err error) {
	err = s.write.do(ctx, func(t *tx) (err error) {
		t.tell(news)
		n, err = t.exec(statement, key)
		return err
	})
	return n, err
}

const (
	touchLastSeen = `update postern_session set last_seen = $1 where id = $2 and last_seen < $1`
	// A statement of its own: most touches leave the expiry, and its index, alone.
	touchExpires = `update postern_session set expires = $1 where id = $2 and expires < $1`
)

// touchChunk is how many touches share a job: few enough that no login waits
// for a long batch.
const touchChunk = 500

// Touch implements auth.SessionStore. Sessions are touched in chunks; after
// an error some may have been, and it is safe to touch them all again.
func (s *Store) Touch(ctx context.Context, seen []auth.Touch) error {
	for chunk := range slices.Chunk(seen, touchChunk) {
		if err := s.write.do(ctx, func(t *tx) error { return t.touch(chunk) }); err != nil {
			return fmt.Errorf("touch sessions: %w", err)
		}
	}
	return nil
}

func (t *tx) touch(seen []auth.Touch) error {
	for i := range seen {
		if _, err := t.exec(touchLastSeen, micros(seen[i].LastSeen), seen[i].ID[:]); err != nil {
			return err
		}
		if _, err := t.exec(touchExpires, micros(seen[i].Expires), seen[i].ID[:]); err != nil {
			return err
		}
	}
	return nil
}

const (
	selectSessions = `select s.id, ` + sessionColumns + ` from postern_session s
		where s.id >= $1 and s.id <= $2 order by s.created desc, s.id desc limit $3`
	selectSessionsOfUser = `select s.id, ` + sessionColumns + ` from postern_session s
		where s.id >= $1 and s.id <= $2 and s.user_id = $4 order by s.created desc, s.id desc limit $3`
)

// Sessions implements auth.SessionStore. An IDPrefix that is not hexadecimal,
// in either case, selects nothing.
func (s *Store) Sessions(ctx context.Context, f auth.SessionFilter) ([]auth.Session, error) {
	first, last, ok := idRange(f.IDPrefix)
	if !ok {
		return nil, nil
	}
	query, args := selectSessions, []any{first[:], last[:], limited(f.Limit)}
	if f.UserID != 0 {
		query, args = selectSessionsOfUser, append(args, f.UserID)
	}
	var sessions []auth.Session
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		session, err := s.scanSession(row)
		if err != nil {
			return err
		}
		sessions = append(sessions, session)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return sessions, nil
}

func (s *Store) scanSession(from scanner) (auth.Session, error) {
	r, err := scanRow(from, len(sessionNames))
	if err != nil {
		return auth.Session{}, err
	}
	session := r.session()
	s.report(r, "postern_session", session.ID.String()[:12], sessionNames...)
	return session, nil
}

// idRange returns the first and the last id that start with the digits of
// prefix.
func idRange(prefix string) (first, last auth.SessionID, ok bool) {
	missing := hex.EncodedLen(len(first)) - len(prefix)
	if missing < 0 {
		return first, last, false
	}
	_, err1 := hex.Decode(first[:], []byte(prefix+strings.Repeat("0", missing)))
	_, err2 := hex.Decode(last[:], []byte(prefix+strings.Repeat("f", missing)))
	return first, last, err1 == nil && err2 == nil
}
