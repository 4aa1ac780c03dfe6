package auth

import (
	"strings"
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
	CSRFSecret string
	// Answer is what Options.Answer made of the user, "" without it.
	Answer      string
	IsStaff     bool
	IsSuperuser bool

	names     *names // nil when both are empty, as they mostly are
	hasher    unique.Handle[string]
	created   int64 // microseconds since 1970
	joined    int64
	lastLogin int64        // 0: never
	seen      atomic.Int64 // the newest sign of life that is known here
	expires   atomic.Int64
}

type names struct{ first, last string }

// know makes a Known of what the store tells.
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
	if u.FirstName != "" || u.LastName != "" {
		k.names = &names{first: strings.Clone(u.FirstName), last: strings.Clone(u.LastName)}
	}
	k.setTexts(u.Username, u.Email, s.CSRFSecret, answer)
	return k
}

// setTexts keeps the texts in one piece of memory, those that the answer has
// in it as parts of it.
func (k *Known) setTexts(username, email, secret, answer string) {
	all := answer + secret
	for _, part := range []string{username, email} {
		if !strings.Contains(all, part) {
			all += part
		}
	}
	within := func(part string) string {
		at := strings.Index(all, part)
		return all[at : at+len(part)]
	}
	k.Answer, k.CSRFSecret = all[:len(answer)], all[len(answer):][:len(secret)]
	k.Username, k.Email = within(username), within(email)
}

// FirstName is the user's.
func (k *Known) FirstName() string {
	if k.names == nil {
		return ""
	}
	return k.names.first
}

// LastName is the user's.
func (k *Known) LastName() string {
	if k.names == nil {
		return ""
	}
	return k.names.last
}

// SizeOfText is about how many bytes of text k holds, for who bounds memory.
func (k *Known) SizeOfText() int {
	return len(k.Answer) + len(k.CSRFSecret) + len(k.Username) + len(k.Email) + len(k.FirstName()) + len(k.LastName())
}

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
	return Touch{ID: k.SessionID, UserID: k.UserID, LastSeen: now, Expires: expires}, true
}
