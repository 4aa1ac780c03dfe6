package storetest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// login is the start of a session of u, verified with its stored password.
func (h *home) login(u *auth.User) *auth.Start {
	s := h.session(u.ID)
	return &auth.Start{Session: s, Login: &auth.LoginStamp{At: s.Created, Verified: u.Password}}
}

func (h *home) mustStart(t *testing.T, start *auth.Start) {
	t.Helper()
	if err := h.Sessions.Start(t.Context(), start); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

var starts = []contract{
	{"a registration stores the user and its session, and tells the id", func(t *testing.T, h *home) {
		u := h.user("new")
		u.LastLogin = epoch
		start := &auth.Start{Session: h.session(0), NewUser: u}
		h.mustStart(t, start)
		if u.ID <= 0 || start.Session.UserID != u.ID {
			t.Fatalf("user %d, session of user %d", u.ID, start.Session.UserID)
		}
		same(t, h.mustGet(t, u.ID), u)
		h.mustHave(t, start.Session)
	}},
	{"a registration under a name that is taken stores nothing", func(t *testing.T, h *home) {
		first := h.stored(t, "name", nil)
		old := h.started(t, first.ID, nil)
		start := &auth.Start{Session: h.session(0), NewUser: h.user("name"), Replaces: old.ID, PerUser: 1}
		wantError(t, "Start", h.Sessions.Start(t.Context(), start), auth.ErrUsernameTaken)
		if start.NewUser.ID != 0 || start.Session.UserID != 0 {
			t.Errorf("the refused start has the ids %d and %d", start.NewUser.ID, start.Session.UserID)
		}
		h.mustLack(t, start.Session.ID)
		h.mustHave(t, old)
		same(t, h.mustGet(t, first.ID), first)
		same(t, usernames(h.mustList(t, auth.UserFilter{})), []string{"name"})
	}},
	{"a login stores its session and when it was, and changes nothing else", func(t *testing.T, h *home) {
		u := h.stored(t, "user", func(u *auth.User) {
			u.FirstName, u.LastName, u.IsStaff, u.IsSuperuser = "F", "L", true, true
		})
		other := h.stored(t, "other", nil)
		before := h.started(t, u.ID, nil)
		start := h.login(u)
		h.mustStart(t, start)
		u.LastLogin = start.Login.At
		same(t, h.mustGet(t, u.ID), u)
		h.mustHave(t, start.Session)
		h.mustHave(t, before)
		same(t, h.mustGet(t, other.ID), other)
	}},
	{"a login of a user that changed meanwhile stores nothing", func(t *testing.T, h *home) {
		for name, change := range map[string]func(t *testing.T, u *auth.User){
			"another password": func(t *testing.T, u *auth.User) {
				if err := h.Users.UpdateUser(t.Context(), u.ID, auth.UserChange{Password: ptr("encoded$new")}); err != nil {
					t.Fatal(err)
				}
			},
			"inactive": func(t *testing.T, u *auth.User) {
				if err := h.Users.UpdateUser(t.Context(), u.ID, auth.UserChange{IsActive: ptr(false)}); err != nil {
					t.Fatal(err)
				}
			},
			"deleted": func(t *testing.T, u *auth.User) {
				if err := h.Users.DeleteUser(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				u, other := h.stored(t, name, nil), h.stored(t, name+"?", nil)
				kept := h.started(t, other.ID, nil)
				start := h.login(u)
				start.Login.Upgraded, start.Login.OldAuthHashes = "encoded$stronger", []string{kept.AuthHash}
				start.Replaces, start.PerUser = kept.ID, 1
				change(t, u)
				wantError(t, "Start", h.Sessions.Start(t.Context(), start), auth.ErrUserChanged)
				h.mustLack(t, start.Session.ID)
				h.mustHave(t, kept)
				if after, err := h.Users.UserByID(t.Context(), u.ID); err == nil {
					if !after.LastLogin.IsZero() || after.Password == "encoded$stronger" {
						t.Errorf("the refused login left %+v", after)
					}
				}
			})
		}
	}},
	{"a password that was only nearly verified is another password", func(t *testing.T, h *home) {
		u := h.stored(t, "user", func(u *auth.User) { u.Password = "Encoded$x" })
		for _, verified := range []string{"encoded$x", "Encoded$x ", "Encoded$", ""} {
			start := h.login(u)
			start.Login.Verified = verified
			wantError(t, "Start", h.Sessions.Start(t.Context(), start), auth.ErrUserChanged)
			h.mustLack(t, start.Session.ID)
		}
	}},
	{"an upgraded password keeps the user's other sessions", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		oldHash := func(s *auth.Session) { s.AuthHash = "old" }
		alive := h.started(t, u.ID, oldHash)
		stale := h.started(t, u.ID, func(s *auth.Session) { s.AuthHash = "of an older password" })
		foreign := h.started(t, other.ID, oldHash)

		start := h.login(u)
		start.Session.AuthHash = "new"
		start.Login.Upgraded, start.Login.OldAuthHashes = "encoded$stronger", []string{"older", "old"}
		h.mustStart(t, start)

		u.Password, u.LastLogin = "encoded$stronger", start.Login.At
		same(t, h.mustGet(t, u.ID), u)
		h.mustHave(t, start.Session)
		if h.Apart {
			alive.NextAuthHash = "new"
		} else {
			alive.AuthHash = "new"
		}
		h.mustHave(t, alive)
		h.mustHave(t, stale)
		h.mustHave(t, foreign)
	}},
	{"a start takes the place of the session before, whosever it was", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		own, foreign, kept := h.started(t, u.ID, nil), h.started(t, other.ID, nil), h.started(t, other.ID, nil)
		first := h.login(u)
		first.Replaces = own.ID
		h.mustStart(t, first)
		h.mustLack(t, own.ID)
		h.mustHave(t, first.Session)
		second := h.login(u)
		second.Replaces = foreign.ID
		h.mustStart(t, second)
		h.mustLack(t, foreign.ID)
		registration := &auth.Start{Session: h.session(0), NewUser: h.user("new"), Replaces: second.Session.ID}
		h.mustStart(t, registration)
		h.mustLack(t, second.Session.ID)
		h.mustHave(t, registration.Session)
		h.mustHave(t, kept)
	}},
	{"a start may replace a session that is already gone", func(t *testing.T, h *home) {
		start := h.login(h.stored(t, "user", nil))
		start.Replaces = h.session(0).ID
		h.mustStart(t, start)
		h.mustHave(t, start.Session)
	}},
	{"a session comes back with everything as it was stored", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for _, address := range []netip.Addr{
			{},
			netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::7"),
			netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"),
		} {
			h.mustHave(t, h.started(t, u.ID, func(s *auth.Session) { s.Address = address }))
		}
		for _, agent := range []string{"", "Mozilla/5.0 (ключ) 'x'; --", strings.Repeat("é", auth.MaxUserAgent/2)} {
			h.mustHave(t, h.started(t, u.ID, func(s *auth.Session) { s.UserAgent = agent }))
		}
		s := h.started(t, u.ID, func(s *auth.Session) {
			s.Created = epoch.Add(time.Microsecond)
			s.LastSeen = epoch.Add(2 * time.Microsecond).In(time.FixedZone("", 3600))
			s.Expires = epoch.Add(3 * time.Microsecond)
		})
		h.mustHave(t, s)
		identity, err := h.Sessions.Identity(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := identity.Session.LastSeen.Location(); got != time.UTC {
			t.Errorf("a time in %v", got)
		}
	}},
	{"the bytes of an id are all told apart", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for _, id := range []auth.SessionID{{1}, {31: 1}, {0: 0xff, 31: 0xff}, {15: 0x80}} {
			h.mustLack(t, id)
			h.mustHave(t, h.started(t, u.ID, func(s *auth.Session) { s.ID = id }))
		}
	}},
}

