package django

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

type vectors struct {
	SecretKey string `json:"secret_key"`
	AuthHash  []struct {
		PasswordField   string `json:"password_field"`
		SessionAuthHash string `json:"session_auth_hash"`
	} `json:"auth_hash"`
	CSRF []struct{ Secret, Masked string } `json:"csrf"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.CSRF) == 0 || len(v.AuthHash) == 0 {
		t.Fatal("the vectors are empty")
	}
	return v
}

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

func TestEveryCharacterOfASessionKeyIsAsLikely(t *testing.T) {
	count := map[byte]int{}
	const keys = 4000
	for range keys {
		key, err := NewSessionKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(key) != SessionKeyLength {
			t.Fatalf("key %q", key)
		}
		for i := range len(key) {
			count[key[i]]++
		}
	}
	if len(count) != len(sessionKeyChars) {
		t.Fatalf("%d different characters, want %d", len(count), len(sessionKeyChars))
	}
	mean := keys * SessionKeyLength / len(sessionKeyChars)
	for c, n := range count {
		if !strings.ContainsRune(sessionKeyChars, rune(c)) || n < mean*8/10 || n > mean*12/10 {
			t.Errorf("%q came %d times, the mean is %d", c, n, mean)
		}
	}
}

func TestSessionAuthHashIsDjangos(t *testing.T) {
	v := readVectors(t)
	for _, h := range v.AuthHash {
		if got := SessionAuthHash(v.SecretKey, h.PasswordField); got != h.SessionAuthHash {
			t.Errorf("SessionAuthHash = %s, want %s", got, h.SessionAuthHash)
		}
		for _, test := range []struct {
			name string
			keys []string
			want bool
		}{
			{"the key", []string{v.SecretKey}, true},
			{"a fallback", []string{"new", v.SecretKey}, true},
			{"the same key twice", []string{v.SecretKey, v.SecretKey}, true},
			{"another key", []string{"new", "newer"}, false},
			{"no key", nil, false},
		} {
			if got := SessionAuthHashMatches(test.keys, h.PasswordField, h.SessionAuthHash); got != test.want {
				t.Errorf("%s: matches is %v", test.name, got)
			}
		}
		if SessionAuthHashMatches([]string{v.SecretKey}, h.PasswordField+"x", h.SessionAuthHash) {
			t.Error("another password matches")
		}
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

func BenchmarkSessionAuthHashMatches(b *testing.B) {
	keys := []string{strings.Repeat("k", 50)}
	const field = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQx$Kd20WObf3KxzwHsgONsXyw"
	hash := SessionAuthHash(keys[0], field)
	b.ReportAllocs()
	for b.Loop() {
		SessionAuthHashMatches(keys, field, hash)
	}
}
