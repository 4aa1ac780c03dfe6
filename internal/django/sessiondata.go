package django

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

const (
	// ModelBackend is the _auth_user_backend of a user who gave a password.
	ModelBackend = "django.contrib.auth.backends.ModelBackend"

	// sessionSalt is SessionBase.key_salt of every backend's SessionStore.
	sessionSalt = "django.contrib.sessions.SessionStore"

	userIDKey   = "_auth_user_id"
	backendKey  = "_auth_user_backend"
	authHashKey = "_auth_user_hash"
)

// A SessionCodec reads and writes django_session.session_data
// (SessionBase.encode and decode with the JSON serializer). It may be used
// concurrently.
type SessionCodec struct{ signer *TimestampSigner }

// NewSessionCodec returns a codec. The first key is Django's SECRET_KEY, the
// others its SECRET_KEY_FALLBACKS. ErrNoKey if there is none or one is empty.
func NewSessionCodec(keys []string) (*SessionCodec, error) {
	signer, err := NewTimestampSigner(keys, sessionSalt)
	if err != nil {
		return nil, err
	}
	return &SessionCodec{signer}, nil
}

// Decode reads a session's data, whenever it was written: what ends a session
// is its row's expire_date. ErrBadSignature if none of the keys signed it,
// ErrSignedPayload if it is no JSON object, ErrTooLarge if that is longer than
// MaxSigned. Django takes the first two for an empty session.
func (c *SessionCodec) Decode(text string) (*SessionData, error) {
	raw, _, err := c.signer.Loads(text)
	if err != nil {
		return nil, fmt.Errorf("decode session data: %w", err)
	}
	data, err := ParseSessionData(raw)
	if err != nil {
		return nil, fmt.Errorf("decode session data: %w", err)
	}
	return data, nil
}

// Encode writes a session's data, signed now. Django reads the result as its
// own; where it is compressed it is not, byte for byte, what Django would have
// written. ErrTooLarge if the JSON is longer than MaxSigned.
func (c *SessionCodec) Encode(data *SessionData, now time.Time) (string, error) {
	raw := data.JSON()
	if len(raw) > MaxSigned {
		return "", fmt.Errorf("encode session data: %w", ErrTooLarge)
	}
	return c.signer.DumpsCompressed(raw, now), nil
}

// SessionData is what Django keeps for a session: named values in the order
// in which they came. Postern knows those of a login; everything else, such
// as a shop's cart, is kept as it was written, so that it outlives a login
// here. The zero value is an empty session. Not for concurrent use.
type SessionData struct{ members []sessionMember }

// sessionMember holds the name and the value as JSON; the name decoded, too.
// The raw form of the name keeps what has no form in UTF-8.
type sessionMember struct {
	name    string
	rawName []byte
	value   []byte
}

// ParseSessionData reads a JSON object as Python does: NaN and Infinity are
// values, of a name that comes twice the last value counts.
// ErrSignedPayload if it is no object or nests deeper than 1000.
func ParseSessionData(text []byte) (*SessionData, error) {
	text = slices.Clone(text)
	start := skipSpace(text, 0)
	if start == len(text) || text[start] != '{' {
		return nil, ErrSignedPayload
	}
	data := &SessionData{}
	end := eachMember(text, start, maxJSONDepth-1, func(name, value []byte) {
		data.members = append(data.members, sessionMember{unquote(name), name, value})
	})
	if end < 0 || skipSpace(text, end) != len(text) {
		return nil, ErrSignedPayload
	}
	return data, nil
}

// JSON returns the data as Python writes it, values that were read unchanged.
func (d *SessionData) JSON() []byte {
	size := 2
	for i := range d.members {
		size += len(d.members[i].rawName) + len(d.members[i].value) + 2
	}
	text := append(make([]byte, 0, size), '{')
	for i, m := range d.members {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, m.rawName...), ':'), m.value...)
	}
	return append(text, '}')
}

// Len returns how many values there are; 0 is Django's empty session, which
// it does not keep.
func (d *SessionData) Len() int { return len(d.members) }

// Get returns a value as JSON, nil if there is none of that name. It must not
// be changed.
func (d *SessionData) Get(name string) []byte {
	if i := d.last(name); i >= 0 {
		return d.members[i].value
	}
	return nil
}

// Text returns a value that is a text, "" if there is none of that name or it
// is something else.
func (d *SessionData) Text(name string) string {
	value := d.Get(name)
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	return unquote(value)
}

// SetText gives a name a text for its value: where it was if there was one, at
// the end otherwise.
func (d *SessionData) SetText(name, text string) {
	value := quote(text)
	if i := d.last(name); i >= 0 {
		d.members[i].value = value
		return
	}
	d.members = append(d.members, sessionMember{name, quote(name), value})
}

// Delete removes the values of these names, where there are any.
func (d *SessionData) Delete(names ...string) {
	d.members = slices.DeleteFunc(d.members, func(m sessionMember) bool { return slices.Contains(names, m.name) })
}

func (d *SessionData) last(name string) int {
	for i := len(d.members) - 1; i >= 0; i-- {
		if d.members[i].name == name {
			return i
		}
	}
	return -1
}

// UserID returns who is logged in (_auth_user_id), false if nobody is or it
// is no number of a user.
func (d *SessionData) UserID() (int64, bool) {
	value := d.Get(userIDKey)
	if len(value) > 0 && value[0] == '"' {
		value = []byte(unquote(value))
	}
	id, err := strconv.ParseInt(string(value), 10, 64)
	return id, err == nil && id > 0
}

// Backend returns the path of the class that let the user in
// (_auth_user_backend), "" if there is none.
func (d *SessionData) Backend() string { return d.Text(backendKey) }

// AuthHash returns what binds the session to the user's password
// (_auth_user_hash), "" if there is nothing; see SessionAuthHashKey.
func (d *SessionData) AuthHash() string { return d.Text(authHashKey) }

// LogIn notes who is logged in, as django.contrib.auth.login does, and keeps
// everything else. Whether a session of another user may be kept is the
// caller's to decide (it may not).
func (d *SessionData) LogIn(userID int64, backend, authHash string) {
	d.SetText(userIDKey, strconv.FormatInt(userID, 10))
	d.SetText(backendKey, backend)
	d.SetText(authHashKey, authHash)
}
