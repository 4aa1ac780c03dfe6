package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/django"
)

// Checked is who holds a live session and what its use changes.
type Checked struct {
	*Known
	// Renewed says that the expiry moved on, so that the cookie should be
	// sent again (Policy.Sliding).
	Renewed bool
}

// Check answers who holds the session key. ErrNoSession for a key that opens
// no live session; ErrUnavailable when the store can't tell.
//
// What is remembered only ever says yes: a session that seems to be over is
// read from the store, where another server may have prolonged it.
func (r *Realm) Check(ctx context.Context, key string) (Checked, error) {
	if !wellFormed(key) {
		return Checked{}, ErrNoSession
	}
	id, now := IDOf(key), r.now()
	if r.memory == nil {
		known, err := r.read(ctx, id, now)
		return r.use(known, now, err)
	}
	if known := r.memory.Recall(id, now); known != nil && !known.ended(&r.policy, now) {
		return r.use(known, now, nil)
	}
	mark := r.memory.Mark()
	known, err := r.read(ctx, id, now)
	if err == nil {
		r.memory.Remember(known, mark, now)
	}
	return r.use(known, now, err)
}

// read asks the store who holds a session. What a replica says counts only if
// it is yes: it may lack the session just made, or the sign of life just noted.
func (r *Realm) read(ctx context.Context, id SessionID, now time.Time) (*Known, error) {
	if r.replica != nil {
		if identity := r.replica.ReplicaIdentity(ctx, id); identity != nil && r.isLive(identity, now) {
			return r.know(identity), nil
		}
	}
	identity, err := r.sessions.Identity(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("check a session: %w", err)
	}
	if !r.isLive(identity, now) {
		return nil, ErrNoSession
	}
	return r.know(identity), nil
}

func (r *Realm) isLive(i *Identity, now time.Time) bool {
	return i.User.MayLogIn() && !r.policy.Ended(&i.Session, now) && r.isBound(&i.Session, i.User.Password)
}

// isBound reports whether the session was opened with that (encoded) password,
// or with a weaker hash of the same.
func (r *Realm) isBound(s *Session, encoded string) bool {
	return django.SessionAuthHashMatches(r.keys, encoded, s.AuthHash) ||
		s.NextAuthHash != "" && django.SessionAuthHashMatches(r.keys, encoded, s.NextAuthHash)
}

// use takes note that a session was used.
func (r *Realm) use(known *Known, now time.Time, err error) (Checked, error) {
	if err != nil {
		return Checked{}, err
	}
	checked := Checked{Known: known}
	if touch, due := known.touch(r.touchEvery, &r.policy, now); due {
		checked.Renewed = r.policy.Sliding
		r.seen.add(touch)
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
