package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// pbkdf2Recipe is Django's PBKDF2PasswordHasher and PBKDF2SHA1PasswordHasher
// (RFC 8018); the sum is as long as the digest.
type pbkdf2Recipe struct {
	name       string
	iterations int
}

func (r pbkdf2Recipe) algorithm() string { return r.name }

func (r pbkdf2Recipe) describe() string {
	return fmt.Sprintf("%s %d iterations", r.name, r.iterations)
}

func (r pbkdf2Recipe) newSalt(random io.Reader) ([]byte, error) { return textSalt(random) }

func (r pbkdf2Recipe) derive(password string, salt []byte) (sum []byte, err error) {
	if r.name == PBKDF2SHA1 {
		sum, err = pbkdf2.Key(sha1.New, password, salt, r.iterations, sha1.Size)
	} else {
		sum, err = pbkdf2.Key(sha256.New, password, salt, r.iterations, sha256.Size)
	}
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, sum), nil
}

func (r pbkdf2Recipe) encode(salt, sum []byte) string {
	return fmt.Sprintf("%s$%d$%s$%s", r.name, r.iterations, salt, sum)
}

func (r pbkdf2Recipe) weaker(than recipe) bool {
	other, same := than.(pbkdf2Recipe)
	return same && r.iterations < other.iterations
}

func (r pbkdf2Recipe) work() int { return r.iterations }

// parsePBKDF2 reads "1000000$salt$hash".
func parsePBKDF2(name, rest string) (record, bool) {
	parts, ok := fields(rest, 3)
	if !ok {
		return record{}, false
	}
	iterations, ok := number(parts[0], MaxPBKDF2Iterations)
	size := sha256.Size
	if name == PBKDF2SHA1 {
		size = sha1.Size
	}
	if !ok || len(parts[2]) != base64.StdEncoding.EncodedLen(size) {
		return record{}, false
	}
	return record{
		recipe:    pbkdf2Recipe{name: name, iterations: iterations},
		salt:      []byte(parts[1]),
		sum:       []byte(parts[2]),
		shortSalt: len(parts[1]) < saltLength,
	}, true
}
