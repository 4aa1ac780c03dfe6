package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/password"
)

// ErrNeedsUsername says that a user's name can't be read, so that a repair must
// be given one.
var ErrNeedsUsername = errors.New("the username is unreadable: give a new one")

// Repair is what to put in the place of unreadable values. Those that it does
// not name become empty: a password unusable, the last login never.
type Repair struct {
	Username   string    // needed if it is unreadable, and not looked at otherwise
	Email      string    // "" for none
	DateJoined time.Time // zero: now
}

// RepairUser replaces the unreadable values of the user with that id, and no
// others, and returns their columns. It returns ErrNoUser, ErrNeedsUsername,
// ErrUsernameTaken or ErrUnavailable.
func (r *Realm) RepairUser(ctx context.Context, id int64, with Repair) (Columns, error) {
	user, err := r.users.UserByID(ctx, id)
	if err != nil || user.Unreadable == 0 {
		return 0, err
	}
	edit, err := r.repair(user, with)
	if err != nil {
		return 0, err
	}
	if err := r.roster.EditUser(ctx, id, edit); err != nil {
		return 0, fmt.Errorf("repair a user: %w", err)
	}
	r.record(ctx, r.on(ctx, ActUserChanged, user, map[string]any{"repaired": user.Unreadable.Names()}))
	return user.Unreadable, nil
}

func (r *Realm) repair(user *User, with Repair) (e UserEdit, err error) {
	bad := func(column Columns) bool { return user.Unreadable&column != 0 }
	var empty string
	if bad(ColumnUsername) {
		if with.Username == "" {
			return e, ErrNeedsUsername
		}
		e.Username = &with.Username
	}
	if bad(ColumnEmail) {
		e.Email = &with.Email
	}
	if bad(ColumnFirstName) {
		e.FirstName = &empty
	}
	if bad(ColumnLastName) {
		e.LastName = &empty
	}
	if bad(ColumnPassword) {
		unusable := password.Unusable(r.rand)
		e.Password = &unusable
	}
	if bad(ColumnDateJoined) {
		if with.DateJoined.IsZero() {
			with.DateJoined = r.now()
		}
		e.DateJoined = &with.DateJoined
	}
	e.ForgetLastLogin = bad(ColumnLastLogin)
	return e, nil
}
