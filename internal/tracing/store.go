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
	system string
}

// Stores returns stores that make spans, and sweep if the sessions' does;
// system is the database's name in the semantic conventions, such as "sqlite".
func (t *Tracer) Stores(users auth.UserStore, sessions auth.SessionStore, system string) Homes {
	both := struct {
		auth.UserStore
		auth.SessionStore
	}{users, sessions}
	s := &store{Homes: both, tracer: t, system: system}
	if sweeper, ok := sessions.(auth.Sweeper); ok {
		return struct {
			*store
			auth.Sweeper
		}{s, sweeper}
	}
	return s
}

// begin begins a span, and returns what ends it with an act's outcome.
func (s *store) begin(ctx context.Context, name string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := s.tracer.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", s.system)))
	return ctx, func(err error) {
		if errors.Is(err, auth.ErrUnavailable) {
			span.SetStatus(codes.Error, "unavailable")
		}
		span.End()
	}
}

func (s *store) UserByName(ctx context.Context, name string) (*auth.User, error) {
	ctx, end := s.begin(ctx, "read user")
	u, err := s.Homes.UserByName(ctx, name)
	end(err)
	return u, err
}

func (s *store) Identity(ctx context.Context, id auth.SessionID) (*auth.Identity, error) {
	ctx, end := s.begin(ctx, "read session")
	identity, err := s.Homes.Identity(ctx, id)
	end(err)
	return identity, err
}

func (s *store) Start(ctx context.Context, start *auth.Start) error {
	ctx, end := s.begin(ctx, "commit session")
	err := s.Homes.Start(ctx, start)
	end(err)
	return err
}

func (s *store) End(ctx context.Context, id auth.SessionID) (bool, error) {
	ctx, end := s.begin(ctx, "commit end of session")
	found, err := s.Homes.End(ctx, id)
	end(err)
	return found, err
}
