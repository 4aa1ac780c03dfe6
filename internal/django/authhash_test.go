package django

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
)

func TestSessionAuthHashIsDjangos(t *testing.T) {
	v := readVectors(t)
	for _, h := range v.AuthHash {
		if got := SessionAuthHash(v.SecretKey, h.PasswordField); got != h.SessionAuthHash {
			t.Errorf("SessionAuthHash = %s, want %s", got, h.SessionAuthHash)
		}
	}
}

func TestSessionAuthHashKeyTellsWhichKeyMatched(t *testing.T) {
	v := readVectors(t)
	field, hash := v.AuthHash[0].PasswordField, v.AuthHash[0].SessionAuthHash
	for _, test := range []struct {
		name        string
		keys        []string
		field, hash string
		want        int
	}{
		{"the key", []string{v.SecretKey}, field, hash, 0},
		{"a fallback", []string{"new", v.SecretKey}, field, hash, 1},
		{"the same key twice", []string{v.SecretKey, v.SecretKey}, field, hash, 0},
		{"another key", []string{"new", "newer"}, field, hash, -1},
		{"no key", nil, field, hash, -1},
		{"another password", []string{v.SecretKey}, field + "x", hash, -1},
		{"no hash", []string{v.SecretKey}, field, "", -1},
		{"the beginning of the hash", []string{v.SecretKey}, field, hash[:63], -1},
		{"the hash and more", []string{v.SecretKey}, field, hash + "0", -1},
		{"the hash in capitals", []string{v.SecretKey}, field, strings.ToUpper(hash), -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := SessionAuthHashKey(test.keys, test.field, test.hash); got != test.want {
				t.Errorf("SessionAuthHashKey = %d, want %d", got, test.want)
			}
			if got := SessionAuthHashMatches(test.keys, test.field, test.hash); got != (test.want >= 0) {
				t.Errorf("SessionAuthHashMatches = %v", got)
			}
		})
	}
}

func TestASaltedKeyOfAnyLengthIsTheDigestOfSaltAndSecret(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 192, 1000} {
		if saltedKey(strings.Repeat("s", n), "key") != saltedKey("", strings.Repeat("s", n)+"key") {
			t.Errorf("a salt of %d bytes", n)
		}
	}
}

func TestASaltedHMACIsThatOfTheStandardLibrary(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 128, 192, 193, 1000} {
		value := strings.Repeat("v", n)
		key := saltedKey("salt", "secret")
		mac := hmac.New(sha256.New, key[:])
		io.WriteString(mac, value)
		if got := saltedHMAC("salt", "secret", value); !hmac.Equal(got[:], mac.Sum(nil)) {
			t.Errorf("a value of %d bytes", n)
		}
	}
}

func BenchmarkSessionAuthHashMatches(b *testing.B) {
	keys := []string{strings.Repeat("k", 50)}
	const field = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQx$Kd20WObf3KxzwHsgONsXyw"
	hash := SessionAuthHash(keys[0], field)
	b.ReportAllocs()
	for b.Loop() {
		if !SessionAuthHashMatches(keys, field, hash) {
			b.Fatal("no match")
		}
	}
}
