package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/postern-auth/postern/internal/auth"
)

// Homes are the stores of a realm in one.
type Homes interface {
	auth.UserStore
	auth.SessionStore
}

// store makes spans of what a request asks of the stores. It is put around
// them when there is a tracer, so that without one nothing is in the way.
type store struct {
	Homes
	tracer *Tracer
	system string // of the users
	// sessionSystem is that of the sessions, which may be elsewhere.
	sessionSystem string
}

// Stores returns stores that make spans, and sweep if the sessions' does; the
// systems are the names of what holds users and sessions in the semantic
// conventions, such as "sqlite".
func (t *Tracer) Stores(users auth.UserStore, sessions auth.SessionStore, system, sessionSystem string) Homes {
	both := struct {
		auth.UserStore
		auth.SessionStore
	}{users, sessions}
	s := &store{Homes: both, tracer: t, system: system, sessionSystem: sessionSystem}
	if sweeper, ok := sessions.(auth.Sweeper); ok {
		return struct {
			*store
			auth.Sweeper
		}{s, sweeper}
	}
	return s
}

// begin begins a span of a call to a system, and returns what ends it with the
// call's outcome.
func (t *Tracer) begin(ctx context.Context, name, system string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", system)))
	return ctx, func(err error) {
		if errors.Is(err, auth.ErrUnavailable) {
			span.SetStatus(codes.Error, "unavailable")
		}
		span.End()
	}
}

func (s *store) UserByName(ctx context.Context, name string) (*auth.User, error) {
	ctx, end := s.tracer.begin(ctx, "read user", s.system)
	u, err := s.Homes.UserByName(ctx, name)
	end(err)
	return u, err
}

func (s *store) Identity(ctx context.Context, id auth.SessionID) (*auth.Identity, error) {
	ctx, end := s.tracer.begin(ctx, "read session", s.sessionSystem)
	identity, err := s.Homes.Identity(ctx, id)
	end(err)
	return identity, err
}

func (s *store) Start(ctx context.Context, start *auth.Start) error {
	ctx, end := s.tracer.begin(ctx, "commit session", s.sessionSystem)
	err := s.Homes.Start(ctx, start)
	end(err)
	return err
}

func (s *store) End(ctx context.Context, id auth.SessionID) (bool, error) {
	ctx, end := s.tracer.begin(ctx, "commit end of session", s.sessionSystem)
	found, err := s.Homes.End(ctx, id)
	end(err)
	return found, err
}

// Users is what a store of sessions asks of the users' database.
type Users interface {
	UserByID(ctx context.Context, id int64) (*auth.User, error)
	CreateUser(ctx context.Context, u *auth.User) error
	DeleteUser(ctx context.Context, id int64) error
	auth.LoginStore
}

// Users returns users that make spans, below those of the store of sessions
// that asks for them.
func (t *Tracer) Users(u Users, system string) Users { return &usersOfSessions{u, t, system} }

type usersOfSessions struct {
	Users
	tracer *Tracer
	system string
}

func (u *usersOfSessions) UserByID(ctx context.Context, id int64) (*auth.User, error) {
	ctx, end := u.tracer.begin(ctx, "read user", u.system)
	user, err := u.Users.UserByID(ctx, id)
	end(err)
	return user, err
}

func (u *usersOfSessions) CreateUser(ctx context.Context, user *auth.User) error {
	ctx, end := u.tracer.begin(ctx, "commit user", u.system)
	err := u.Users.CreateUser(ctx, user)
	end(err)
	return err
}

func (u *usersOfSessions) StampLogin(ctx context.Context, userID int64, l *auth.LoginStamp) error {
	ctx, end := u.tracer.begin(ctx, "commit login", u.system)
	err := u.Users.StampLogin(ctx, userID, l)
	end(err)
	return err
}
