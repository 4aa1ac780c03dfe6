package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// RunSessionRoster holds a home of sessions to the contract of
// auth.SessionRoster.
func RunSessionRoster(t *testing.T, open func(t *testing.T, hear func(auth.News)) Stores) {
	runContracts(t, open, sessionRosters...)
}

func (h *home) sessionRoster() auth.SessionRoster { return h.Sessions.(auth.SessionRoster) }

// leafSessions turns the pages of a list to its end, and back.
func (h *home) leafSessions(t *testing.T, l auth.SessionList) (there, back []string, err error) {
	t.Helper()
	page := func() *auth.SessionPage {
		page, listErr := h.sessionRoster().ListSessions(t.Context(), l)
		if listErr != nil {
			err = listErr
			return &auth.SessionPage{}
		}
		if len(page.Identities) > l.Limit {
			t.Errorf("%d sessions on a page of %d", len(page.Identities), l.Limit)
		}
		return page
	}
	names := func(page *auth.SessionPage) (names []string) {
		for i := range page.Identities {
			names = append(names, page.Identities[i].User.Username+" "+page.Identities[i].Session.UserAgent)
		}
		return names
	}
	var home string
	for range 100 {
		p := page()
		there = append(there, names(p)...)
		if len(p.Identities) > 0 {
			home, back = p.Previous, names(p)
		}
		if l.Place = p.Next; l.Place == "" {
			break
		}
	}
	for turns := 0; home != "" && turns < 100; turns++ {
		l.Place = home
		p := page()
		back, home = append(names(p), back...), p.Previous
	}
	return there, back, err
}

var sessionRosters = []contract{
	{"sessions are listed newest first with their users, page by page and back", func(t *testing.T, h *home) {
		random := rand.New(rand.NewPCG(5, 6))
		var made []auth.Session
		names := map[int64]string{}
		for i := range 4 {
			u := h.stored(t, fmt.Sprint("user", i), nil)
			names[u.ID] = u.Username
			for range 12 {
				made = append(made, h.started(t, u.ID, func(s *auth.Session) {
					s.Created = epoch.Add(time.Duration(random.IntN(9)) * time.Minute)
					s.LastSeen = s.Created.Add(time.Duration(random.IntN(9)) * time.Minute)
					s.Expires = s.LastSeen.Add(time.Duration(1+random.IntN(3)) * time.Hour)
					s.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(3))})
				}))
			}
		}
		offered := 0
		for range 60 {
			l := auth.SessionList{Now: epoch.Add(time.Duration(random.IntN(200)) * time.Minute), ByLastSeen: random.IntN(2) == 0, Limit: 1 + random.IntN(7)}
			if random.IntN(2) == 0 {
				l.User = made[random.IntN(len(made))].UserID
			}
			if random.IntN(3) == 0 {
				l.Address = netip.AddrFrom4([4]byte{192, 0, 2, 1})
			}
			if random.IntN(4) == 0 {
				l.SeenSince, l.StartedSince = epoch.Add(5*time.Minute), epoch.Add(2*time.Minute)
			}
			there, back, err := h.leafSessions(t, l)
			if errors.Is(err, auth.ErrNotListed) && l.User == 0 {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			offered++
			same(t, there, wanted(&l, made, names))
			same(t, back, there)
		}
		if offered == 0 {
			t.Error("nothing was listed at all")
		}
	}},
	{"a place of another list is refused", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		h.started(t, u.ID, nil)
		h.started(t, u.ID, nil)
		l := auth.SessionList{User: u.ID, Now: epoch, Limit: 1}
		page, err := h.sessionRoster().ListSessions(t.Context(), l)
		if err != nil || page.Next == "" {
			t.Fatalf("%+v, %v", page, err)
		}
		l.Place, l.ByLastSeen = page.Next, true
		_, err = h.sessionRoster().ListSessions(t.Context(), l)
		wantError(t, "ListSessions", err, auth.ErrBadPlace)
		for _, p := range []*auth.Place{{List: "seen", ID: "zz", Key: ptr("1")}, {List: "seen", ID: "00", Key: ptr("x")}, {List: "seen", ID: "00"}} {
			l.Place = p.String()
			_, err = h.sessionRoster().ListSessions(t.Context(), l)
			wantError(t, "ListSessions", err, auth.ErrBadPlace)
		}
	}},
	{"live sessions are counted", func(t *testing.T, h *home) {
		u := h.stored(t, "user", nil)
		for range 3 {
			h.started(t, u.ID, func(s *auth.Session) { s.Expires = epoch.Add(2 * time.Hour) })
		}
		n, err := h.sessionRoster().CountLive(t.Context(), epoch)
		if err != nil || n != (auth.Count{N: 3}) {
			t.Errorf("CountLive = %+v, %v", n, err)
		}
		if n, err := h.sessionRoster().CountLive(t.Context(), epoch.Add(2*time.Hour)); err != nil || !h.Apart && n.N != 0 {
			t.Errorf("CountLive after their end = %+v, %v", n, err)
		}
	}},
	{"the sessions of many users end, and others' don't", func(t *testing.T, h *home) {
		a, b, other := h.stored(t, "a", nil), h.stored(t, "b", nil), h.stored(t, "other", nil)
		gone := []auth.Session{h.started(t, a.ID, nil), h.started(t, a.ID, nil), h.started(t, b.ID, nil)}
		kept := h.started(t, other.ID, nil)
		h.mustTell(t, gone[0], func() error {
			n, err := h.sessionRoster().EndSessionsOf(t.Context(), []int64{a.ID, b.ID, other.ID + 1})
			if n != 3 {
				t.Errorf("%d sessions ended", n)
			}
			return err
		})
		for _, s := range gone {
			h.mustLack(t, s.ID)
		}
		h.mustHave(t, kept)
		_, err := h.sessionRoster().EndSessionsOf(t.Context(), make([]int64, auth.MaxBulk+1))
		wantError(t, "EndSessionsOf", err, auth.ErrTooMany)
		if n, err := h.sessionRoster().EndSessionsOf(t.Context(), nil); n != 0 || err != nil {
			t.Errorf("of nobody: %d, %v", n, err)
		}
	}},
}

// wanted is the model of a list of sessions.
func wanted(l *auth.SessionList, made []auth.Session, names map[int64]string) (want []string) {
	at := func(s *auth.Session) time.Time {
		if l.ByLastSeen {
			return s.LastSeen
		}
		return s.Created
	}
	sorted := slices.Clone(made)
	slices.SortFunc(sorted, func(a, b auth.Session) int {
		if c := at(&b).Compare(at(&a)); c != 0 {
			return c
		}
		return slices.Compare(b.ID[:], a.ID[:])
	})
	for i := range sorted {
		s := &sorted[i]
		if s.Expires.After(l.Now) && (l.User == 0 || l.User == s.UserID) && (!l.Address.IsValid() || l.Address == s.Address) &&
			!s.LastSeen.Before(l.SeenSince) && !s.Created.Before(l.StartedSince) {
			want = append(want, names[s.UserID]+" "+s.UserAgent)
		}
	}
	return want
}
