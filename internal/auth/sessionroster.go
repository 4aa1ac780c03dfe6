package auth

import (
	"context"
	"net/netip"
	"time"
)

// MaxCountedSessions is how far live sessions are counted.
const MaxCountedSessions = 10_000

// SessionRoster is a SessionStore as an administrator reads and writes it.
// Every method returns ErrUnavailable (wrapped) when the store can't be
// reached or is too busy.
type SessionRoster interface {
	// ListSessions returns a page of the sessions that l selects, newest
	// first. ErrBadPlace if l.Place is none of this list, ErrNotListed if
	// the store can't list them so.
	ListSessions(ctx context.Context, l SessionList) (*SessionPage, error)
	// CountLive counts the sessions that live after now, up to
	// MaxCountedSessions.
	CountLive(ctx context.Context, now time.Time) (Count, error)
	// EndSessionsOf removes every session of the users, at most MaxBulk, and
	// says how many there were; ErrTooMany.
	EndSessionsOf(ctx context.Context, userIDs []int64) (int, error)
}

// SessionList selects stored sessions, newest first.
type SessionList struct {
	User    int64      // 0 for every user
	Address netip.Addr // of the client at login; the zero Addr for any
	// ByLastSeen orders by the last sign of life instead of the login. Stores
	// keep no index of it, which each sign of life would write to: beyond
	// MaxCountedSessions it is ErrNotListed, unless User is given.
	ByLastSeen bool
	// Only sessions that expire after Now, were last seen since SeenSince and
	// started since StartedSince (zero: whenever).
	Now, SeenSince, StartedSince time.Time
	Place                        string // of a SessionPage; "" for the first page
	Limit                        int    // at most so many, up to MaxPage; 0 means 100
}

// Name is what the places of this list are marked with.
func (l *SessionList) Name() string {
	if l.ByLastSeen {
		return "seen"
	}
	return "sessions"
}

// SessionPage is a part of a list.
type SessionPage struct {
	Identities     []Identity // the sessions and their users
	Next, Previous string     // places, "" if there are none
	// Partial says that the search was given up before the page was full: it
	// goes on at Next.
	Partial bool
}