var limits = []contract{
	{"no limit keeps every session", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for range 12 {
			h.mustStart(t, h.login(u))
		}
		n, err := h.Sessions.EndAll(t.Context(), u.ID)
		if n != 12 || err != nil {
			t.Errorf("EndAll = %d, %v; want 12", n, err)
		}
	}},
	{"the oldest sessions leave for a new one", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		foreign := h.started(t, other.ID, nil)
		var all []auth.Session
		for range 5 {
			all = append(all, h.started(t, u.ID, nil))
		}
		start := h.login(u)
		start.PerUser = 3
		h.mustStart(t, start)
		for i, s := range all {
			if got, want := h.has(t, s.ID), i >= 3; got != want {
				t.Errorf("session %d of 5 is there: %v, want %v", i, got, want)
			}
		}
		h.mustHave(t, start.Session)
		h.mustHave(t, foreign)
	}},
	{"a limit of one leaves the new session alone", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		var last *auth.Start
		for range 3 {
			last = h.login(u)
			last.PerUser = 1
			h.mustStart(t, last)
		}
		h.mustHave(t, last.Session)
		n, err := h.Sessions.EndAll(t.Context(), u.ID)
		if n != 1 || err != nil {
			t.Errorf("EndAll = %d, %v; want 1", n, err)
		}
	}},
	{"the new session stays, even if the clock went backwards", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		older, newer := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		start := h.login(u)
		start.Session.Created = epoch.Add(-time.Hour)
		start.PerUser = 2
		h.mustStart(t, start)
		h.mustHave(t, start.Session)
		h.mustHave(t, newer)
		h.mustLack(t, older.ID)
	}},
	{"an expired session does not take the place of a live one", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		live := h.started(t, u.ID, nil)
		h.started(t, u.ID, func(s *auth.Session) { s.Expires = s.Created.Add(time.Second) })
		start := h.login(u)
		start.PerUser = 2
		h.mustStart(t, start)
		h.mustHave(t, live)
		h.mustHave(t, start.Session)
	}},
	{"the replaced session does not count", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		kept, replaced := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		start := h.login(u)
		start.Replaces, start.PerUser = replaced.ID, 2
		h.mustStart(t, start)
		h.mustHave(t, kept)
		h.mustLack(t, replaced.ID)
	}},
}
