package password

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"math/bits"
)

// alphanumeric is Django's RANDOM_STRING_CHARS.
const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// saltLength is how many alphanumeric characters hold at least 128 bits:
// ceil(128 / log2(62)), as BasePasswordHasher.salt counts them.
const saltLength = 22

// textSalt is the salt of every hasher but bcrypt.
func textSalt(random io.Reader) ([]byte, error) { return randomText(random, saltLength) }

// randomText returns n alphanumeric characters. Each takes 64 random bits,
// which keeps the bias below 2^-58 without drawing again, so that it ends with
// any source.
func randomText(random io.Reader, n int) ([]byte, error) {
	raw := make([]byte, 8*n)
	if _, err := io.ReadFull(random, raw); err != nil {
		return nil, err
	}
	text := make([]byte, n)
	for i := range text {
		at, _ := bits.Mul64(binary.LittleEndian.Uint64(raw[8*i:]), uint64(len(alphanumeric)))
		text[i] = alphanumeric[at]
	}
	return text, nil
}

// sureText is randomText for who can't report an error.
func sureText(random io.Reader, n int) string {
	if random != nil {
		if text, err := randomText(random, n); err == nil {
			return string(text)
		}
	}
	text, _ := randomText(rand.Reader, n) // crypto/rand ends the program rather than fail
	return string(text)
}
