package django

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newSigner(t testing.TB, keys ...string) *Signer {
	t.Helper()
	s, err := NewSigner(keys, "salt")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newTimestampSigner(t testing.TB, keys ...string) *TimestampSigner {
	t.Helper()
	s, err := NewTimestampSigner(keys, "salt")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// djangosTime is when Django made the signatures of these tests, with the key
// "key" and the salt "salt".
var djangosTime = time.Unix(1700000000, 900e6)

func TestSignaturesAreDjangos(t *testing.T) {
	s, stamped := newSigner(t, "key"), newTimestampSigner(t, "key")
	for _, test := range []struct{ name, got, want string }{
		{"a value", s.Sign("hello"), "hello:KjlB272dpOiidI2BcdSpac67vcFvEXAnZCyaqgFfuIY"},
		{"a value with a colon and more than ASCII", s.Sign("a:b ключ"), "a:b ключ:sYc138mYRIisqtK95CLUin4_qVpQ9V3WwwHdmcJaJGo"},
		{"a value and the time", stamped.Sign("hello", djangosTime), "hello:1r31eq:Kc3vxtY1CY2_RwKJG0FOuRGB-sr6fQ2fTiHKwyp1GMM"},
		{"an object", stamped.Dumps([]byte(`{"a":1}`), djangosTime), "eyJhIjoxfQ:1r31eq:-5t9iS8fkooJgkBj_tTsDmPDEWoQcgt_AoOJjrQk0yI"},
		{"an object that is shorter as it is", stamped.DumpsCompressed([]byte(`["xxx"]`), djangosTime), "WyJ4eHgiXQ:1r31eq:ffQNE5f2PqAkOOY0Y8VwJNgqZAH-vgM-MNLrQEzjNs0"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestDjangosCompressedObjectIsRead(t *testing.T) {
	text, at, err := newTimestampSigner(t, "key").Loads(".eJyLVqqgA1CKBQDRJi_d:1r31eq:gGviTCyTR64q2AJVLFYE5fEju_WOnpXtel1_MnAhyNA")
	if want := `["` + strings.Repeat("x", 100) + `"]`; err != nil || string(text) != want || at.Unix() != djangosTime.Unix() {
		t.Errorf("Loads = %s, %v, %v", text, at, err)
	}
}

func TestUnsignRefusesWhatNoKeySigned(t *testing.T) {
	const signed = "hello:KjlB272dpOiidI2BcdSpac67vcFvEXAnZCyaqgFfuIY"
	for _, test := range []struct {
		name, text string
		keys       []string
		want       error
	}{
		{"signed", signed, []string{"key"}, nil},
		{"signed with a fallback", signed, []string{"new", "key"}, nil},
		{"another key", signed, []string{"new", "newer"}, ErrBadSignature},
		{"another value", "Hello" + signed[5:], []string{"key"}, ErrBadSignature},
		{"another signature", signed[:len(signed)-1] + "Z", []string{"key"}, ErrBadSignature},
		{"a signature cut short", signed[:len(signed)-1], []string{"key"}, ErrBadSignature},
		{"a padded signature", signed + "=", []string{"key"}, ErrBadSignature},
		{"no signature", "hello:", []string{"key"}, ErrBadSignature},
		{"no separator", "hello", []string{"key"}, ErrBadSignature},
		{"nothing", "", []string{"key"}, ErrBadSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			value, err := newSigner(t, test.keys...).Unsign(test.text)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if test.want == nil && value != "hello" || test.want != nil && value != "" {
				t.Errorf("value %q", value)
			}
		})
	}
}

func TestASignatureIsForOneSaltOnly(t *testing.T) {
	other, err := NewSigner([]string{"key"}, "pepper")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unsign(newSigner(t, "key").Sign("hello")); !errors.Is(err, ErrBadSignature) {
		t.Errorf("error %v", err)
	}
}

func TestASignedValueExpires(t *testing.T) {
	s := newTimestampSigner(t, "key")
	signed := s.Sign("hello", djangosTime)
	for _, test := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"not at once", djangosTime, nil},
		{"not at the limit", time.Unix(1700000060, 0), nil},
		{"not before its time", djangosTime.Add(-time.Hour), nil},
		{"past the limit", time.Unix(1700000060, 1), ErrSignatureExpired},
	} {
		value, err := s.UnsignWithin(signed, time.Minute, test.now)
		if !errors.Is(err, test.want) || (value == "hello") != (err == nil) {
			t.Errorf("%s: %q, %v", test.name, value, err)
		}
	}
	if !errors.Is(ErrSignatureExpired, ErrBadSignature) {
		t.Error("expired is not a bad signature")
	}
	if _, err := s.UnsignWithin(signed+"x", time.Minute, djangosTime); !errors.Is(err, ErrBadSignature) || errors.Is(err, ErrSignatureExpired) {
		t.Errorf("a bad signature: %v", err)
	}
}

func TestLoadsRefusesWhatIsSignedAndMalformed(t *testing.T) {
	plain, stamped := newSigner(t, "key"), newTimestampSigner(t, "key")
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"no time", plain.Sign("e30"), ErrSignedPayload},
		{"a time that is none", plain.Sign("e30:no time"), ErrSignedPayload},
		{"an empty time", plain.Sign("e30:"), ErrSignedPayload},
		{"no base64", stamped.Sign("e3!", djangosTime), ErrSignedPayload},
		{"padded base64", stamped.Sign("e30=", djangosTime), ErrSignedPayload},
		{"compressed and not zlib", stamped.Sign(".e30", djangosTime), ErrSignedPayload},
		{"compressed and nothing there", stamped.Sign(".", djangosTime), ErrSignedPayload},
		{"compressed and cut short", stamped.Sign(".eJyLVqqgA1CKBQDR", djangosTime), ErrSignedPayload},
		{"a wrong checksum", stamped.Sign(".eJyLVqqgA1CKBQDRJi_e", djangosTime), ErrSignedPayload},
		{"not signed", "e30:1r31eq:x", ErrBadSignature},
		{"far too long", strings.Repeat("e", 2*MaxSigned+1), ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			if text, _, err := stamped.Loads(test.text); !errors.Is(err, test.want) || text != nil {
				t.Errorf("Loads = %q, %v; want %v", text, err, test.want)
			}
		})
	}
	if text, _, err := stamped.Loads(stamped.Dumps([]byte("{}"), djangosTime)); err != nil || string(text) != "{}" {
		t.Errorf("after all these Loads = %q, %v", text, err)
	}
}

