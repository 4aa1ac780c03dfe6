package password

import (
	"io"
	"strconv"
	"strings"
)

// maxEncoded is the longest encoded hash that is looked at, in bytes. Django's
// column holds 128 characters.
const maxEncoded = 512

// A recipe is an algorithm with its cost: everything about a hash but salt and
// sum. Recipes are comparable; equal recipes take equal time.
type recipe interface {
	algorithm() string
	// describe names the algorithm and its cost for an operator.
	describe() string
	newSalt(random io.Reader) ([]byte, error)
	// derive does the heavy work. The sum comes out as a record holds it.
	derive(password string, salt []byte) (sum []byte, err error)
	encode(salt, sum []byte) string
	// weaker reports whether this recipe costs an attacker less than another
	// of the same algorithm.
	weaker(than recipe) bool
	// work is how much work one hash is, in a unit of the algorithm's own.
	work() int
}

// A record is an encoded hash, read.
type record struct {
	recipe    recipe
	salt      []byte
	sum       []byte
	shortSalt bool
}

// parse reads an encoded hash. It accepts nothing that is malformed, that is
// beyond the bounds, or that could not be derived again.
func parse(encoded string) (record, bool) {
	if len(encoded) > maxEncoded {
		return record{}, false
	}
	name, rest, found := strings.Cut(encoded, "$")
	if !found {
		return record{}, false
	}
	switch name {
	case Argon2:
		return parseArgon2(rest)
	case PBKDF2SHA256, PBKDF2SHA1:
		return parsePBKDF2(name, rest)
	case BcryptSHA256, Bcrypt:
		return parseBcrypt(name, rest)
	case Scrypt:
		return parseScrypt(rest)
	case MD5:
		return parseMD5(rest)
	}
	return record{}, false
}

// fields splits text at every "$" into exactly n parts, none empty.
func fields(text string, n int) ([]string, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != n {
		return nil, false
	}
	for _, part := range parts {
		if part == "" {
			return nil, false
		}
	}
	return parts, true
}

// number reads a decimal number from 1 to limit, written the one way Django
// writes it: no sign, no space, no leading zero.
func number(text string, limit int) (int, bool) {
	if text == "" || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n > uint64(limit) {
		return 0, false
	}
	return int(n), true
}

// Identify names the algorithm of an encoded hash; ok is false for one that
// Verify would never accept, whatever the password.
func Identify(encoded string) (algorithm string, ok bool) {
	stored, ok := parse(encoded)
	if !ok {
		return "", false
	}
	return stored.recipe.algorithm(), true
}

// Describe says how an encoded hash was made, such as "argon2id m=19456 t=2
// p=1" or "pbkdf2_sha256 1000000 iterations"; "unusable" or "unknown" if it is
// none that Verify could accept. It never shows salt or hash.
func Describe(encoded string) string {
	if !Usable(encoded) {
		return "unusable"
	}
	stored, ok := parse(encoded)
	if !ok {
		return "unknown"
	}
	return stored.recipe.describe()
}

// unusablePrefix begins what stands in place of the hash of a user without a
// password, and never begins a hash.
const unusablePrefix = "!"

// Usable reports whether encoded is anything but the mark of a user without a
// password (Django's is_password_usable).
func Usable(encoded string) bool { return !strings.HasPrefix(encoded, unusablePrefix) }

// Unusable returns the mark of a user without a password: "!" and 40 random
// characters, so that no two users share one and what is derived from it
// (reset tokens, session hashes) can't be foretold. A nil or failing source
// of randomness gives way to crypto/rand.
func Unusable(random io.Reader) string {
	const length = 40
	return unusablePrefix + sureText(random, length)
}
