package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

func (h *home) touch(t *testing.T, touches ...auth.Touch) {
	t.Helper()
	if err := h.Sessions.Touch(t.Context(), touches); err != nil {
		t.Fatalf("Touch: %v", err)
	}
}

var sessions = []contract{
	{"an identity is the session and its user as they are now", func(t *testing.T, h *home) {
		u := h.stored(t, "user", func(u *auth.User) {
			u.FirstName, u.LastName, u.IsStaff, u.IsSuperuser, u.LastLogin = "F", "L", true, true, epoch
		})
		h.stored(t, "other", nil)
		s := h.started(t, u.ID, nil)
		identity, err := h.Sessions.Identity(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, *identity, auth.Identity{User: *u, Session: s})

		u.Password = "encoded$new"
		if err := h.Users.UpdateUser(t.Context(), u.ID, auth.UserChange{Password: &u.Password}); err != nil {
			t.Fatal(err)
		}
		if identity, err = h.Sessions.Identity(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		same(t, identity.User, *u)
	}},
	{"an identity is given whether or not the session is over", func(t *testing.T, h *home) {
		u := h.stored(t, "user", func(u *auth.User) { u.IsActive = false })
		s := h.started(t, u.ID, func(s *auth.Session) { s.Expires = time.Unix(0, 0) })
		if h.Apart {
			h.mustLack(t, s.ID)
			s = h.started(t, u.ID, nil)
		}
		h.mustHave(t, s)
	}},
	{"an unknown id is no session", func(t *testing.T, h *home) {
		h.started(t, h.stored(t, "user", nil).ID, nil)
		h.mustLack(t, auth.SessionID{})
		h.mustLack(t, auth.IDOf("never given"))
	}},
	{"a session whose user is gone is no session", func(t *testing.T, h *home) {
		h.stored(t, "user", nil)
		s := h.session(1 << 40)
		h.mustStart(t, &auth.Start{Session: s})
		h.mustLack(t, s.ID)
	}},
	{"an ended session is gone, once", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		s, kept := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		for _, want := range []bool{true, false, false} {
			if got, err := h.Sessions.End(t.Context(), s.ID); got != want || err != nil {
				t.Errorf("End = %v, %v; want %v", got, err, want)
			}
			h.mustLack(t, s.ID)
		}
		h.mustHave(t, kept)
	}},
	{"all sessions of a user end together, and no others", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		kept := h.started(t, other.ID, nil)
		var own []auth.Session
		for range 3 {
			own = append(own, h.started(t, u.ID, nil))
		}
		for _, want := range []int{3, 0} {
			if got, err := h.Sessions.EndAll(t.Context(), u.ID); got != want || err != nil {
				t.Errorf("EndAll = %d, %v; want %d", got, err, want)
			}
		}
		for _, s := range own {
			h.mustLack(t, s.ID)
		}
		h.mustHave(t, kept)
		if got, err := h.Sessions.EndAll(t.Context(), 1<<40); got != 0 || err != nil {
			t.Errorf("EndAll of nobody = %d, %v", got, err)
		}
	}},
	{"a touch moves last-seen and expiry forward, each by itself", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		s, untouched := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		seen, expires := s.LastSeen, s.Expires
		for _, c := range []struct{ seen, expires time.Duration }{
			{time.Minute, 0},
			{0, time.Minute},
			{2 * time.Minute, 2 * time.Minute},
			{time.Minute, 3 * time.Minute},
			{3 * time.Minute, time.Minute},
			{-time.Hour, -time.Hour},
			{3*time.Minute + time.Microsecond, 0},
		} {
			h.touch(t, auth.Touch{ID: s.ID, UserID: s.UserID, LastSeen: seen.Add(c.seen), Expires: expires.Add(c.expires)})
			s.LastSeen = later(s.LastSeen, seen.Add(c.seen))
			s.Expires = later(s.Expires, expires.Add(c.expires))
			h.mustHave(t, s)
		}
		h.mustHave(t, untouched)
	}},
	{"a touch never brings an ended session back", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		ended, kept := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		if _, err := h.Sessions.End(t.Context(), ended.ID); err != nil {
			t.Fatal(err)
		}
		at := kept.LastSeen.Add(time.Hour)
		h.touch(t,
			auth.Touch{ID: ended.ID, UserID: ended.UserID, LastSeen: at, Expires: at},
			auth.Touch{ID: auth.IDOf("never given"), LastSeen: at, Expires: at},
			auth.Touch{ID: kept.ID, UserID: kept.UserID, LastSeen: at})
		h.mustLack(t, ended.ID)
		h.mustLack(t, auth.IDOf("never given"))
		kept.LastSeen = at
		h.mustHave(t, kept)
	}},
	{"a touch of no or of many sessions is one act", func(t *testing.T, h *home) {
		h.touch(t)
		u := h.stored(t, "user", nil)
		first, last := h.started(t, u.ID, nil), h.started(t, u.ID, nil)
		at := last.LastSeen.Add(time.Hour)
		batch := []auth.Touch{{ID: first.ID, UserID: first.UserID, LastSeen: at, Expires: first.Expires}}
		for i := range 1500 {
			batch = append(batch, auth.Touch{ID: auth.SessionID{0: 1, 30: byte(i >> 8), 31: byte(i)}, LastSeen: at, Expires: at})
		}
		h.touch(t, append(batch, auth.Touch{ID: last.ID, UserID: last.UserID, LastSeen: at, Expires: last.Expires})...)
		first.LastSeen, last.LastSeen = at, at
		h.mustHave(t, first)
		h.mustHave(t, last)
	}},
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (h *home) mustListSessions(t *testing.T, f auth.SessionFilter) []auth.Session {
	t.Helper()
	sessions, err := h.Sessions.Sessions(t.Context(), f)
	if err != nil {
		t.Fatalf("Sessions(%+v): %v", f, err)
	}
	return sessions
}

