package auth

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/postern-auth/postern/internal/django"
)

// Visit is where a request comes from.
type Visit struct {
	Address   netip.Addr
	UserAgent string
	// Current is the session that the request already has, zero for none. A
	// login or registration replaces it.
	Current SessionID
	// StaffOnly lets nobody log in who is not staff: to others the answer is
	// that of a wrong password.
	StaffOnly bool
	// AsTyped has a login try the password with the white space around it,
	// too; see password.AsTyped. Otherwise it is taken as it is.
	AsTyped bool
}

// Opened is a session just started.
type Opened struct {
	Identity *Identity
	// Key is the value for the session cookie; it is known only here.
	Key string
}

// newSession makes a session and its key; UserID and AuthHash are for the caller.
func (r *Realm) newSession(v Visit) (Session, string, error) {
	key, err := django.NewSessionKey(r.rand)
	if err != nil {
		return Session{}, "", fmt.Errorf("make a session key: %w", err)
	}
	secret, err := django.NewSecret(r.rand)
	if err != nil {
		return Session{}, "", fmt.Errorf("make a CSRF secret: %w", err)
	}
	now := r.now()
	agent := v.UserAgent
	if len(agent) > MaxUserAgent {
		agent = agent[:MaxUserAgent]
	}
	return Session{
		ID:         IDOf(key),
		CSRFSecret: secret,
		Created:    now,
		LastSeen:   now,
		Expires:    r.policy.expiry(now, now),
		Address:    v.Address,
		UserAgent:  strings.ToValidUTF8(agent, ""),
	}, key, nil
}
