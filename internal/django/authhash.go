package django

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
)

// authHashSalt is AbstractBaseUser._get_session_auth_hash's key_salt.
const authHashSalt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

// saltedHMAC is django.utils.crypto.salted_hmac with SHA-256: the key is the
// digest of salt and secret together.
func saltedHMAC(salt, secret, value string) []byte {
	key := sha256.New()
	key.Write([]byte(salt))
	key.Write([]byte(secret))
	mac := hmac.New(sha256.New, key.Sum(nil))
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

// SessionAuthHash binds a session to a password: 64 hexadecimal digits that
// change with the encoded password and with the secret key
// (AbstractBaseUser.get_session_auth_hash).
func SessionAuthHash(secretKey, passwordField string) string {
	return hex.EncodeToString(saltedHMAC(authHashSalt, secretKey, passwordField))
}

// SessionAuthHashMatches reports whether hash is the session auth hash of the
// password under any of the keys. Each comparison takes constant time.
func SessionAuthHashMatches(keys []string, passwordField, hash string) bool {
	matches := 0
	for _, key := range keys {
		matches |= subtle.ConstantTimeCompare([]byte(SessionAuthHash(key, passwordField)), []byte(hash))
	}
	return matches != 0
}
