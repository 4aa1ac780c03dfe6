package django

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
)

// authHashSalt is AbstractBaseUser._get_session_auth_hash's key_salt.
const authHashSalt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

// saltedHMAC is django.utils.crypto.salted_hmac with SHA-256.
func saltedHMAC(salt, secret, value string) (sum [sha256.Size]byte) {
	key := saltedKey(salt, secret)
	mac := hmac.New(sha256.New, key[:])
	io.WriteString(mac, value)
	mac.Sum(sum[:0])
	return sum
}

// saltedKey is the key of salted_hmac: the digest of salt and secret together.
func saltedKey(salt, secret string) [sha256.Size]byte {
	var room [192]byte // for the salts there are and a secret of usual length
	return sha256.Sum256(append(append(room[:0], salt...), secret...))
}

// SessionAuthHash binds a session to a password: 64 hexadecimal digits that
// change with the encoded password and with the secret key
// (AbstractBaseUser.get_session_auth_hash).
func SessionAuthHash(secretKey, passwordField string) string {
	sum := saltedHMAC(authHashSalt, secretKey, passwordField)
	return hex.EncodeToString(sum[:])
}

// SessionAuthHashMatches reports whether hash is the session auth hash of the
// password under any of the keys. Each comparison takes constant time.
func SessionAuthHashMatches(keys []string, passwordField, hash string) bool {
	return SessionAuthHashKey(keys, passwordField, hash) >= 0
}

// SessionAuthHashKey returns which of the keys, counted from 0, makes hash the
// session auth hash of the password; -1 if none does. Django replaces a hash
// that a fallback key made (0 is SECRET_KEY) and the session's key with it.
// Each comparison takes constant time.
func SessionAuthHashKey(keys []string, passwordField, hash string) int {
	var digits [2 * sha256.Size]byte
	sent := []byte(hash)
	for i, key := range keys {
		sum := saltedHMAC(authHashSalt, key, passwordField)
		hex.Encode(digits[:], sum[:])
		if subtle.ConstantTimeCompare(digits[:], sent) == 1 {
			return i
		}
	}
	return -1
}
