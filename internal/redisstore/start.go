package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// Start implements auth.SessionStore. Users and sessions share no commit, and
// a user's index and its sessions not even a server, so the order of the
// writes has to be right wherever it stops:
//
//  1. A login with an upgraded hash announces that hash to the user's
//     sessions, which from now on count with either.
//  2. The user is written: created, or stamped on the condition that the
//     password is still the one that was verified.
//  3. The session is written, then its place in the user's index. A session
//     that is in no index is one that nobody was given the key of.
//  4. What it replaces, or is one too many, is ended.
//
// If a registration stops after its user was created, the user is deleted
// again; if that fails too, the name stays taken, by a user who can log in.
func (s *Store) Start(ctx context.Context, st *auth.Start) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.start(ctx, st); err != nil {
		return fmt.Errorf("start session: %w", err)
	}
	return nil
}

func (s *Store) start(ctx context.Context, st *auth.Start) error {
	session := st.Session
	switch {
	case st.NewUser != nil:
		created := *st.NewUser
		if err := s.users.CreateUser(ctx, &created); err != nil {
			return err
		}
		session.UserID = created.ID
		if err := s.open(ctx, &session, st); err != nil {
			return errors.Join(err, s.undo(ctx, func(ctx context.Context) error { return s.users.DeleteUser(ctx, created.ID) }))
		}
		st.NewUser.ID, st.Session.UserID = created.ID, created.ID
		return nil
	case st.Login != nil:
		if err := s.announce(ctx, &session, st.Login); err != nil {
			return err
		}
		if err := s.users.StampLogin(ctx, session.UserID, st.Login); err != nil {
			return err
		}
	}
	return s.open(ctx, &session, st)
}

// announce lets the user's other sessions count with the upgraded hash, too.
func (s *Store) announce(ctx context.Context, session *auth.Session, l *auth.LoginStamp) error {
	if l.Upgraded == "" {
		return nil
	}
	defer s.since(time.Now(), "commit")
	ids, err := s.index(ctx, session.UserID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, old := range l.OldAuthHashes {
			if _, err := s.run(ctx, scriptAnnounce, sessionKey(id), old, session.AuthHash); err != nil {
				return err
			}
		}
	}
	return nil
}

// open writes a session and ends those that go for it.
func (s *Store) open(ctx context.Context, session *auth.Session, st *auth.Start) error {
	defer s.since(time.Now(), "commit")
	key := sessionKey(session.ID)
	if _, err := s.run(ctx, scriptStart, key, append([]string{millis(session.Expires)}, encode(session)...)...); err != nil {
		return errors.Join(err, s.forget(ctx, session.ID))
	}
	place := s.indexExec(session.UserID, session.ID, session.Expires)
	if _, err := s.run(ctx, scriptIndex, place.Keys[0], place.Args...); err != nil {
		return errors.Join(err, s.forget(ctx, session.ID))
	}
	if !st.Replaces.IsZero() {
		if _, err := s.end(ctx, st.Replaces); err != nil {
			return errors.Join(err, s.forget(ctx, session.ID))
		}
	}
	if st.PerUser > 0 {
		if err := s.prune(ctx, session, st.PerUser); err != nil {
			return errors.Join(err, s.forget(ctx, session.ID))
		}
	}
	return nil
}

// prune ends the oldest live sessions of a user beyond the limit, but not the
// new one.
func (s *Store) prune(ctx context.Context, session *auth.Session, limit int) error {
	ids, err := s.index(ctx, session.UserID)
	if err != nil {
		return err
	}
	if len(ids) <= limit {
		return nil
	}
	sessions, err := s.load(ctx, ids)
	if err != nil {
		return err
	}
	live := slices.DeleteFunc(sessions, func(other auth.Session) bool {
		return other.ID == session.ID || !other.Expires.After(session.Created)
	})
	slices.SortFunc(live, newestFirst)
	if len(live) < limit {
		return nil
	}
	for _, other := range live[limit-1:] {
		if _, err := s.end(ctx, other.ID); err != nil {
			return err
		}
	}
	return nil
}

// forget takes back a session whose key nobody was given. If it can't be, it
// expires.
func (s *Store) forget(ctx context.Context, id auth.SessionID) error {
	return s.undo(ctx, func(ctx context.Context) error {
		_, err := s.end(ctx, id)
		return err
	})
}

// undoWait bounds what is tried after something has failed, perhaps because
// its time was over.
const undoWait = time.Second

func (s *Store) undo(ctx context.Context, act func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	if err := act(ctx); err != nil {
		return fmt.Errorf("take it back: %w", err)
	}
	return nil
}