var sessionLists = []contract{
	{"a list of no sessions is empty and no error", func(t *testing.T, h *home) {
		for _, f := range []auth.SessionFilter{{}, {UserID: 7}, {IDPrefix: "ab"}} {
			if got := h.mustListSessions(t, f); len(got) != 0 {
				t.Errorf("Sessions(%+v) = %v", f, ids(got))
			}
		}
	}},
	{"sessions are listed whole, newest first, expired ones too", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		a := h.started(t, u.ID, nil)
		b := h.started(t, other.ID, nil)
		c := h.started(t, u.ID, func(s *auth.Session) { s.Created, s.Expires = epoch.Add(-time.Hour), epoch })
		same(t, h.mustListSessions(t, auth.SessionFilter{}), []auth.Session{b, a, c})
		same(t, h.mustListSessions(t, auth.SessionFilter{UserID: u.ID}), []auth.Session{a, c})
		same(t, h.mustListSessions(t, auth.SessionFilter{UserID: u.ID, Limit: 1}), []auth.Session{a})
		same(t, h.mustListSessions(t, auth.SessionFilter{Limit: 2}), []auth.Session{b, a})
		same(t, h.mustListSessions(t, auth.SessionFilter{UserID: 1 << 40}), nil)
	}},
	{"a list of sessions is of a hundred unless it says otherwise", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for range 103 {
			h.started(t, u.ID, nil)
		}
		for limit, want := range map[int]int{0: 100, 101: 101, 1000: 103} {
			if got := len(h.mustListSessions(t, auth.SessionFilter{Limit: limit})); got != want {
				t.Errorf("%d sessions with the limit %d, want %d", got, limit, want)
			}
		}
	}},
	{"sessions are found by the first digits of their id", func(t *testing.T, h *home) {
		u, other := h.stored(t, "user", nil), h.stored(t, "other", nil)
		withID := func(id auth.SessionID) func(*auth.Session) { return func(s *auth.Session) { s.ID = id } }
		low := h.started(t, u.ID, withID(auth.SessionID{0: 0x0a, 1: 0xbc}))
		mid := h.started(t, u.ID, withID(auth.SessionID{0: 0xab, 1: 0xcd, 31: 1}))
		next := h.started(t, other.ID, withID(auth.SessionID{0: 0xab, 1: 0xce}))
		var ones auth.SessionID
		for i := range ones {
			ones[i] = 0xff
		}
		high := h.started(t, u.ID, withID(ones))
		for prefix, want := range map[string][]auth.SessionID{
			"":                      {high.ID, next.ID, mid.ID, low.ID},
			"0":                     {low.ID},
			"0a":                    {low.ID},
			"0abc":                  {low.ID},
			"a":                     {next.ID, mid.ID},
			"ab":                    {next.ID, mid.ID},
			"AB":                    {next.ID, mid.ID},
			"abc":                   {next.ID, mid.ID},
			"abcd":                  {mid.ID},
			"abce":                  {next.ID},
			"abcf":                  nil,
			"f":                     {high.ID},
			strings.Repeat("f", 63): {high.ID},
			strings.Repeat("f", 64): {high.ID},
			strings.Repeat("f", 65): nil,
			strings.Repeat("0", 64): nil,
			mid.ID.String():         {mid.ID},
			mid.ID.String()[:63]:    {mid.ID},
			"xyz":                   nil,
			"ab%":                   nil,
			" ab":                   nil,
			"ab\x00":                nil,
		} {
			same(t, ids(h.mustListSessions(t, auth.SessionFilter{IDPrefix: prefix})), want)
		}
		same(t, ids(h.mustListSessions(t, auth.SessionFilter{IDPrefix: "ab", UserID: other.ID})), []auth.SessionID{next.ID})
		same(t, ids(h.mustListSessions(t, auth.SessionFilter{IDPrefix: "a", Limit: 1})), []auth.SessionID{next.ID})
	}},
}
