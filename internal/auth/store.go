package auth

import (
	"context"
	"time"
)

// UserStore is the home of the users: Django's auth_user. Every method
// returns ErrUnavailable (wrapped) when the store can't be reached or is too busy.
type UserStore interface {
	// UserByName returns the user of exactly that name; ErrNoUser if none.
	UserByName(ctx context.Context, name string) (*User, error)
	// UserByID returns the user with that id; ErrNoUser if none.
	UserByID(ctx context.Context, id int64) (*User, error)
	// CreateUser stores u and sets its ID; ErrUsernameTaken if the name exists,
	// *RefusedError if a rule that was added to the database is against it.
	CreateUser(ctx context.Context, u *User) error
	// UpdateUser changes the columns that c names; ErrNoUser if there is no
	// such user, ErrLastSuperuser if it would deactivate the last active superuser.
	UpdateUser(ctx context.Context, id int64, c UserChange) error
	// DeleteUser removes the user and the rows of Django's own tables that
	// belong to it; ErrNoUser, ErrLastSuperuser, or ErrUserInUse when rows of
	// other tables refer to it (then nothing is removed).
	DeleteUser(ctx context.Context, id int64) error
	// PasswordSample returns the encoded password of the first user in every
	// stretch of step ids, "" for none, in the order of the ids and at most
	// limit. It is the same for all who ask of the same table.
	PasswordSample(ctx context.Context, step int64, limit int) ([]string, error)
	// Users lists the users that f selects; none is no error.
	Users(ctx context.Context, f UserFilter) ([]User, error)
}

// SessionStore is the home of the sessions. Every method returns
// ErrUnavailable (wrapped) when the store can't be reached or is too busy.
type SessionStore interface {
	// Start stores a new session, and what goes with it, in one commit:
	// see Start. ErrUsernameTaken, *RefusedError and ErrUserChanged store nothing.
	Start(ctx context.Context, s *Start) error
	// Identity returns the stored session and its user in one read, whether
	// or not the session is over; ErrNoSession if there is no such session
	// or no such user.
	Identity(ctx context.Context, id SessionID) (*Identity, error)
	// End removes the session; false if there was none, which is no error.
	End(ctx context.Context, id SessionID) (bool, error)
	// EndAll removes every session of the user and says how many there were.
	EndAll(ctx context.Context, userID int64) (int, error)
	// Touch sets last-seen and expiry of the sessions that still exist. It
	// never brings an ended session back and never moves a time backwards.
	Touch(ctx context.Context, seen []Touch) error
	// Sessions lists the stored sessions that f selects; none is no error.
	Sessions(ctx context.Context, f SessionFilter) ([]Session, error)
}

// Replica is a copy of the session store that takes reads off it.
type Replica interface {
	// ReplicaIdentity is SessionStore.Identity as of a moment that is late
	// enough: no write is missing whose news was told before the call, nor one
	// that is older than half a second. It returns nil when the replica can't
	// vouch for that, or knows of no such session: then the store is asked.
	ReplicaIdentity(ctx context.Context, id SessionID) *Identity
}

// Sweeper is a SessionStore that keeps expired sessions until they are swept.
type Sweeper interface {
	// Sweep removes at most limit sessions that expired before now, were last
	// seen before idleSince (if not zero) or have lost their user, and
	// says how many it removed.
	Sweep(ctx context.Context, now, idleSince time.Time, limit int) (int, error)
}

// Start is a login or a registration on its way to the store.
type Start struct {
	// Session to store. With NewUser its UserID is set by the store.
	Session Session
	// NewUser is created with the session and gets its ID; nil at a login.
	NewUser *User
	// Login is what a login changes on its user; nil at a registration.
	Login *LoginStamp
	// Replaces is the session that the client had before; zero for none.
	Replaces SessionID
	// PerUser is how many sessions the user may have, this one included; the
	// oldest are removed. 0: any number.
	PerUser int
	// Audit, if set, is written to the audit log in the same commit by a store
	// that has one, which then sets Audited. At a registration it sets the
	// entry's ActorID.
	Audit   *AuditEntry
	Audited bool
}

// LoginStamp is what a login changes on its user, on the condition that the
// user is still active and its password is still the one that was verified.
type LoginStamp struct {
	At       time.Time // auth_user.last_login
	Verified string    // the encoded password that was verified
	// Upgraded replaces it with a stronger hash of the same password, "" to
	// keep it. The user's other sessions stay: their AuthHash moves from
	// any of OldAuthHashes (one for each secret key) to Session.AuthHash.
	Upgraded      string
	OldAuthHashes []string
}

// LoginStore is a UserStore whose logins can be stamped apart from their
// sessions, for a home of sessions that can't share a commit with the users.
type LoginStore interface {
	// StampLogin changes the user as LoginStamp says; ErrUserChanged if it is
	// no longer active, has another password or is gone.
	StampLogin(ctx context.Context, userID int64, l *LoginStamp) error
}

// Touch is one sign of life.
type Touch struct {
	ID       SessionID
	UserID   int64
	LastSeen time.Time
	Expires  time.Time
}