func TestLoadsStopsAtItsLimit(t *testing.T) {
	s := newTimestampSigner(t, "key")
	for _, test := range []struct {
		name string
		size int
		want error
	}{
		{"as long as may be", MaxSigned, nil},
		{"a byte longer", MaxSigned + 1, ErrTooLarge},
		{"a bomb", 4 * MaxSigned, ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := s.DumpsCompressed(make([]byte, test.size), djangosTime)
			if len(signed) > test.size/100 {
				t.Fatalf("%d bytes: not compressed", len(signed))
			}
			text, _, err := s.Loads(signed)
			if !errors.Is(err, test.want) || err == nil && len(text) != test.size {
				t.Errorf("%d bytes, %v", len(text), err)
			}
		})
	}
	if _, _, err := s.Loads(s.Dumps(make([]byte, MaxSigned+1), djangosTime)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("not compressed: %v", err)
	}
}

func TestWhatIsSignedIsRead(t *testing.T) {
	s := newTimestampSigner(t, "key")
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "part")
		text := bytes.Repeat(part, rapid.IntRange(0, 20).Draw(t, "times"))
		now := time.Unix(rapid.Int64Range(-1e12, 1e12).Draw(t, "now"), 0)
		for _, signed := range []string{s.Dumps(text, now), s.DumpsCompressed(text, now)} {
			got, at, err := s.Loads(signed)
			if err != nil || !bytes.Equal(got, text) || !at.Equal(now) {
				t.Fatalf("%q at %v came back as %q at %v, %v", text, now, got, at, err)
			}
		}
		if len(s.DumpsCompressed(text, now)) > len(s.Dumps(text, now)) {
			t.Fatalf("%q is longer compressed", text)
		}
	})
}

