package storetest

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// sweeper returns the sessions as a Sweeper, nil if the store is none.
func (h *home) sweeper() auth.Sweeper {
	s, _ := h.Sessions.(auth.Sweeper)
	return s
}

func (h *home) mustSweep(t *testing.T, now, idleSince time.Time, limit, want int) {
	t.Helper()
	n, err := h.sweeper().Sweep(t.Context(), now, idleSince, limit)
	if n != want || err != nil {
		t.Errorf("Sweep = %d, %v; want %d", n, err, want)
	}
}

var sweeps = []contract{
	{"a sweep removes what has expired and nothing else", func(t *testing.T, h *home) {
		if h.sweeper() == nil {
			return
		}
		u := h.stored(t, "user", nil)
		now := epoch.Add(24 * time.Hour)
		expiring := func(at time.Time) auth.Session {
			return h.started(t, u.ID, func(s *auth.Session) { s.Expires = at })
		}
		long, just := expiring(epoch), expiring(now.Add(-time.Microsecond))
		soon, later := expiring(now.Add(time.Microsecond)), expiring(now.Add(time.Hour))
		h.mustSweep(t, now, time.Time{}, 100, 2)
		h.mustLack(t, long.ID)
		h.mustLack(t, just.ID)
		h.mustHave(t, soon)
		h.mustHave(t, later)
		h.mustSweep(t, now, time.Time{}, 100, 0)
	}},
	{"a sweep removes what was idle, if it is told since when", func(t *testing.T, h *home) {
		if h.sweeper() == nil {
			return
		}
		u := h.stored(t, "user", nil)
		since := epoch.Add(24 * time.Hour)
		seen := func(at time.Time) auth.Session {
			return h.started(t, u.ID, func(s *auth.Session) { s.LastSeen = at })
		}
		idle, used := seen(since.Add(-time.Microsecond)), seen(since)
		h.mustSweep(t, epoch, time.Time{}, 100, 0)
		h.mustSweep(t, epoch, since, 100, 1)
		h.mustLack(t, idle.ID)
		h.mustHave(t, used)
	}},
	{"a sweep removes what has lost its user", func(t *testing.T, h *home) {
		if h.sweeper() == nil {
			return
		}
		kept := h.started(t, h.stored(t, "user", nil).ID, nil)
		h.started(t, 1<<40, nil)
		h.started(t, 1<<41, nil)
		h.mustSweep(t, epoch, time.Time{}, 100, 2)
		h.mustHave(t, kept)
		if n := len(h.mustListSessions(t, auth.SessionFilter{})); n != 1 {
			t.Errorf("%d sessions are left, want 1", n)
		}
	}},
	{"a sweep goes in small batches until nothing is over", func(t *testing.T, h *home) {
		if h.sweeper() == nil {
			return
		}
		u := h.stored(t, "user", nil)
		now := epoch.Add(24 * time.Hour)
		since := now.Add(-time.Hour)
		fresh := func(s *auth.Session) { s.LastSeen = now }
		kept := h.started(t, u.ID, fresh)
		for range 5 {
			h.started(t, u.ID, func(s *auth.Session) { s.Expires = epoch }) // idle as well
			h.started(t, u.ID, func(s *auth.Session) { s.LastSeen = epoch })
			h.started(t, 1<<40, fresh)
		}
		h.mustSweep(t, now, since, 0, 0)
		for _, want := range []int{4, 4, 4, 3, 0} {
			h.mustSweep(t, now, since, 4, want)
		}
		h.mustHave(t, kept)
	}},
}
