package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
)

// SessionsRemain says that a user was changed or deleted, and that this is
// committed, but that its sessions could not be removed from their store. They
// open nothing: a check compares them with the user. But those of a user who was
// deactivated would open again if it were activated before they expire, so they
// have to be ended once the store can be reached: Realm.RevokeAll.
type SessionsRemain struct {
	Err     error // of the store
	Deleted bool  // the user is gone, so there is nothing left to do
}

func (e *SessionsRemain) Error() string {
	done := "the change is saved"
	if e.Deleted {
		done = "the user is deleted"
	}
	return done + ", but the user's sessions could not be removed from their store: " + e.Err.Error()
}

// Unwrap returns the error of the store.
func (e *SessionsRemain) Unwrap() error { return e.Err }

// sessionsRemain is err as a *SessionsRemain, nil for none.
func sessionsRemain(err error) error {
	if err == nil {
		return nil
	}
	return &SessionsRemain{Err: err}
}

// Logout ends a session. Ending one that is already over is no error.
func (r *Realm) Logout(ctx context.Context, id SessionID) error {
	r.seen.drop(id)
	ended, err := r.sessions.End(ctx, id)
	if err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	if ended {
		r.record(ctx, r.entry(ctx, ActLogout))
	}
	return nil
}

// Revoke ends a session by its id and reports whether there was one.
func (r *Realm) Revoke(ctx context.Context, id SessionID) (bool, error) {
	identity, err := r.sessions.Identity(ctx, id)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return false, fmt.Errorf("revoke a session: %w", err)
	}
	ended, err := r.sessions.End(ctx, id)
	if err != nil {
		return false, fmt.Errorf("revoke a session: %w", err)
	}
	if ended {
		user := &User{}
		if identity != nil {
			user = &identity.User
		}
		r.record(ctx, r.on(ctx, ActSessionEnded, user, map[string]any{"session": id.String()[:12]}))
	}
	return ended, nil
}

// RevokeAll ends every session of the user of that name and says how many
// there were, with an error how many it had ended by then; ErrNoUser if there is
// no such user.
func (r *Realm) RevokeAll(ctx context.Context, name string) (int, error) {
	user, err := r.users.UserByName(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("revoke the sessions: %w", err)
	}
	n, err := r.sessions.EndAll(ctx, user.ID)
	if err == nil || n > 0 {
		changes := map[string]any{"sessions": n}
		maps.Copy(changes, incomplete(err))
		r.record(ctx, r.on(ctx, ActSessionsEnded, user, changes))
	}
	if err != nil {
		return n, fmt.Errorf("revoke the sessions: %w", err)
	}
	return n, nil
}

// Sessions lists stored sessions, newest first, expired ones left out.
func (r *Realm) Sessions(ctx context.Context, f SessionFilter) ([]Session, error) {
	sessions, err := r.sessions.Sessions(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	now := r.now()
	live := sessions[:0]
	for i := range sessions {
		if !r.policy.Ended(&sessions[i], now) {
			live = append(live, sessions[i])
		}
	}
	return live, nil
}

// maxAddresses is how many sessions SessionAddresses looks at.
const maxAddresses = 8

// SessionAddresses returns the addresses from which the latest live sessions
// of the user of that name were started, the latest first. A name that nobody
// has is no error and takes the same two reads.
func (r *Realm) SessionAddresses(ctx context.Context, name string) ([]netip.Addr, error) {
	user, err := r.users.UserByName(ctx, name)
	if isNoUser(err) {
		user, err = &User{ID: -1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("addresses of the sessions: %w", err)
	}
	sessions, err := r.Sessions(ctx, SessionFilter{UserID: user.ID, Limit: maxAddresses})
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	for i := range sessions {
		s := &sessions[i]
		if user.MayLogIn() && s.Address.IsValid() && r.isBound(s, user.Password) {
			addresses = append(addresses, s.Address)
		}
	}
	return addresses, nil
}