func TestOnlyWhatGetsShorterByMoreThanTheDotIsCompressed(t *testing.T) {
	s := newTimestampSigner(t, "key")
	sizes := map[int]bool{} // how much shorter the compressed form was
	for n := range 100 {
		text := bytes.Repeat([]byte("x"), n)
		saved := len(text) - len(deflate(text))
		sizes[saved] = true
		if got := strings.HasPrefix(s.DumpsCompressed(text, djangosTime), "."); got != (saved > 1) {
			t.Errorf("%d bytes, %d saved: compressed is %v", n, saved, got)
		}
	}
	if !sizes[1] || !sizes[2] {
		t.Errorf("the limit was not met: %v", sizes)
	}
}

func TestASignerNeedsAKey(t *testing.T) {
	for _, keys := range [][]string{nil, {""}, {"key", ""}} {
		if _, err := NewSigner(keys, "salt"); !errors.Is(err, ErrNoKey) {
			t.Errorf("NewSigner(%q): %v", keys, err)
		}
		if _, err := NewTimestampSigner(keys, "salt"); !errors.Is(err, ErrNoKey) {
			t.Errorf("NewTimestampSigner(%q): %v", keys, err)
		}
	}
}

func TestBase62(t *testing.T) {
	for _, test := range []struct {
		n    int64
		text string
	}{
		{0, "0"}, {9, "9"}, {10, "A"}, {35, "Z"}, {36, "a"}, {61, "z"}, {62, "10"}, {-1, "-1"}, {-62, "-10"},
		{1700000000, "1r31eq"}, {math.MaxInt64, "AzL8n0Y58m7"}, {-math.MaxInt64, "-AzL8n0Y58m7"},
	} {
		if got := EncodeBase62(test.n); got != test.text {
			t.Errorf("EncodeBase62(%d) = %s, want %s", test.n, got, test.text)
		}
		if got, err := DecodeBase62(test.text); err != nil || got != test.n {
			t.Errorf("DecodeBase62(%s) = %d, %v", test.text, got, err)
		}
	}
	if got := EncodeBase62(math.MinInt64); got != "-AzL8n0Y58m8" {
		t.Errorf("EncodeBase62 of the smallest = %s", got)
	}
	for _, text := range []string{"", "-", "--1", "+1", " 1", "1_0", "1.", "é", "AzL8n0Y58m8", "-AzL8n0Y58m8", "zzzzzzzzzzzzzzzzzzzzzzzz"} {
		if n, err := DecodeBase62(text); !errors.Is(err, ErrBase62) {
			t.Errorf("DecodeBase62(%q) = %d, %v", text, n, err)
		}
	}
}

func FuzzUnsign(f *testing.F) {
	f.Add("hello:1r31eq:Kc3vxtY1CY2_RwKJG0FOuRGB-sr6fQ2fTiHKwyp1GMM")
	f.Add(".eJyLVqqgA1CKBQDRJi_d:1r31eq:gGviTCyTR64q2AJVLFYE5fEju_WOnpXtel1_MnAhyNA")
	f.Add("::")
	s := newTimestampSigner(f, "key")
	f.Fuzz(func(t *testing.T, text string) {
		value, at, err := s.Unsign(text)
		if err == nil && s.Sign(value, at) != text {
			t.Fatalf("%q is accepted, but %q at %v is signed otherwise", text, value, at)
		}
		if _, _, err := s.Loads(text); err == nil {
			if _, _, err := s.Unsign(text); err != nil {
				t.Fatalf("Loads accepts what Unsign refuses: %v", err)
			}
		}
		if got, err := newSigner(t, "key").Unsign(newSigner(t, "key").Sign(text)); err != nil || got != text {
			t.Fatalf("%q came back as %q, %v", text, got, err)
		}
	})
}
