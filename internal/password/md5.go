package password

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
)

// md5Recipe is Django's MD5PasswordHasher: one MD5 of salt and password. It
// is there for fast tests and for tables that still hold such hashes, which
// the next login upgrades.
type md5Recipe struct{}

func (md5Recipe) algorithm() string { return MD5 }

func (md5Recipe) describe() string { return MD5 }

func (md5Recipe) newSalt(random io.Reader) ([]byte, error) { return textSalt(random) }

func (md5Recipe) derive(password string, salt []byte) ([]byte, error) {
	sum := md5.Sum(append(salt[:len(salt):len(salt)], password...))
	return hex.AppendEncode(nil, sum[:]), nil
}

func (md5Recipe) encode(salt, sum []byte) string {
	return fmt.Sprintf("%s$%s$%s", MD5, salt, sum)
}

func (md5Recipe) weaker(recipe) bool { return false }

func (md5Recipe) work() int { return 1 }

// parseMD5 reads "salt$hash".
func parseMD5(rest string) (record, bool) {
	parts, ok := fields(rest, 2)
	if !ok || len(parts[1]) != hex.EncodedLen(md5.Size) {
		return record{}, false
	}
	return record{
		recipe:    md5Recipe{},
		salt:      []byte(parts[0]),
		sum:       []byte(parts[1]),
		shortSalt: len(parts[0]) < saltLength,
	}, true
}
