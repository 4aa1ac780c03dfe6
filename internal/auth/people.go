package auth

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/postern-auth/postern/internal/password"
)

// NewUser is a user to be made by an operator.
type NewUser struct {
	Username    string // normalised
	Email       string // normalised
	Password    string // "" makes it unusable
	IsStaff     bool
	IsSuperuser bool
}

// CreateUser makes a user without opening a session. It returns
// *password.Invalid, *password.Weak, ErrUsernameTaken, *RefusedError,
// password.ErrBusy or ErrUnavailable.
func (r *Realm) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	encoded := password.Unusable(r.rand)
	if n.Password != "" {
		who := password.Attributes{Username: n.Username, Email: n.Email}
		if err := r.ValidatePassword(ctx, n.Password, who); err != nil {
			return nil, err
		}
		var err error
		if encoded, err = r.hash(ctx, netip.Addr{}, n.Password); err != nil {
			return nil, err
		}
	}
	user := &User{
		Username: n.Username, Email: n.Email, Password: encoded,
		IsActive: true, IsStaff: n.IsStaff, IsSuperuser: n.IsSuperuser,
		DateJoined: r.now(),
	}
	if err := r.noteRefusal(ctx, r.users.CreateUser(ctx, user)); err != nil {
		return nil, fmt.Errorf("create a user: %w", err)
	}
	changes := map[string]any{}
	if n.IsStaff {
		changes["is_staff"] = true
	}
	if n.IsSuperuser {
		changes["is_superuser"] = true
	}
	r.record(ctx, r.on(ctx, ActUserCreated, user, changes))
	return user, nil
}

// User returns the user of that name; ErrNoUser if there is none.
func (r *Realm) User(ctx context.Context, name string) (*User, error) {
	return r.users.UserByName(ctx, name)
}

// UserByID returns the user with that id; ErrNoUser if there is none.
func (r *Realm) UserByID(ctx context.Context, id int64) (*User, error) {
	return r.users.UserByID(ctx, id)
}

// Users lists users.
func (r *Realm) Users(ctx context.Context, f UserFilter) ([]User, error) {
	return r.users.Users(ctx, f)
}

// SetPassword gives the user a new password and ends its sessions. It
// returns ErrNoUser, *password.Invalid, *password.Weak, password.ErrBusy,
// ErrUnavailable, or *SessionsRemain.
func (r *Realm) SetPassword(ctx context.Context, name, plain string) error {
	user, err := r.users.UserByName(ctx, name)
	if err != nil {
		return fmt.Errorf("set the password: %w", err)
	}
	return r.setPassword(ctx, user, plain)
}

// setPassword is SetPassword for a user that was read, whose Password it keeps
// up to date.
func (r *Realm) setPassword(ctx context.Context, user *User, plain string) error {
	who := password.Attributes{Username: user.Username, FirstName: user.FirstName, LastName: user.LastName, Email: user.Email}
	if err := r.ValidatePassword(ctx, plain, who); err != nil {
		return err
	}
	encoded, err := r.hash(ctx, netip.Addr{}, plain)
	if err != nil {
		return err
	}
	if err := r.change(ctx, user, UserChange{Password: &encoded}); err != nil {
		return err
	}
	user.Password = encoded
	return nil
}

// SetActive lets the user of that name in or shuts it out; shutting it out
// ends its sessions. It returns ErrNoUser, ErrLastSuperuser, ErrUnavailable, or
// *SessionsRemain.
func (r *Realm) SetActive(ctx context.Context, name string, active bool) error {
	user, err := r.users.UserByName(ctx, name)
	if err != nil {
		return fmt.Errorf("set active: %w", err)
	}
	return r.change(ctx, user, UserChange{IsActive: &active})
}

// SetActiveByID is SetActive for the user with that id.
func (r *Realm) SetActiveByID(ctx context.Context, id int64, active bool) error {
	user, err := r.users.UserByID(ctx, id)
	if err != nil {
		return fmt.Errorf("set active: %w", err)
	}
	return r.change(ctx, user, UserChange{IsActive: &active})
}

// change writes to the user and ends its sessions, unless the change only
// lets it in. The first commit already makes the sessions worthless (Check
// compares password and state), the second removes them.
func (r *Realm) change(ctx context.Context, user *User, c UserChange) error {
	if err := r.users.UpdateUser(ctx, user.ID, c); err != nil {
		return fmt.Errorf("change a user: %w", err)
	}
	if c.Password != nil {
		r.record(ctx, r.on(ctx, ActPasswordChanged, user, nil))
	}
	if c.IsActive != nil && *c.IsActive != user.IsActive {
		r.record(ctx, r.on(ctx, activation(*c.IsActive), user, nil))
	}
	if c.Password == nil && c.IsActive != nil && *c.IsActive {
		return nil
	}
	_, err := r.sessions.EndAll(ctx, user.ID)
	return sessionsRemain(err)
}

func activation(active bool) Act {
	if active {
		return ActUserActivated
	}
	return ActUserDeactivated
}

// DeleteUser removes the user of that name and its sessions. It returns
// ErrNoUser, ErrLastSuperuser, ErrUserInUse, ErrUnavailable, or *SessionsRemain.
func (r *Realm) DeleteUser(ctx context.Context, name string) error {
	user, err := r.users.UserByName(ctx, name)
	if err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	return r.delete(ctx, user)
}

// DeleteUserByID is DeleteUser for the user with that id.
func (r *Realm) DeleteUserByID(ctx context.Context, id int64) error {
	user, err := r.users.UserByID(ctx, id)
	if err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	return r.delete(ctx, user)
}

func (r *Realm) delete(ctx context.Context, user *User) error {
	if err := r.users.DeleteUser(ctx, user.ID); err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	r.record(ctx, r.on(ctx, ActUserDeleted, user, nil))
	if _, err := r.sessions.EndAll(ctx, user.ID); err != nil {
		return &SessionsRemain{Err: err, Deleted: true}
	}
	return nil
}
