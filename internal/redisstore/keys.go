package redisstore

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// Every key and channel begins with this.
const prefix = "postern:"

// sessionKey is where a session is.
func sessionKey(id auth.SessionID) string { return prefix + "s:" + id.String() }

// userKey is where the ids of a user's sessions are, each with the time at
// which it expires, in milliseconds.
func userKey(userID int64) string { return prefix + "u:" + strconv.FormatInt(userID, 10) }

// The fields of a session. Times are microseconds since 1970.
const (
	fieldUser     = "uid"
	fieldAuthHash = "ah"
	fieldNextHash = "nah"
	fieldCSRF     = "csrf"
	fieldCreated  = "created"
	fieldSeen     = "seen"
	fieldExpires  = "exp"
	fieldAddress  = "addr"
	fieldAgent    = "ua"
)

// encode returns the fields of a session, each followed by its value.
func encode(s *auth.Session) []string {
	address := ""
	if s.Address.IsValid() {
		address = s.Address.String()
	}
	return []string{
		fieldUser, strconv.FormatInt(s.UserID, 10), fieldAuthHash, s.AuthHash, fieldNextHash, s.NextAuthHash, fieldCSRF, s.CSRFSecret,
		fieldCreated, micros(s.Created), fieldSeen, micros(s.LastSeen), fieldExpires, micros(s.Expires),
		fieldAddress, address, fieldAgent, s.UserAgent,
	}
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// millis is when a key expires whose session expires at t: not before it.
func millis(t time.Time) string { return strconv.FormatInt((t.UnixMicro()+999)/1000, 10) }

// decode is false if the fields are not those of a session.
func decode(id auth.SessionID, fields map[string]string) (auth.Session, bool) {
	s := auth.Session{
		ID: id, AuthHash: fields[fieldAuthHash], NextAuthHash: fields[fieldNextHash], CSRFSecret: fields[fieldCSRF], UserAgent: fields[fieldAgent],
	}
	var err error
	if s.UserID, err = strconv.ParseInt(fields[fieldUser], 10, 64); err != nil {
		return auth.Session{}, false
	}
	for field, t := range map[string]*time.Time{fieldCreated: &s.Created, fieldSeen: &s.LastSeen, fieldExpires: &s.Expires} {
		us, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return auth.Session{}, false
		}
		*t = time.UnixMicro(us).UTC()
	}
	// An address that can't be read is as good as an unknown one.
	s.Address, _ = netip.ParseAddr(fields[fieldAddress])
	return s, true
}

// idOf reads the id at the end of a key, or a member of an index.
func idOf(digits string) (id auth.SessionID, ok bool) {
	if len(digits) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil
}
