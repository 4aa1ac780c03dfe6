package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

func (h *home) hear(n auth.News) {
	h.mu.Lock()
	h.heard = append(h.heard, n)
	also := h.hearing
	h.mu.Unlock()
	if also != nil {
		also(n)
	}
}

// mustTell does something to a session that a memory must not survive: when
// act returns, news about the session, or about its user, has been told, at a
// time when the store itself already knew.
func (h *home) mustTell(t *testing.T, s auth.Session, act func() error) {
	t.Helper()
	before, err := h.Sessions.Identity(t.Context(), s.ID)
	if err != nil {
		t.Fatalf("Identity: %v", err)
	}
	told, early := false, false
	h.mu.Lock()
	h.hearing = func(n auth.News) {
		if n.Session != s.ID && n.User != s.UserID {
			return
		}
		told = true
		now, err := h.Sessions.Identity(t.Context(), s.ID)
		switch {
		case errors.Is(err, auth.ErrNoSession):
		case err != nil:
			t.Errorf("Identity while news is told: %v", err)
		case fmt.Sprint(now.User) == fmt.Sprint(before.User):
			early = true
		}
	}
	h.mu.Unlock()
	if err := act(); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hearing = nil
	if !told {
		t.Error("nothing was told before the act was acknowledged")
	}
	if early {
		t.Error("the news was told before the commit")
	}
}

// news is told of what makes a remembered session doubtful. A store that is
// not asked to tell any need not pass.
var news = []contract{
	{"the end of a session is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error { _, err := h.Sessions.End(t.Context(), s.ID); return err })
	}},
	{"the end of all sessions of a user is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error { _, err := h.Sessions.EndAll(t.Context(), s.UserID); return err })
	}},
	{"the session that a new one replaces is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error {
			return h.Sessions.Start(t.Context(), &auth.Start{Session: h.session(s.UserID), Replaces: s.ID})
		})
	}},
	{"the session that is one too many is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error {
			return h.Sessions.Start(t.Context(), &auth.Start{Session: h.session(s.UserID), PerUser: 1})
		})
	}},
	{"a new password is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error {
			return h.Users.UpdateUser(t.Context(), s.UserID, auth.UserChange{Password: ptr("encoded$new")})
		})
	}},
	{"a deactivation is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error {
			return h.Users.UpdateUser(t.Context(), s.UserID, auth.UserChange{IsActive: ptr(false)})
		})
	}},
	{"a deletion is told", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustTell(t, s, func() error { return h.Users.DeleteUser(t.Context(), s.UserID) })
	}},
	{"what a sweep removes is told", func(t *testing.T, h *home) {
		if h.sweeper() == nil {
			return
		}
		s := h.started(t, h.stored(t, "user", nil).ID, func(s *auth.Session) { s.Expires = epoch })
		h.mustTell(t, s, func() error {
			_, err := h.sweeper().Sweep(t.Context(), epoch.Add(time.Hour), time.Time{}, 10)
			return err
		})
	}},
	{"who is not concerned is not told of", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		other := h.started(t, h.stored(t, "other", nil).ID, nil)
		h.mustTell(t, other, func() error { _, err := h.Sessions.End(t.Context(), other.ID); return err })
		at := s.LastSeen.Add(time.Hour)
		if err := h.Sessions.Touch(t.Context(), []auth.Touch{{ID: s.ID, UserID: s.UserID, LastSeen: at, Expires: s.Expires}}); err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, n := range h.heard {
			if n.Session == s.ID || n.User == s.UserID {
				t.Errorf("told %+v", n)
			}
		}
	}},
}
