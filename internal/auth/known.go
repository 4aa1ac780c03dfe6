package auth

import (
	"sync/atomic"
	"time"
	"unique"

	"github.com/postern-auth/postern/internal/password"
)

// Known is who holds a live session: what a check needs of a session and its
// user, without anything that opens something but the CSRF secret. It is
// shared between requests and may be remembered: nobody writes to its fields.
type Known struct {
	SessionID  SessionID
	UserID     int64
	Username   string
	Email      string
	FirstName  string
	LastName   string
	CSRFSecret string
	// Answer is what Options.Answer made of the user, "" without it.
	Answer      string
	IsStaff     bool
	IsSuperuser bool

	hasher     unique.Handle[string]
	created    int64 // microseconds since 1970
	joined     int64
	lastLogin  int64        // 0: never
	seen       atomic.Int64 // the newest sign of life that is known here
	expires    atomic.Int64
	sizeOfText int
}

// know makes a Known of what the store tells. All its texts share one piece
// of memory.
func (r *Realm) know(i *Identity) *Known {
	u, s := &i.User, &i.Session
	answer := ""
	if r.answer != nil {
		answer = string(r.answer(u))
	}
	k := &Known{
		SessionID: s.ID, UserID: u.ID, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
		hasher:  unique.Make(password.Describe(u.Password)),
		created: s.Created.UnixMicro(),
		joined:  u.DateJoined.UnixMicro(),
	}
	if !u.LastLogin.IsZero() {
		k.lastLogin = u.LastLogin.UnixMicro()
	}
	k.seen.Store(s.LastSeen.UnixMicro())
	k.expires.Store(s.Expires.UnixMicro())
	k.setTexts(u.Username, u.Email, u.FirstName, u.LastName, s.CSRFSecret, answer)
	return k
}

func (k *Known) setTexts(username, email, firstName, lastName, secret, answer string) {
	all := username + email + firstName + lastName + secret + answer
	k.sizeOfText = len(all)
	next := func(part string) string {
		taken := all[:len(part)]
		all = all[len(part):]
		return taken
	}
	k.Username, k.Email = next(username), next(email)
	k.FirstName, k.LastName = next(firstName), next(lastName)
	k.CSRFSecret, k.Answer = next(secret), next(answer)
}

// SizeOfText is how many bytes of text k holds, for who bounds memory.
func (k *Known) SizeOfText() int { return k.sizeOfText }

// Hasher describes how the user's password is hashed; see password.Describe.
func (k *Known) Hasher() string { return k.hasher.Value() }

// DateJoined is when the user was made.
func (k *Known) DateJoined() time.Time { return time.UnixMicro(k.joined).UTC() }

// LastLogin is when the user had last logged in at the time the session was
// read; the zero time for never.
func (k *Known) LastLogin() time.Time {
	if k.lastLogin == 0 {
		return time.Time{}
	}
	return time.UnixMicro(k.lastLogin).UTC()
}

// CookieAge is for how long the client should keep the key of the session.
func (k *Known) CookieAge(p Policy, now time.Time) time.Duration {
	return p.expiry(time.UnixMicro(k.created), now).Sub(now)
}

// ended is Policy.Ended of the session.
func (k *Known) ended(p *Policy, now time.Time) bool {
	at := now.UnixMicro()
	if at >= k.expires.Load() {
		return true
	}
	if p.Absolute > 0 && at >= k.created+p.Absolute.Microseconds() {
		return true
	}
	return p.Idle > 0 && at-k.seen.Load() > (p.Idle+2*p.TouchEvery()).Microseconds()
}

// touch takes note of a sign of life, if the last one is older than every.
// One of several requests at a time is told to write it.
func (k *Known) touch(every time.Duration, p *Policy, now time.Time) (Touch, bool) {
	seen, at := k.seen.Load(), now.UnixMicro()
	if at-seen < every.Microseconds() || !k.seen.CompareAndSwap(seen, at) {
		return Touch{}, false
	}
	expires := p.expiry(time.UnixMicro(k.created), now)
	if p.Sliding {
		k.expires.Store(expires.UnixMicro())
	}
	return Touch{ID: k.SessionID, LastSeen: now, Expires: expires}, true
}
