package django

import (
	"fmt"
	"io"
)

// SessionKeyLength is the length of a session key.
const SessionKeyLength = 32

const sessionKeyChars = "abcdefghijklmnopqrstuvwxyz0123456789"

// NewSessionKey returns a session key: 32 of a-z0-9, 165 bits of random
// (django.contrib.sessions.backends.base.SessionBase._get_new_session_key).
func NewSessionKey(random io.Reader) (string, error) {
	return randomString(random, sessionKeyChars, SessionKeyLength)
}

// randomString draws n characters of the alphabet, each equally likely: bytes
// beyond the last whole multiple of the alphabet's length are thrown away.
func randomString(random io.Reader, alphabet string, n int) (string, error) {
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var pool [64]byte
	for len(out) < n {
		if _, err := io.ReadFull(random, pool[:]); err != nil {
			return "", fmt.Errorf("read random bytes: %w", err)
		}
		for _, b := range pool {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}
