package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	// The row stays locked until the commit, so that the logins of a user
	// follow one another and see each other's sessions.
	stampLogin = `update auth_user set last_login = $1, password = $2 where id = $3::bigint and password = $4 and is_active`
	// A stronger hash of the same password leaves the user's sessions alive.
	moveAuthHash  = `update postern_session set auth_hash = $1 where user_id = $2 and auth_hash = any($3::text[])`
	insertSession = `insert into postern_session
		(id, user_id, auth_hash, csrf_secret, created, last_seen, expires, address, user_agent)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	// The new session stays whatever the clock says, and expired ones don't
	// take the place of live ones.
	pruneSessions = `delete from postern_session where user_id = $1 and id <> $2 and id not in (
		select id from postern_session where user_id = $1 and id <> $2 and expires > $3
		order by created desc, id desc limit $4::bigint)`
	lockUser = `select id from auth_user where id = $1::bigint for update`
)

// Start implements auth.SessionStore. It sets the ids in st only when they
// are committed.
func (s *Store) Start(ctx context.Context, st *auth.Start) error {
	session := st.Session
	agent := s.storable(ctx, st.Session.UserAgent)
	var audit *auth.AuditEntry
	if st.Audit != nil {
		audit = s.storableEntry(ctx, st.Audit)
	}
	err := s.do(ctx, func(t *tx) (err error) {
		session = st.Session
		session.UserAgent = agent
		if st.NewUser != nil {
			if session.UserID, err = t.createUser(st.NewUser); err != nil {
				return err
			}
		}
		if err = t.start(&session, st); err != nil || st.Audit == nil {
			return err
		}
		entry := *audit
		if st.NewUser != nil {
			entry.ActorID = session.UserID
		}
		return t.insertAudit(&entry)
	})
	if st.NewUser != nil {
		err = s.refused(ctx, s.explainUnstorable(ctx, err, userFields(st.NewUser)...), st.NewUser.Lengths())
	}
	if err != nil {
		return fmt.Errorf("start session: %w", err)
	}
	st.Audited = st.Audit != nil
	if st.NewUser != nil {
		st.NewUser.ID, st.Session.UserID = session.UserID, session.UserID
	}
	return nil
}

func (t *tx) start(session *auth.Session, st *auth.Start) error {
	if l := st.Login; l != nil {
		if err := t.stampLogin(session.UserID, l); err != nil {
			return err
		}
		if l.Upgraded != "" {
			if _, err := t.exec(moveAuthHash, session.AuthHash, session.UserID, l.OldAuthHashes); err != nil {
				return err
			}
		}
	} else if st.PerUser > 0 && st.NewUser == nil {
		if _, err := t.exec(lockUser, session.UserID); err != nil {
			return err
		}
	}
	if !st.Replaces.IsZero() {
		t.tell(auth.News{Session: st.Replaces})
		if _, err := t.exec(deleteSession, st.Replaces[:]); err != nil {
			return err
		}
	}
	if err := t.insertSession(session); err != nil {
		return err
	}
	if st.PerUser <= 0 {
		return nil
	}
	n, err := t.exec(pruneSessions, session.UserID, session.ID[:], micros(session.Created), st.PerUser-1)
	if n > 0 {
		t.tell(auth.News{User: session.UserID})
	}
	return err
}

func (t *tx) stampLogin(userID int64, l *auth.LoginStamp) error {
	encoded := l.Verified
	if l.Upgraded != "" {
		encoded = l.Upgraded
	}
	n, err := t.exec(stampLogin, micros(l.At), encoded, userID, l.Verified)
	if err != nil {
		return err
	}
	if n == 0 {
		return auth.ErrUserChanged
	}
	return nil
}

// StampLogin implements auth.LoginStore.
func (s *Store) StampLogin(ctx context.Context, userID int64, l *auth.LoginStamp) error {
	var err error
	if l.Upgraded == "" {
		var n int64
		if n, err = s.alone(ctx, stampLogin, micros(l.At), l.Verified, userID, l.Verified); err == nil && n == 0 {
			err = auth.ErrUserChanged
		}
	} else { // what is stamped twice would seem to have changed
		err = s.do(ctx, func(t *tx) error { return t.stampLogin(userID, l) })
	}
	if err != nil {
		return fmt.Errorf("stamp a login: %w", err)
	}
	return nil
}

func (t *tx) insertSession(s *auth.Session) error {
	_, err := t.exec(insertSession, s.ID[:], s.UserID, s.AuthHash, s.CSRFSecret,
		micros(s.Created), micros(s.LastSeen), micros(s.Expires), addressText(s), textOnly(s.UserAgent))
	return err
}

func addressText(s *auth.Session) string { return addressOf(s.Address) }

// textOnly is what PostgreSQL can hold of what a client sent.
func textOnly(s string) string {
	if isText(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
