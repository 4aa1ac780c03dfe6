package pgstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

// The columns of auth.Session but its id, in the order of sessionRow.fields.
const sessionColumns = `s.user_id, s.auth_hash, s.csrf_secret, s.created, s.last_seen, s.expires, s.address, s.user_agent`

// sessionRow is a session on its way out of the database.
type sessionRow struct {
	*auth.Session
	created, lastSeen, expires storedTime
	address                    storedText
}

func (r *sessionRow) fields() []any {
	return []any{
		&r.UserID, (*storedText)(&r.AuthHash), (*storedText)(&r.CSRFSecret), &r.created, &r.lastSeen, &r.expires, &r.address, (*storedText)(&r.UserAgent),
	}
}

// finish is called once the fields are scanned. A session whose times can't be
// read is over.
func (r *sessionRow) finish() *oddities {
	var o oddities
	r.Created, r.LastSeen, r.Expires = o.time("created", r.created), o.time("last_seen", r.lastSeen), o.time("expires", r.expires)
	if len(o.columns) > 0 {
		r.Expires = time.Time{}
	}
	// An address that can't be read is as good as an unknown one.
	r.Address, _ = netip.ParseAddr(string(r.address))
	r.UserAgent = o.text("user_agent", storedText(r.UserAgent))
	if len(o.columns) == 0 {
		return nil
	}
	o.table, o.id = "postern_session", r.ID.String()[:12]
	return &o
}

const selectIdentity = `select ` + userColumns + `, ` + sessionColumns + `
	from postern_session s join auth_user u on u.id = s.user_id where s.id = $1`

// Identity implements auth.SessionStore.
func (s *Store) Identity(ctx context.Context, id auth.SessionID) (*auth.Identity, error) {
	var identity auth.Identity
	err := s.row(ctx, selectIdentity, []any{id[:]}, s.identityInto(&identity, id))
	if isNoRow(err) {
		return nil, auth.ErrNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	return &identity, nil
}

// identityInto scans what selectIdentity reads.
func (s *Store) identityInto(identity *auth.Identity, id auth.SessionID) func(pgx.Row) error {
	return func(row pgx.Row) error {
		*identity = auth.Identity{Session: auth.Session{ID: id}}
		user, session := userRow{User: &identity.User}, sessionRow{Session: &identity.Session}
		if err := row.Scan(append(user.fields(), session.fields()...)...); err != nil {
			return err
		}
		user.finish()
		s.odd.User(&identity.User)
		s.report(session.finish())
		return nil
	}
}

const (
	deleteSession        = `delete from postern_session where id = $1`
	deleteSessionsOfUser = `delete from postern_session where user_id = $1::bigint`
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
	err = s.do(ctx, func(t *tx) (err error) {
		t.tell(news)
		n, err = t.exec(statement, key)
		return err
	})
	return n, err
}

// Signs of life come sorted, so that two nodes which write the same ones lock
// them in the same order. The expiry is written only when it moves on, for it
// is in an index.
const (
	touchLastSeen = `update postern_session s set last_seen = greatest(s.last_seen, n.seen)
		from unnest($1::bytea[], $2::timestamptz[]) as n (id, seen) where s.id = n.id and s.last_seen < n.seen`
	touchExpires = `update postern_session s set expires = greatest(s.expires, n.expires)
		from unnest($1::bytea[], $2::timestamptz[]) as n (id, expires) where s.id = n.id and s.expires < n.expires`
)

// touchChunk is how many touches share a transaction: few enough that no
// login waits for a long batch.
const touchChunk = 500

// Touch implements auth.SessionStore. Sessions are touched in chunks; after
// an error some may have been, and it is safe to touch them all again.
func (s *Store) Touch(ctx context.Context, seen []auth.Touch) error {
	sorted := slices.SortedFunc(slices.Values(seen), func(a, b auth.Touch) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for chunk := range slices.Chunk(sorted, touchChunk) {
		if err := s.do(ctx, func(t *tx) error { return t.touch(chunk) }); err != nil {
			return fmt.Errorf("touch sessions: %w", err)
		}
	}
	return nil
}

func (t *tx) touch(seen []auth.Touch) error {
	ids := make([][]byte, len(seen))
	lastSeen, expires := make([]time.Time, len(seen)), make([]time.Time, len(seen))
	for i := range seen {
		ids[i], lastSeen[i], expires[i] = seen[i].ID[:], micros(seen[i].LastSeen), micros(seen[i].Expires)
	}
	if _, err := t.exec(touchLastSeen, ids, lastSeen); err != nil {
		return err
	}
	_, err := t.exec(touchExpires, ids, expires)
	return err
}

const (
	selectSessions = `select s.id, ` + sessionColumns + ` from postern_session s
		where s.id >= $1 and s.id <= $2 order by s.created desc, s.id desc limit $3::bigint`
	selectSessionsOfUser = `select s.id, ` + sessionColumns + ` from postern_session s
		where s.id >= $1 and s.id <= $2 and s.user_id = $4::bigint order by s.created desc, s.id desc limit $3::bigint`
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
	err := s.each(ctx, query, args, func(row pgx.Row) error {
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

func (s *Store) scanSession(row pgx.Row) (auth.Session, error) {
	var (
		session auth.Session
		id      []byte
	)
	r := sessionRow{Session: &session}
	if err := row.Scan(append([]any{&id}, r.fields()...)...); err != nil {
		return auth.Session{}, err
	}
	copy(session.ID[:], id)
	s.report(r.finish())
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

const (
	estimateSessions = `select coalesce(max(reltuples), -1)::bigint from pg_class where oid = to_regclass('postern_session')`
	countSessions    = `select count(*) from postern_session`
	// countable is how many sessions are counted one by one.
	countable = 100_000
)

// CountSessions counts the stored sessions, expired ones among them: exactly
// up to about 100,000, and as the server estimated at its last vacuum or
// analyze beyond.
func (s *Store) CountSessions(ctx context.Context) (n int64, err error) {
	count := func(query string) error {
		return s.row(ctx, query, nil, func(row pgx.Row) error { return row.Scan(&n) })
	}
	if err = count(estimateSessions); err == nil && n < countable {
		err = count(countSessions)
	}
	if err != nil {
		return 0, fmt.Errorf("count the sessions: %w", err)
	}
	return n, nil
}
