// Package auth is the domain: users, sessions and the acts on them. A request
// meets it as one of those acts: Register, Login, Check, Logout. It knows
// no HTTP and no SQL; where users and sessions live is behind the two store
// interfaces of store.go, which internal/auth/storetest holds every home to.
//
// An act that returns without an error is durable: the store has committed it.
package auth

import "errors"

// The errors that acts and stores return, to be told apart with errors.Is.
var (
	// ErrNoUser says that no user has the name or id asked for.
	ErrNoUser = errors.New("no such user")
	// ErrNoSession says that the key or id names no live session: unknown,
	// expired, ended, or its user is gone, inactive or has a new password.
	ErrNoSession = errors.New("no such session")
	// ErrUsernameTaken says that a user with that name exists.
	ErrUsernameTaken = errors.New("a user with that username already exists")
	// ErrInvalidCredentials is the one answer to an unknown name, a wrong
	// password and an inactive user.
	ErrInvalidCredentials = errors.New("invalid credentials")
	// ErrUserChanged says that the user's password or state changed between
	// the check of the password and the commit of the session.
	ErrUserChanged = errors.New("the user changed meanwhile")
	// ErrUserInUse says that rows of tables that are not ours refer to the user.
	ErrUserInUse = errors.New("other tables still refer to this user")
	// ErrLastSuperuser says that the act would leave no active superuser.
	ErrLastSuperuser = errors.New("this is the last active superuser")
	// ErrSuperuser says that the act is on a superuser, and who acts is none.
	ErrSuperuser = errors.New("only a superuser may do this to a superuser")
	// ErrUnavailable says that the store can't be reached or is too busy now.
	ErrUnavailable = errors.New("the store is unavailable")
)
