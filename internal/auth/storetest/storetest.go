// Package storetest holds every home of users and sessions to the contract
// that the comments in internal/auth/store.go state. A new store is right when
// Run says so:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, hear func(auth.News)) storetest.Stores { … })
//	}
package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/auth"
)

// Stores are the stores under test.
type Stores struct {
	Users auth.UserStore
	// Sessions is also held to auth.Sweeper if it implements it.
	Sessions auth.SessionStore
	// Apart says that sessions share no commit with their users, and go by
	// themselves when they expire. Then an expired session is no session; one
	// whose login and a new password crossed may be left, bound to the old
	// password; logins at the same time may leave fewer than the limit; and an
	// upgraded hash is announced to the user's other sessions beside theirs.
	Apart bool
	// Refer makes a row of a table that is not ours refer to the user, nil if
	// the store of the users knows no such thing.
	Refer func(t *testing.T, userID int64)
}

// Run holds the stores that open returns, empty ones at each call, to the
// contract. open closes them with t.Cleanup and has them tell their news to hear.
func Run(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	for _, group := range []struct {
		name  string
		tests []contract
	}{
		{"users", users},
		{"changes of users", changes},
		{"lists of users", lists},
		{"starts", starts},
		{"limits per user", limits},
		{"sessions", sessions},
		{"lists of sessions", sessionLists},
		{"sweeps", sweeps},
		{"races", races},
		{"ended contexts", contexts},
		{"news", news},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.says, func(t *testing.T) {
					h := new(home)
					h.Stores = open(t, h.hear)
					c.holds(t, h)
				})
			}
		})
	}
}

// contract is one sentence of the contract and what proves it.
type contract struct {
	says  string
	holds func(t *testing.T, h *home)
}

// home makes users and sessions for the tests.
type home struct {
	Stores
	made int

	mu      sync.Mutex
	heard   []auth.News
	hearing func(auth.News) // also told, if not nil
}

// epoch is when the tests take place: with microseconds, and in a future so far
// that no store which lets sessions go by itself has let any go.
var epoch = time.Date(2126, 3, 4, 5, 6, 7, 890_123_000, time.UTC)

// user returns a user that is not stored, different from any other.
func (h *home) user(name string) *auth.User {
	h.made++
	return &auth.User{
		Username:   name,
		Email:      fmt.Sprintf("%d@example.com", h.made),
		Password:   fmt.Sprintf("encoded$%d", h.made),
		IsActive:   true,
		DateJoined: epoch.Add(time.Duration(h.made) * time.Second),
	}
}

// stored stores the user that user makes, after change if that is not nil.
func (h *home) stored(t *testing.T, name string, change func(*auth.User)) *auth.User {
	t.Helper()
	u := h.user(name)
	if change != nil {
		change(u)
	}
	if err := h.Users.CreateUser(t.Context(), u); err != nil {
		t.Fatalf("CreateUser(%q): %v", name, err)
	}
	return u
}

// session returns a session that is not stored, different from any other and
// newer than those before.
func (h *home) session(userID int64) auth.Session {
	h.made++
	created := epoch.Add(time.Duration(h.made) * time.Minute)
	return auth.Session{
		ID:         sha256.Sum256(fmt.Append(nil, "session ", h.made)),
		UserID:     userID,
		AuthHash:   fmt.Sprintf("auth-hash-%d", h.made),
		CSRFSecret: fmt.Sprintf("csrf-secret-%d", h.made),
		Created:    created,
		LastSeen:   created,
		Expires:    created.Add(14 * 24 * time.Hour),
		Address:    netip.MustParseAddr("192.0.2.1"),
		UserAgent:  fmt.Sprintf("agent/%d", h.made),
	}
}

// started stores the session that session makes, after change if that is not
// nil.
func (h *home) started(t *testing.T, userID int64, change func(*auth.Session)) auth.Session {
	t.Helper()
	s := h.session(userID)
	if change != nil {
		change(&s)
	}
	if err := h.Sessions.Start(t.Context(), &auth.Start{Session: s}); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return s
}

// mustGet returns the user as stored.
func (h *home) mustGet(t *testing.T, id int64) *auth.User {
	t.Helper()
	u, err := h.Users.UserByID(t.Context(), id)
	if err != nil {
		t.Fatalf("UserByID(%d): %v", id, err)
	}
	return u
}

// mustHave checks that a session is stored exactly so.
func (h *home) mustHave(t *testing.T, want auth.Session) {
	t.Helper()
	identity, err := h.Sessions.Identity(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Identity: %v", err)
	}
	same(t, identity.Session, want)
}

// mustLack checks that there is no such session.
func (h *home) mustLack(t *testing.T, id auth.SessionID) {
	t.Helper()
	if identity, err := h.Sessions.Identity(t.Context(), id); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("Identity = %+v, %v; want ErrNoSession", identity, err)
	}
}

// has reports whether there is such a session.
func (h *home) has(t *testing.T, id auth.SessionID) bool {
	t.Helper()
	_, err := h.Sessions.Identity(t.Context(), id)
	if err != nil && !errors.Is(err, auth.ErrNoSession) {
		t.Fatalf("Identity: %v", err)
	}
	return err == nil
}

// same compares what was stored with what came back, times as instants.
func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

func usernames(users []auth.User) []string {
	names := make([]string, len(users))
	for i := range users {
		names[i] = users[i].Username
	}
	return names
}

func ids(sessions []auth.Session) []auth.SessionID {
	ids := make([]auth.SessionID, len(sessions))
	for i := range sessions {
		ids[i] = sessions[i].ID
	}
	return ids
}

func ptr[T any](v T) *T { return &v }
