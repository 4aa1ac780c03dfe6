package auth

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/password"
)

// Registration is a person who wants to become a user. Username and Email
// have passed the field rules and are normalised.
type Registration struct {
	Username string
	Email    string
	Password string
}

// Register creates a user and opens its first session, in one commit. It
// returns *password.Invalid or *password.Weak when the password is refused,
// ErrUsernameTaken, *RefusedError, password.ErrBusy, or ErrUnavailable.
func (r *Realm) Register(ctx context.Context, g Registration, v Visit) (*Opened, error) {
	if err := r.ValidatePassword(ctx, g.Password, password.Attributes{Username: g.Username, Email: g.Email}); err != nil {
		return nil, err
	}
	encoded, err := r.hash(ctx, v.Address, g.Password)
	if err != nil {
		return nil, err
	}
	session, key, err := r.newSession(v)
	if err != nil {
		return nil, err
	}
	session.AuthHash = django.SessionAuthHash(r.keys[0], encoded)
	user := &User{
		Username:   g.Username,
		Email:      g.Email,
		Password:   encoded,
		IsActive:   true,
		LastLogin:  session.Created,
		DateJoined: session.Created,
	}
	start := &Start{
		Session: session, NewUser: user, Replaces: v.Current, PerUser: r.policy.PerUser,
		Audit: r.by(ctx, ActRegister, user, v),
	}
	if err := r.noteRefusal(ctx, r.sessions.Start(ctx, start)); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if start.Audit != nil && !start.Audited {
		start.Audit.ActorID = user.ID
		r.record(ctx, *start.Audit)
	}
	return &Opened{Identity: &Identity{User: *user, Session: start.Session}, Key: key}, nil
}

// UsernameTaken reports whether a user has that (normalised) name.
func (r *Realm) UsernameTaken(ctx context.Context, name string) (bool, error) {
	_, err := r.users.UserByName(ctx, name)
	switch {
	case err == nil:
		return true, nil
	case isNoUser(err):
		return false, nil
	}
	return false, fmt.Errorf("look up a username: %w", err)
}

// ValidatePassword asks the validators about a new password, without the white
// space around it. It returns *password.Invalid for a text that can't be a
// password, or *password.Weak with all messages of the validators, or nil; a
// realm that only warns logs the messages and returns nil.
func (r *Realm) ValidatePassword(ctx context.Context, plain string, who password.Attributes) error {
	plain = password.Trim(plain)
	if err := password.CheckText(plain); err != nil {
		return err
	}
	messages := password.Validate(r.validators, plain, who)
	if len(messages) == 0 {
		return nil
	}
	if r.warnOnly {
		r.log.LogAttrs(ctx, slog.LevelWarn, "weak password accepted: the validators only warn in dev",
			slog.Any("warnings", messages))
		return nil
	}
	return &password.Weak{Messages: messages}
}
