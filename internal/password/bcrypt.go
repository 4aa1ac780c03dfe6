package password

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	//lint:ignore SA1019 bcrypt is defined over Blowfish; nothing is encrypted with it
	"golang.org/x/crypto/blowfish"
)

const (
	bcryptAlphabet    = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	bcryptMaxPassword = 72 // bytes; the rest does not count
	bcryptSaltSize    = 16
	bcryptSaltText    = 22 // characters
	bcryptSumText     = 31 // characters, for 23 of the 24 bytes
)

var (
	bcryptBase64 = base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding).Strict()

	errBcryptNUL = errors.New("the password contains a NUL")
)

// bcryptRecipe is Django's BCryptPasswordHasher and BCryptSHA256PasswordHasher.
// It stands on Blowfish itself because golang.org/x/crypto/bcrypt takes no
// salt and refuses to hash what Django cuts off.
type bcryptRecipe struct {
	name string
	cost int
}

func (r bcryptRecipe) algorithm() string { return r.name }

func (r bcryptRecipe) describe() string { return fmt.Sprintf("%s cost %d", r.name, r.cost) }

func (r bcryptRecipe) newSalt(random io.Reader) ([]byte, error) {
	salt := make([]byte, bcryptSaltSize)
	_, err := io.ReadFull(random, salt)
	return salt, err
}

// derive hashes the whole password for bcrypt_sha256, by way of its SHA-256 in
// hex, and the first 72 bytes for bcrypt.
func (r bcryptRecipe) derive(password string, salt []byte) ([]byte, error) {
	var key []byte
	if r.name == BcryptSHA256 {
		digest := sha256.Sum256([]byte(password))
		key = hex.AppendEncode(nil, digest[:])
	} else {
		key = []byte(password[:min(len(password), bcryptMaxPassword)])
	}
	sum, err := bcrypt(append(key, 0), salt, r.cost)
	// A NUL ends the key and the key is repeated, so "a" and "a\x00a" have one
	// sum. The work is done all the same, to take the same time.
	if strings.IndexByte(string(key), 0) >= 0 {
		return nil, errBcryptNUL
	}
	return sum, err
}

// bcrypt is the function of Provos and Mazières, "A Future-Adaptable Password
// Scheme" (1999), with the key ending in a NUL, as version 2b has it.
func bcrypt(key, salt []byte, cost int) ([]byte, error) {
	cipher, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return nil, err
	}
	for range uint64(1) << cost {
		blowfish.ExpandKey(key, cipher)
		blowfish.ExpandKey(salt, cipher)
	}
	sum := []byte("OrpheanBeholderScryDoubt")
	for at := 0; at < len(sum); at += blowfish.BlockSize {
		block := sum[at : at+blowfish.BlockSize]
		for range 64 {
			cipher.Encrypt(block, block)
		}
	}
	return bcryptBase64.AppendEncode(nil, sum[:len(sum)-1]), nil
}

func (r bcryptRecipe) encode(salt, sum []byte) string {
	return fmt.Sprintf("%s$$2b$%02d$%s%s", r.name, r.cost, bcryptBase64.EncodeToString(salt), sum)
}

func (r bcryptRecipe) weaker(than recipe) bool {
	other, same := than.(bcryptRecipe)
	return same && r.cost < other.cost
}

func (r bcryptRecipe) work() int { return 1 << r.cost }

// parseBcrypt reads "$2b$12$" and 53 characters of salt and hash. The versions
// 2a and 2y are 2b by other names: they tell apart the bugs of libraries that
// Django never used.
func parseBcrypt(name, rest string) (record, bool) {
	parts := strings.Split(rest, "$")
	if len(parts) != 4 || parts[0] != "" || len(parts[2]) != 2 || len(parts[3]) != bcryptSaltText+bcryptSumText {
		return record{}, false
	}
	switch parts[1] {
	case "2a", "2b", "2y":
	default:
		return record{}, false
	}
	cost, ok := number(strings.TrimPrefix(parts[2], "0"), MaxBcryptCost)
	if !ok || cost < MinBcryptCost {
		return record{}, false
	}
	salt, saltOK := decodeBcrypt(parts[3][:bcryptSaltText])
	_, sumOK := decodeBcrypt(parts[3][bcryptSaltText:])
	if !saltOK || !sumOK {
		return record{}, false
	}
	return record{
		recipe: bcryptRecipe{name: name, cost: cost},
		salt:   salt,
		sum:    []byte(parts[3][bcryptSaltText:]),
	}, true
}

// decodeBcrypt ignores no line ends, as encoding/base64 does, and no bits that
// are left over in the last character: Django's bcrypt compares the whole text
// with one in which there are none.
func decodeBcrypt(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := bcryptBase64.DecodeString(text)
	return raw, err == nil
}
