package main

import (
	"context"
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/django"
)

// errNotModelled is the answer of what the simulation does not use.
var errNotModelled = errors.New("not modelled")

const (
	secretKey = "a secret key of the simulation, of no worth elsewhere"
	encoded   = "md5$salt$0123456789abcdef0123456789abcdef"
)

// authHash binds every session to the one password there is.
var authHash = django.SessionAuthHash(secretKey, encoded)

// store is a home of users and sessions that answers at once and counts.
type store struct {
	sessions map[auth.SessionID]*stored
	began    time.Time

	reads   uint64 // of identities
	touches uint64 // rows whose last-seen time was written
}

type stored struct {
	user              int64
	created, lastSeen time.Time
	expires           time.Time
}

func newStore(began time.Time) *store {
	return &store{sessions: make(map[auth.SessionID]*stored), began: began}
}

// begin stores a session that was made at now and lives for age.
func (s *store) begin(id auth.SessionID, user int64, now time.Time, age time.Duration) {
	s.sessions[id] = &stored{user: user, created: now, lastSeen: now, expires: now.Add(age)}
}

// Identity implements auth.SessionStore.
func (s *store) Identity(_ context.Context, id auth.SessionID) (*auth.Identity, error) {
	s.reads++
	row := s.sessions[id]
	if row == nil {
		return nil, auth.ErrNoSession
	}
	return &auth.Identity{
		User: auth.User{ID: row.user, Username: "someone", Password: encoded, IsActive: true, DateJoined: s.began},
		Session: auth.Session{
			ID: id, UserID: row.user, AuthHash: authHash, CSRFSecret: "abcdefghijklmnopqrstuvwxyzABCDEF",
			Created: row.created, LastSeen: row.lastSeen, Expires: row.expires,
		},
	}, nil
}

// End implements auth.SessionStore.
func (s *store) End(_ context.Context, id auth.SessionID) (bool, error) {
	_, existed := s.sessions[id]
	delete(s.sessions, id)
	return existed, nil
}

// Touch implements auth.SessionStore.
func (s *store) Touch(_ context.Context, seen []auth.Touch) error {
	s.touches += uint64(len(seen))
	for _, t := range seen {
		if row := s.sessions[t.ID]; row != nil && t.LastSeen.After(row.lastSeen) {
			row.lastSeen, row.expires = t.LastSeen, t.Expires
		}
	}
	return nil
}

// PasswordSample implements auth.UserStore: a realm asks for it when it begins.
func (s *store) PasswordSample(context.Context, int64, int) ([]string, error) { return nil, nil }

func (s *store) Start(context.Context, *auth.Start) error            { return errNotModelled }
func (s *store) EndAll(context.Context, int64) (int, error)          { return 0, errNotModelled }
func (s *store) CreateUser(context.Context, *auth.User) error        { return errNotModelled }
func (s *store) DeleteUser(context.Context, int64) error             { return errNotModelled }
func (s *store) UserByID(context.Context, int64) (*auth.User, error) { return nil, errNotModelled }

func (s *store) Sessions(context.Context, auth.SessionFilter) ([]auth.Session, error) {
	return nil, errNotModelled
}

func (s *store) Users(context.Context, auth.UserFilter) ([]auth.User, error) {
	return nil, errNotModelled
}

func (s *store) UserByName(context.Context, string) (*auth.User, error) {
	return nil, errNotModelled
}

func (s *store) UpdateUser(context.Context, int64, auth.UserChange) error { return errNotModelled }
