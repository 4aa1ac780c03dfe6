package django

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
)

// authHashSalt is AbstractBaseUser._get_session_auth_hash's key_salt.
const authHashSalt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

// saltedHMAC is django.utils.crypto.salted_hmac with SHA-256: RFC 2104 in the
// open, because crypto/hmac allocates its two hashes anew for each sum, and
// every session that is read from the database asks for one.
func saltedHMAC(salt, secret, value string) [sha256.Size]byte {
	key := saltedKey(salt, secret)
	var (
		inRoom  [sha256.BlockSize + 192]byte // for an encoded password of usual length
		outRoom [sha256.BlockSize + sha256.Size]byte
	)
	inner := sha256.Sum256(append(appendBlock(inRoom[:0], &key, 0x36), value...))
	return sha256.Sum256(append(appendBlock(outRoom[:0], &key, 0x5c), inner[:]...))
}

// appendBlock appends a block of pad that is combined with the key at its
// beginning.
func appendBlock(to []byte, key *[sha256.Size]byte, pad byte) []byte {
	for _, b := range key {
		to = append(to, b^pad)
	}
	for range sha256.BlockSize - sha256.Size {
		to = append(to, pad)
	}
	return to
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
