package django

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// SecretLength is the length of a CSRF secret, the value of the CSRF cookie.
	SecretLength = 32
	// TokenLength is the length of a masked CSRF token: mask and cipher.
	TokenLength = 2 * SecretLength
)

// csrfChars is django.middleware.csrf.CSRF_ALLOWED_CHARS: their order is the cipher.
const csrfChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// csrfIndex is the place of each character in csrfChars, 255 for others.
var csrfIndex = func() (index [256]byte) {
	for i := range index {
		index[i] = 255
	}
	for i := range len(csrfChars) {
		index[csrfChars[i]] = byte(i)
	}
	return index
}()

// Why a CSRF token or cookie can't be one, in the words of
// django.middleware.csrf.InvalidTokenFormat.
var (
	ErrTokenLength     = errors.New("has incorrect length")
	ErrTokenCharacters = errors.New("has invalid characters")
)

// NewSecret returns a CSRF secret: 32 letters and digits, 190 bits of random.
func NewSecret(random io.Reader) (string, error) {
	return randomString(random, csrfChars, SecretLength)
}

// Mask returns a token that holds the secret behind a random mask, so that no
// two look alike (django.middleware.csrf._mask_cipher_secret). The secret
// must be one that NewSecret or SecretOf returned.
func Mask(random io.Reader, secret string) (string, error) {
	if len(secret) != SecretLength || !csrfAlphabet(secret) {
		return "", fmt.Errorf("mask a CSRF secret: it %w", ErrTokenCharacters)
	}
	mask, err := NewSecret(random)
	if err != nil {
		return "", err
	}
	token := make([]byte, TokenLength)
	copy(token, mask)
	for i := range SecretLength {
		sum := int(csrfIndex[secret[i]]) + int(csrfIndex[mask[i]])
		token[SecretLength+i] = csrfChars[sum%len(csrfChars)]
	}
	return string(token), nil
}

// SecretOf returns the secret in a CSRF token or cookie: 32 characters are
// the secret itself, 64 hold it behind a mask. ErrTokenLength or
// ErrTokenCharacters if it is neither.
func SecretOf(token string) (string, error) {
	var secret [SecretLength]byte
	if err := unmask(&secret, token); err != nil {
		return "", err
	}
	return string(secret[:]), nil
}

// CheckToken returns the error of SecretOf.
func CheckToken(token string) error {
	var secret [SecretLength]byte
	return unmask(&secret, token)
}

// TokenMatches reports, in constant time, whether a token or cookie holds
// that secret.
func TokenMatches(token, secret string) bool {
	var got, want [SecretLength]byte
	if unmask(&got, token) != nil || unmask(&want, secret) != nil {
		return false
	}
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func unmask(secret *[SecretLength]byte, token string) error {
	if n := utf8.RuneCountInString(token); n != TokenLength && n != SecretLength {
		return ErrTokenLength
	}
	if !csrfAlphabet(token) {
		return ErrTokenCharacters
	}
	if len(token) == SecretLength {
		copy(secret[:], token)
		return nil
	}
	for i := range SecretLength {
		diff := int(csrfIndex[token[SecretLength+i]]) - int(csrfIndex[token[i]])
		if diff < 0 {
			diff += len(csrfChars)
		}
		secret[i] = csrfChars[diff]
	}
	return nil
}

func csrfAlphabet(s string) bool {
	for i := range len(s) {
		if csrfIndex[s[i]] == 255 {
			return false
		}
	}
	return true
}
