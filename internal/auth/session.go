package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"
)

// KeyLength is the length of a session key, the value of the session cookie:
// so many of a-z0-9, 165 bits (django.contrib.sessions.backends.base).
const KeyLength = 32

// SessionID names a stored session: the SHA-256 of its key. Who reads the
// store learns no key from it.
type SessionID [sha256.Size]byte

// IDOf returns the id of the session that key opens.
func IDOf(key string) SessionID { return sha256.Sum256([]byte(key)) }

// String returns the id in hexadecimal, 64 characters.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names no session.
func (id SessionID) IsZero() bool { return id == SessionID{} }

// Session is one login of one user, as stored.
type Session struct {
	ID       SessionID
	UserID   int64
	AuthHash string // binds the session to the user's password (django.SessionAuthHash)
	// NextAuthHash counts beside AuthHash, "" for none. A store that can't
	// move sessions to an upgraded password hash in the commit that upgrades it
	// announces the new one here first.
	NextAuthHash string
	CSRFSecret   string // 32 letters and digits
	Created      time.Time
	LastSeen     time.Time // written behind: up to Policy.TouchEvery late
	Expires      time.Time
	Address      netip.Addr // of the client at login; the zero Addr when unknown
	UserAgent    string     // of the client at login, at most MaxUserAgent bytes
}

// MaxUserAgent is how many bytes of the User-Agent header a session keeps.
const MaxUserAgent = 256

// SessionFilter selects sessions for a list, newest first.
type SessionFilter struct {
	UserID   int64  // 0 for every user
	IDPrefix string // hexadecimal, "" for every id
	Limit    int    // maximum number of entries; 0 means 100
}

// Identity is a stored session and its user.
type Identity struct {
	User    User
	Session Session
}

// Policy says how long sessions live.
type Policy struct {
	// Age is the life of a session from its login (SESSION_COOKIE_AGE), or
	// from its last renewal when Sliding.
	Age time.Duration
	// Idle ends a session that was not used for so long; 0: never.
	Idle time.Duration
	// Absolute ends a session so long after its login whatever else; 0: never.
	Absolute time.Duration
	// Sliding moves the expiry on with use (SESSION_SAVE_EVERY_REQUEST).
	Sliding bool
	// PerUser is how many sessions a user may have; the oldest leaves for a
	// new one. 0: any number.
	PerUser int
}

// TouchEvery is how often at most a session's last-seen time is written: every
// five minutes while nothing depends on it, and otherwise once a minute, or ten
// times in an idle timeout or a sliding age that is short.
func (p Policy) TouchEvery() time.Duration {
	if p.Idle == 0 && !p.Sliding {
		return 5 * time.Minute
	}
	every := time.Minute
	if p.Idle > 0 {
		every = min(every, p.Idle/10)
	}
	if p.Sliding {
		every = min(every, p.Age/10)
	}
	return max(every, 50*time.Millisecond)
}

// expiry is when a session of that birth, used at now, expires.
func (p Policy) expiry(created, now time.Time) time.Time {
	expires := created.Add(p.Age)
	if p.Sliding {
		expires = now.Add(p.Age)
	}
	if p.Absolute > 0 {
		if last := created.Add(p.Absolute); last.Before(expires) {
			expires = last
		}
	}
	return expires
}

// Ended reports whether the session is over at now. Because last-seen is
// written behind, an idle session ends between Idle and Idle + 2×TouchEvery
// after its last use, never before.
func (p Policy) Ended(s *Session, now time.Time) bool {
	if !now.Before(s.Expires) {
		return true
	}
	if p.Absolute > 0 && !now.Before(s.Created.Add(p.Absolute)) {
		return true
	}
	return p.Idle > 0 && now.Sub(s.LastSeen) > p.Idle+2*p.TouchEvery()
}

// CookieAge is for how long the client should keep the key of a session.
func (p Policy) CookieAge(s *Session, now time.Time) time.Duration {
	return p.expiry(s.Created, now).Sub(now)
}
