package auth

import (
	"context"
	"fmt"

	"github.com/postern-auth/postern/internal/django"
)

// Checked is a live session and what its use changes.
type Checked struct {
	*Identity
	// Renewed says that the expiry moved on, so that the cookie should be
	// sent again (Policy.Sliding).
	Renewed bool
}

// Check answers who holds the session key. ErrNoSession for a key that opens
// no live session; ErrUnavailable when the store can't tell.
func (r *Realm) Check(ctx context.Context, key string) (Checked, error) {
	if !wellFormed(key) {
		return Checked{}, ErrNoSession
	}
	identity, err := r.sessions.Identity(ctx, IDOf(key))
	if err != nil {
		return Checked{}, fmt.Errorf("check a session: %w", err)
	}
	now := r.now()
	if !identity.User.IsActive || r.policy.Ended(&identity.Session, now) {
		return Checked{}, ErrNoSession
	}
	if !django.SessionAuthHashMatches(r.keys, identity.User.Password, identity.Session.AuthHash) {
		return Checked{}, ErrNoSession
	}
	checked := Checked{Identity: identity}
	if now.Sub(identity.Session.LastSeen) >= r.policy.TouchEvery() {
		checked.Renewed = r.policy.Sliding
		r.seen.add(Touch{ID: identity.Session.ID, LastSeen: now, Expires: r.policy.expiry(identity.Session.Created, now)})
	}
	return checked, nil
}

// wellFormed spares the store a look-up for what was never a key of ours.
func wellFormed(key string) bool {
	if len(key) != KeyLength {
		return false
	}
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
