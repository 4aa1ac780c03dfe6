package django

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDjangosMaskedTokensMatchTheirSecrets(t *testing.T) {
	vs := readVectors(t).CSRF
	for i, v := range vs {
		secret, err := SecretOf(v.Masked)
		if err != nil || secret != v.Secret {
			t.Errorf("SecretOf(%q) = %q, %v; want %q", v.Masked, secret, err, v.Secret)
		}
		if !TokenMatches(v.Masked, v.Secret) || !TokenMatches(v.Secret, v.Secret) {
			t.Errorf("%q and its masked form do not match", v.Secret)
		}
		if other := vs[(i+1)%len(vs)]; TokenMatches(v.Masked, other.Secret) {
			t.Errorf("%q matches another secret", v.Masked)
		}
	}
}

func TestAMaskIsPutOnAsDjangoDoes(t *testing.T) {
	for _, v := range readVectors(t).CSRF {
		random := make([]byte, 64) // a byte below 62 draws the character at its place
		for i := range SecretLength {
			random[i] = csrfIndex[v.Masked[i]]
		}
		if masked, err := Mask(bytes.NewReader(random), v.Secret); err != nil || masked != v.Masked {
			t.Errorf("Mask(%q) = %q, %v; want %q", v.Secret, masked, err, v.Masked)
		}
	}
}

func TestATokenOfTheWrongFormIsNone(t *testing.T) {
	good := strings.Repeat("a", SecretLength)
	for _, test := range []struct {
		name, token string
		want        error
	}{
		{"empty", "", ErrTokenLength},
		{"one short", good[1:], ErrTokenLength},
		{"one long", good + "a", ErrTokenLength},
		{"between the two lengths", good + good[:16], ErrTokenLength},
		{"too long", good + good + "a", ErrTokenLength},
		{"a dash", good[1:] + "-", ErrTokenCharacters},
		{"a letter that is not ASCII counts as one character", good[1:] + "ä", ErrTokenCharacters},
		{"bytes of the right number, characters of another", strings.Repeat("ä", SecretLength/2), ErrTokenLength},
		{"invalid UTF-8", good[1:] + "\xff", ErrTokenCharacters},
		{"64 dashes", strings.Repeat("-", TokenLength), ErrTokenCharacters},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := SecretOf(test.token); !errors.Is(err, test.want) {
				t.Errorf("SecretOf(%q): %v, want %v", test.token, err, test.want)
			}
			if TokenMatches(test.token, good) || TokenMatches(good, test.token) {
				t.Errorf("%q matches", test.token)
			}
		})
	}
}

func TestAMaskedSecretNeverLooksTheSame(t *testing.T) {
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 100 {
		token, err := Mask(rand.Reader, secret)
		if err != nil {
			t.Fatal(err)
		}
		if len(token) != TokenLength || seen[token] || !TokenMatches(token, secret) {
			t.Fatalf("Mask gave %q", token)
		}
		seen[token] = true
	}
}

func TestRandomThatFailsIsAnError(t *testing.T) {
	if s, err := NewSecret(strings.NewReader("short")); err == nil {
		t.Errorf("NewSecret = %q without random", s)
	}
	if s, err := NewSessionKey(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("NewSessionKey = %q, %v without random", s, err)
	}
	if s, err := Mask(strings.NewReader(""), strings.Repeat("a", 32)); err == nil {
		t.Errorf("Mask = %q without random", s)
	}
	if s, err := Mask(rand.Reader, "not a secret"); err == nil {
		t.Errorf("Mask = %q of what is no secret", s)
	}
}

func TestEveryCharacterIsAsLikely(t *testing.T) {
	const draws = 4000
	for _, test := range []struct {
		name, alphabet string
		draw           func(io.Reader) (string, error)
	}{
		{"a session key", "abcdefghijklmnopqrstuvwxyz0123456789", NewSessionKey},
		{"a CSRF secret", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", NewSecret},
	} {
		t.Run(test.name, func(t *testing.T) {
			count := map[rune]int{}
			for range draws {
				key, err := test.draw(rand.Reader)
				if err != nil || len(key) != 32 {
					t.Fatalf("%q, %v", key, err)
				}
				for _, c := range key {
					count[c]++
				}
			}
			if len(count) != len(test.alphabet) {
				t.Fatalf("%d different characters, want %d", len(count), len(test.alphabet))
			}
			mean := draws * 32 / len(test.alphabet)
			for c, n := range count { // a fifth is 9 standard deviations
				if !strings.ContainsRune(test.alphabet, c) || n < mean*8/10 || n > mean*12/10 {
					t.Errorf("%q came %d times, the mean is %d", c, n, mean)
				}
			}
		})
	}
}

func TestARandomByteBeyondTheLastWholeMultipleIsThrownAway(t *testing.T) {
	random := bytes.Repeat([]byte{255, 252, 0}, 64) // 252 is 7 times 36: 252 to 255 would favour "a" to "d"
	key, err := NewSessionKey(bytes.NewReader(random))
	if err != nil || key != strings.Repeat("a", 32) {
		t.Errorf("NewSessionKey = %q, %v", key, err)
	}
	random = bytes.Repeat([]byte{255, 248, 61}, 64) // 248 is 4 times 62
	secret, err := NewSecret(bytes.NewReader(random))
	if err != nil || secret != strings.Repeat("9", 32) {
		t.Errorf("NewSecret = %q, %v", secret, err)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("gSKySeWfASoKYuYV2JeqMuNjF80ImA9Y")
	f.Add("R1RPVp90hv3ctPi0tzswAxkJIdcHRlW6XJrdDtV5HdhMh96Ll8wMcRXSdb2f3LVU")
	f.Add("")
	f.Add(strings.Repeat("ä", 32))
	f.Fuzz(func(t *testing.T, token string) {
		secret, err := SecretOf(token)
		if err != nil {
			if TokenMatches(token, token) {
				t.Fatal("a malformed token matches itself")
			}
			return
		}
		if again, err := SecretOf(secret); err != nil || again != secret {
			t.Fatalf("the secret %q is not its own secret", secret)
		}
		masked, err := Mask(rand.Reader, secret)
		if err != nil || !TokenMatches(masked, secret) || !TokenMatches(token, secret) {
			t.Fatalf("%q does not match its secret %q", token, secret)
		}
	})
}

func BenchmarkTokenMatches(b *testing.B) {
	secret, _ := NewSecret(rand.Reader)
	token, _ := Mask(rand.Reader, secret)
	b.ReportAllocs()
	for b.Loop() {
		TokenMatches(token, secret)
	}
}
