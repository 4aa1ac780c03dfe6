package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/password"
)

func isNoUser(err error) bool { return errors.Is(err, ErrNoUser) }

// Login verifies a password and opens a session in place of the visitor's
// current one. It returns ErrInvalidCredentials for an unknown name, a wrong
// password and an inactive user alike, at the same cost; password.ErrBusy
// when there are too many at once; or ErrUnavailable. An outdated hash is
// upgraded in the same commit.
func (r *Realm) Login(ctx context.Context, name, plain string, v Visit) (*Opened, error) {
	user, err := r.users.UserByName(ctx, name)
	if err != nil && !isNoUser(err) {
		return nil, fmt.Errorf("log in: %w", err)
	}
	plains := []string{plain}
	if v.AsTyped {
		plains = password.AsTyped(plain)
	}
	stamp, err := r.verify(ctx, v.Address, user, name, plains)
	if errors.Is(err, ErrInvalidCredentials) {
		r.recordFailure(ctx, user, v)
		return nil, ErrInvalidCredentials
	}
	if err != nil {
		return nil, err
	}
	if v.StaffOnly && !user.IsStaff {
		r.refuse(ctx, user, v)
		return nil, ErrInvalidCredentials
	}
	opened, err := r.admitted(ctx, user, stamp, v)
	if err != nil && !errors.Is(err, ErrInvalidCredentials) {
		return nil, fmt.Errorf("log in: %w", err)
	}
	return opened, err
}

// admitted opens a session for a user whose password was verified, in place of
// the visitor's current one. It returns ErrInvalidCredentials if the user has
// changed since.
func (r *Realm) admitted(ctx context.Context, user *User, stamp *LoginStamp, v Visit) (*Opened, error) {
	session, key, err := r.newSession(v)
	if err != nil {
		return nil, err
	}
	encoded := user.Password
	if stamp.Upgraded != "" {
		for _, key := range r.keys {
			stamp.OldAuthHashes = append(stamp.OldAuthHashes, django.SessionAuthHash(key, encoded))
		}
		encoded = stamp.Upgraded
	}
	stamp.At = session.Created
	session.UserID = user.ID
	session.AuthHash = django.SessionAuthHash(r.keys[0], encoded)

	start := &Start{
		Session: session, Login: stamp, Replaces: v.Current, PerUser: r.policy.PerUser,
		Audit: r.by(ctx, ActLogin, user, v),
	}
	err = r.sessions.Start(ctx, start)
	if errors.Is(err, ErrUserChanged) {
		return nil, ErrInvalidCredentials
	}
	if err != nil {
		return nil, err
	}
	if start.Audit != nil && !start.Audited {
		r.record(ctx, *start.Audit)
	}
	identity := &Identity{User: *user, Session: session}
	identity.User.Password, identity.User.LastLogin = encoded, stamp.At
	return &Opened{Identity: identity, Key: key}, nil
}

// lately is how long ago a login tells which hash the Django prefers that made
// it.
const lately = 30 * 24 * time.Hour

// keepsHash reports whether the hash of a user, though outdated, is what a
// Django on the same database would leave alone.
func (r *Realm) keepsHash(user *User) bool {
	return !user.LastLogin.IsZero() && r.now().Sub(user.LastLogin) < lately && r.hashing.Keeps(user.Password)
}

// verify spends a password check in the gate on each of the passwords until one
// is right, whoever the user is (nil: an unknown name), and says what the login
// will change on it.
func (r *Realm) verify(ctx context.Context, from netip.Addr, user *User, name string, plains []string) (*LoginStamp, error) {
	var (
		ok       bool
		upgraded string
		hashErr  error
	)
	err := r.admit(ctx, from, func() {
		for _, plain := range plains {
			if user == nil {
				r.hashing.Decoy(plain, name)
				continue
			}
			var outdated bool
			if ok, outdated = r.hashing.Verify(plain, user.Password); !ok {
				continue
			}
			if outdated && user.MayLogIn() && !r.keepsHash(user) {
				upgraded, hashErr = r.hashing.Hash(plain)
			}
			return
		}
	})
	if err := errors.Join(err, hashErr); err != nil {
		return nil, fmt.Errorf("verify the password: %w", err)
	}
	if !ok || !user.MayLogIn() {
		return nil, ErrInvalidCredentials
	}
	return &LoginStamp{Verified: user.Password, Upgraded: upgraded}, nil
}
