package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// together runs act n times at once and returns the errors.
func together(n int, act func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = act(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

var races = []contract{
	{"of many registrations under one name exactly one succeeds", func(t *testing.T, h *home) {
		all := make([]*auth.Start, 64)
		for i := range all {
			all[i] = &auth.Start{Session: h.session(0), NewUser: h.user("wanted")}
		}
		winner := -1
		for i, err := range together(len(all), func(i int) error { return h.Sessions.Start(t.Context(), all[i]) }) {
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Errorf("registrations %d and %d both succeeded", winner, i)
			case !errors.Is(err, auth.ErrUsernameTaken):
				t.Errorf("registration %d: %v, want ErrUsernameTaken", i, err)
			}
		}
		if winner < 0 {
			t.Fatal("no registration succeeded")
		}
		h.mustHave(t, all[winner].Session)
		same(t, h.mustListSessions(t, auth.SessionFilter{}), []auth.Session{all[winner].Session})
		same(t, h.mustList(t, auth.UserFilter{}), []auth.User{*all[winner].NewUser})
	}},
	{"a write that fails does not hurt those at the same time", func(t *testing.T, h *home) {
		taken := h.stored(t, "taken", nil)
		u := h.stored(t, "user", nil)
		all := make([]*auth.Start, 60)
		want := make([]error, len(all))
		for i := range all {
			switch i % 3 {
			case 0:
				all[i] = &auth.Start{Session: h.session(0), NewUser: h.user(fmt.Sprint("new", i))}
			case 1:
				all[i], want[i] = &auth.Start{Session: h.session(0), NewUser: h.user("taken")}, auth.ErrUsernameTaken
			case 2:
				all[i], want[i] = h.login(u), auth.ErrUserChanged
				all[i].Login.Verified = "another password"
			}
		}
		for i, err := range together(len(all), func(i int) error { return h.Sessions.Start(t.Context(), all[i]) }) {
			if !errors.Is(err, want[i]) {
				t.Errorf("start %d = %v, want %v", i, err, want[i])
			}
			if want[i] == nil {
				h.mustHave(t, all[i].Session)
				same(t, h.mustGet(t, all[i].NewUser.ID), all[i].NewUser)
			} else {
				h.mustLack(t, all[i].Session.ID)
			}
		}
		same(t, h.mustGet(t, taken.ID), taken)
		same(t, h.mustGet(t, u.ID), u)
	}},
	{"a login with the old password never outlives the change of it", func(t *testing.T, h *home) {
		for round := range 8 {
			u := h.stored(t, fmt.Sprint("user", round), nil)
			logins := make([]*auth.Start, 8)
			for i := range logins {
				logins[i] = h.login(u)
			}
			errs := together(len(logins)+1, func(i int) error {
				if i < len(logins) {
					return h.Sessions.Start(t.Context(), logins[i])
				}
				if err := h.Users.UpdateUser(t.Context(), u.ID, auth.UserChange{Password: ptr("encoded$new")}); err != nil {
					return err
				}
				_, err := h.Sessions.EndAll(t.Context(), u.ID)
				return err
			})
			if err := errs[len(logins)]; err != nil {
				t.Fatalf("change of the password: %v", err)
			}
			for i, login := range logins {
				if errs[i] != nil {
					wantError(t, "Start", errs[i], auth.ErrUserChanged)
				}
				if h.Apart && h.has(t, login.Session.ID) {
					login.Session.UserID = u.ID
					h.mustHave(t, login.Session) // bound to the old password
					continue
				}
				h.mustLack(t, login.Session.ID)
			}
			if got := h.mustGet(t, u.ID).Password; got != "encoded$new" {
				t.Errorf("password %q after the change", got)
			}
		}
	}},
	{"a session that ends while it is touched is over", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for range 8 {
			s := h.started(t, u.ID, nil)
			errs := together(6, func(i int) error {
				if i == 0 {
					ended, err := h.Sessions.End(t.Context(), s.ID)
					if err == nil && !ended {
						err = errors.New("there was no session to end")
					}
					return err
				}
				at := s.LastSeen.Add(time.Duration(i) * time.Minute)
				return h.Sessions.Touch(t.Context(), []auth.Touch{{ID: s.ID, UserID: s.UserID, LastSeen: at, Expires: at}})
			})
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			h.mustLack(t, s.ID)
		}
	}},
	{"touches at the same time leave the latest", func(t *testing.T, h *home) {
		s := h.started(t, h.stored(t, "user", nil).ID, nil)
		errs := together(16, func(i int) error {
			return h.Sessions.Touch(t.Context(), []auth.Touch{{
				ID:       s.ID,
				LastSeen: s.LastSeen.Add(time.Duration(i) * time.Second),
				Expires:  s.Expires.Add(time.Duration(15-i) * time.Second),
			}})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		s.LastSeen, s.Expires = s.LastSeen.Add(15*time.Second), s.Expires.Add(15*time.Second)
		h.mustHave(t, s)
	}},
	{"logins at the same time keep to the limit", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		all := make([]*auth.Start, 32)
		for i := range all {
			all[i] = h.login(u)
			all[i].PerUser = 3
		}
		if err := errors.Join(together(len(all), func(i int) error { return h.Sessions.Start(t.Context(), all[i]) })...); err != nil {
			t.Fatal(err)
		}
		if n := len(h.mustListSessions(t, auth.SessionFilter{UserID: u.ID})); n > 3 || n < 3 && !h.Apart || n == 0 {
			t.Errorf("%d sessions are left, want 3", n)
		}
	}},
	{"of superusers that leave at the same time one stays", func(t *testing.T, h *home) {
		all := make([]*auth.User, 8)
		for i := range all {
			all[i] = h.stored(t, fmt.Sprint("root", i), superuser)
		}
		stayed := 0
		for _, err := range together(len(all), func(i int) error {
			if i%2 == 0 {
				return h.Users.DeleteUser(t.Context(), all[i].ID)
			}
			return h.Users.UpdateUser(t.Context(), all[i].ID, auth.UserChange{IsActive: ptr(false)})
		}) {
			if err != nil {
				wantError(t, "leaving", err, auth.ErrLastSuperuser)
				stayed++
			}
		}
		if left := h.mustList(t, auth.UserFilter{Superior: true}); len(left) != 1 || stayed != 1 {
			t.Errorf("%d refused to leave, %d are left, want one", stayed, len(left))
		}
	}},
}

var contexts = []contract{
	{"an act whose context has ended is not done", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		s := h.started(t, u.ID, nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		start := h.login(u)
		at := s.LastSeen.Add(time.Hour)
		for name, act := range map[string]func() error{
			"UserByName": func() error { _, err := h.Users.UserByName(ended, "user"); return err },
			"UserByID":   func() error { _, err := h.Users.UserByID(ended, u.ID); return err },
			"CreateUser": func() error { return h.Users.CreateUser(ended, h.user("new")) },
			"UpdateUser": func() error { return h.Users.UpdateUser(ended, u.ID, auth.UserChange{Password: ptr("x")}) },
			"DeleteUser": func() error { return h.Users.DeleteUser(ended, u.ID) },
			"Users":      func() error { _, err := h.Users.Users(ended, auth.UserFilter{}); return err },
			"Start":      func() error { return h.Sessions.Start(ended, start) },
			"Identity":   func() error { _, err := h.Sessions.Identity(ended, s.ID); return err },
			"End":        func() error { _, err := h.Sessions.End(ended, s.ID); return err },
			"EndAll":     func() error { _, err := h.Sessions.EndAll(ended, u.ID); return err },
			"Touch": func() error {
				return h.Sessions.Touch(ended, []auth.Touch{{ID: s.ID, UserID: s.UserID, LastSeen: at, Expires: at}})
			},
			"Sessions": func() error { _, err := h.Sessions.Sessions(ended, auth.SessionFilter{}); return err },
		} {
			wantError(t, name, act(), auth.ErrUnavailable)
		}
		same(t, h.mustList(t, auth.UserFilter{}), []auth.User{*u})
		same(t, h.mustListSessions(t, auth.SessionFilter{}), []auth.Session{s})
	}},
}
