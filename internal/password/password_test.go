package password

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	xbcrypt "golang.org/x/crypto/bcrypt"
	"pgregory.net/rapid"
)

// cheapest returns options for the algorithm at a cost for tests.
func cheapest(algorithm string) Options {
	return Options{
		Algorithm:        algorithm,
		Argon2:           Argon2Cost{MemoryKiB: 16, Time: 1, Parallelism: 2},
		PBKDF2Iterations: 2,
		BcryptCost:       4,
		Scrypt:           ScryptCost{N: 4, R: 2, P: 2},
	}
}

func newHashing(tb testing.TB, o Options) *Hashing {
	tb.Helper()
	h, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// zeros is a source without randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var algorithms = []string{Argon2, PBKDF2SHA256, PBKDF2SHA1, BcryptSHA256, Bcrypt, Scrypt, MD5}

func TestHashWritesDjangosEncoding(t *testing.T) {
	t.Parallel()
	for algorithm, form := range map[string]string{
		Argon2:       `^argon2\$argon2id\$v=19\$m=16,t=1,p=2\$[A-Za-z0-9+/]{30}\$[A-Za-z0-9+/]{22}$`,
		PBKDF2SHA256: `^pbkdf2_sha256\$2\$[A-Za-z0-9]{22}\$[A-Za-z0-9+/]{43}=$`,
		PBKDF2SHA1:   `^pbkdf2_sha1\$2\$[A-Za-z0-9]{22}\$[A-Za-z0-9+/]{27}=$`,
		BcryptSHA256: `^bcrypt_sha256\$\$2b\$04\$[A-Za-z0-9./]{53}$`,
		Bcrypt:       `^bcrypt\$\$2b\$04\$[A-Za-z0-9./]{53}$`,
		Scrypt:       `^scrypt\$4\$[A-Za-z0-9]{22}\$2\$2\$[A-Za-z0-9+/]{86}==$`,
		MD5:          `^md5\$[A-Za-z0-9]{22}\$[0-9a-f]{32}$`,
	} {
		h := newHashing(t, cheapest(algorithm))
		encoded, err := h.Hash("correct horse battery staple")
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if !regexp.MustCompile(form).MatchString(encoded) {
			t.Errorf("%s: %s does not match %s", algorithm, encoded, form)
		}
		if len(encoded) > 128 {
			t.Errorf("%s: %d characters do not fit Django's column", algorithm, len(encoded))
		}
		again, err := h.Hash("correct horse battery staple")
		if err != nil || again == encoded {
			t.Errorf("%s: the second hash is %q, %v: no fresh salt", algorithm, again, err)
		}
	}
}

func TestTheDefaultIsArgon2idWithTheCostItDocuments(t *testing.T) {
	t.Parallel()
	h := newHashing(t, Options{Rand: zeros{}})
	encoded, err := h.Hash("x")
	if err != nil {
		t.Fatal(err)
	}
	const want = "argon2$argon2id$v=19$m=19456,t=2,p=1$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ$"
	if !strings.HasPrefix(encoded, want) || h.Algorithm() != Argon2 {
		t.Errorf("%s: %s, want %s…", h.Algorithm(), encoded, want)
	}
	for algorithm, want := range map[string]string{
		PBKDF2SHA256: "pbkdf2_sha256 1000000 iterations",
		PBKDF2SHA1:   "pbkdf2_sha1 1000000 iterations",
		BcryptSHA256: "bcrypt_sha256 cost 12",
		Bcrypt:       "bcrypt cost 12",
		Scrypt:       "scrypt n=16384 r=8 p=5",
		MD5:          "md5",
	} {
		if got := newHashing(t, Options{Algorithm: algorithm}).preferred.describe(); got != want {
			t.Errorf("the default of %s is %q, want %q", algorithm, got, want)
		}
	}
}

func TestAHashVerifiesItsPasswordAndNoOther(t *testing.T) {
	t.Parallel()
	hashings := map[string]*Hashing{}
	for _, algorithm := range algorithms {
		hashings[algorithm] = newHashing(t, cheapest(algorithm))
	}
	rapid.Check(t, func(t *rapid.T) {
		h := hashings[rapid.SampledFrom(algorithms).Draw(t, "algorithm")]
		password := strings.ReplaceAll(rapid.StringN(0, 40, 72).Draw(t, "password"), "\x00", "")
		other := strings.ReplaceAll(rapid.StringN(0, 40, 72).Draw(t, "other"), "\x00", "")
		encoded, err := h.Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		if ok, outdated := h.Verify(password, encoded); !ok || outdated {
			t.Errorf("Verify(%q, %q) = %v, %v", password, encoded, ok, outdated)
		}
		if ok, _ := h.Verify(other, encoded); ok != (other == password) {
			t.Errorf("Verify(%q, hash of %q) = %v", other, password, ok)
		}
		if algorithm, ok := Identify(encoded); !ok || algorithm != h.Algorithm() {
			t.Errorf("Identify(%q) = %q, %v", encoded, algorithm, ok)
		}
	})
}

func TestBcryptIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	h := newHashing(t, cheapest(Bcrypt))
	for _, password := range []string{"", "a", strings.Repeat("é", 36), strings.Repeat("0123456789", 9)} {
		encoded, err := h.Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		native := strings.TrimPrefix(encoded, "bcrypt$")
		if err := xbcrypt.CompareHashAndPassword([]byte(native), []byte(password)); err != nil {
			t.Errorf("%q: %s: %v", password, native, err)
		}
		theirs, err := xbcrypt.GenerateFromPassword([]byte(password[:min(72, len(password))]), 4)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := h.Verify(password, "bcrypt$"+string(theirs)); !ok {
			t.Errorf("%q: %s does not verify", password, theirs)
		}
	}
}

func TestOnlyTheFirst72BytesCountForBcryptAndAllForBcryptSHA256(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 8)
	for algorithm, want := range map[string]bool{Bcrypt: true, BcryptSHA256: false} {
		h := newHashing(t, cheapest(algorithm))
		encoded, err := h.Hash(long)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := h.Verify(long[:72], encoded); ok != want {
			t.Errorf("%s: the first 72 bytes of 80: %v, want %v", algorithm, ok, want)
		}
		if ok, _ := h.Verify(long[:71], encoded); ok {
			t.Errorf("%s: the first 71 bytes of 80 verify", algorithm)
		}
	}
}

// The key of bcrypt ends in a NUL and is repeated: "a" and "a\x00a" would be
// one password.
func TestANULIsNoPartOfABcryptPassword(t *testing.T) {
	t.Parallel()
	h := newHashing(t, cheapest(Bcrypt))
	if encoded, err := h.Hash("a\x00a"); err == nil || strings.Contains(err.Error(), "a\x00a") {
		t.Errorf("Hash = %q, %v", encoded, err)
	}
	encoded, err := h.Hash("a")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := h.Verify("a\x00a", encoded); ok {
		t.Error(`"a\x00a" verifies the hash of "a"`)
	}
}

func TestNewNamesEveryWrongValueAtOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options Options
		want    []string
	}{
		"an algorithm nobody knows": {Options{Algorithm: "sha1"}, []string{`algorithm is "sha1", must be one of argon2, pbkdf2_sha256,`}},
		"negative costs": {
			Options{Argon2: Argon2Cost{-1, -1, -1}, PBKDF2Iterations: -1, BcryptCost: -1, Scrypt: ScryptCost{-1, -1, -1}},
			[]string{
				"argon2 parallelism is -1, must be from 1 to 64",
				"argon2 memory in KiB is -1, must be from 8 to 262144",
				"argon2 time is -1, must be from 1 to 256",
				"pbkdf2 iterations is -1, must be from 1 to 10000000",
				"bcrypt cost is -1, must be from 4 to 16",
				"scrypt block size (r) is -1, must be from 1 to 256",
				"scrypt parallelism (p) is -1, must be from 1 to 256",
				"scrypt work factor (n) is -1, must be from 2 to 8388608",
			},
		},
		"costs without end": {
			Options{
				Algorithm: "ARGON2", Argon2: Argon2Cost{1 << 40, 1 << 40, 1 << 40}, PBKDF2Iterations: 10_000_001,
				BcryptCost: 17, Scrypt: ScryptCost{1 << 40, 1 << 40, 1 << 40},
			},
			[]string{"algorithm", "argon2 memory", "argon2 time", "argon2 parallelism", "pbkdf2", "bcrypt", "(n)", "(r)", "(p)"},
		},
		"less than 8 KiB for each lane":     {Options{Argon2: Argon2Cost{MemoryKiB: 63, Parallelism: 8}}, []string{"argon2 memory in KiB is 63, must be from 64 to"}},
		"too much argon2 in all":            {Options{Argon2: Argon2Cost{MemoryKiB: 262144, Time: 17}}, []string{"argon2 memory in KiB times time is 4456448, must be from 1 to 4194304"}},
		"scrypt with n not a power of two":  {Options{Scrypt: ScryptCost{N: 16385}}, []string{"scrypt work factor (n) is 16385, must be a power of two"}},
		"too much memory for scrypt":        {Options{Scrypt: ScryptCost{N: 1 << 19, R: 8, P: 1}}, []string{"scrypt memory (128*n*r) in bytes is 536870912, must be from 1 to 268435456"}},
		"too much work for scrypt":          {Options{Scrypt: ScryptCost{N: 1 << 15, R: 8, P: 64}}, []string{"scrypt work (n*r*p) is 16777216, must be from 1 to 8388608"}},
		"wrong costs of what is not wanted": {Options{Algorithm: MD5, BcryptCost: 3}, []string{"bcrypt cost is 3, must be from 4 to 16"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := New(test.options)
			if err == nil || h != nil {
				t.Fatalf("New = %v, %v", h, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestABrokenSourceOfRandomnessIsAnErrorAndNeverAWeakSalt(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	if _, err := New(Options{Rand: iotest.ErrReader(broken)}); !errors.Is(err, broken) {
		t.Errorf("New: %v", err)
	}
	for _, algorithm := range algorithms {
		o := cheapest(algorithm)
		o.Rand = io.MultiReader(bytes.NewReader(make([]byte, 32+15)), iotest.ErrReader(broken))
		encoded, err := newHashing(t, o).Hash("x")
		if !errors.Is(err, broken) || encoded != "" {
			t.Errorf("%s: Hash = %q, %v", algorithm, encoded, err)
		}
	}
}

func TestVerifySaysWhichHashesAreOutdated(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery staple"
	base := Options{
		Argon2:           Argon2Cost{MemoryKiB: 64, Time: 2, Parallelism: 1},
		PBKDF2Iterations: 1000,
		BcryptCost:       5,
		Scrypt:           ScryptCost{N: 64, R: 4, P: 2},
	}
	with := func(algorithm string, change func(*Options)) Options {
		o := base
		o.Algorithm = algorithm
		change(&o)
		return o
	}
	same := func(*Options) {}
	tests := map[string]struct {
		preferred string
		made      Options
		want      bool
	}{
		"argon2, as preferred":               {Argon2, with(Argon2, same), false},
		"argon2, less memory":                {Argon2, with(Argon2, func(o *Options) { o.Argon2.MemoryKiB = 63 }), true},
		"argon2, more memory":                {Argon2, with(Argon2, func(o *Options) { o.Argon2.MemoryKiB = 65 }), false},
		"argon2, fewer passes":               {Argon2, with(Argon2, func(o *Options) { o.Argon2.Time = 1 }), true},
		"argon2, more passes":                {Argon2, with(Argon2, func(o *Options) { o.Argon2.Time = 3 }), false},
		"argon2, one pass over twice the m":  {Argon2, with(Argon2, func(o *Options) { o.Argon2.MemoryKiB, o.Argon2.Time = 128, 1 }), false},
		"argon2, many passes over less":      {Argon2, with(Argon2, func(o *Options) { o.Argon2.MemoryKiB, o.Argon2.Time = 32, 200 }), true},
		"argon2, more lanes":                 {Argon2, with(Argon2, func(o *Options) { o.Argon2.Parallelism = 8 }), false},
		"pbkdf2, as preferred":               {PBKDF2SHA256, with(PBKDF2SHA256, same), false},
		"pbkdf2, fewer iterations":           {PBKDF2SHA256, with(PBKDF2SHA256, func(o *Options) { o.PBKDF2Iterations = 999 }), true},
		"pbkdf2, more iterations":            {PBKDF2SHA256, with(PBKDF2SHA256, func(o *Options) { o.PBKDF2Iterations = 1001 }), false},
		"pbkdf2 with the other digest":       {PBKDF2SHA256, with(PBKDF2SHA1, func(o *Options) { o.PBKDF2Iterations = 5000 }), true},
		"bcrypt, as preferred":               {Bcrypt, with(Bcrypt, same), false},
		"bcrypt, lower cost":                 {Bcrypt, with(Bcrypt, func(o *Options) { o.BcryptCost = 4 }), true},
		"bcrypt, higher cost":                {Bcrypt, with(Bcrypt, func(o *Options) { o.BcryptCost = 6 }), false},
		"bcrypt where bcrypt_sha256 is":      {BcryptSHA256, with(Bcrypt, func(o *Options) { o.BcryptCost = 6 }), true},
		"scrypt, as preferred":               {Scrypt, with(Scrypt, same), false},
		"scrypt, smaller n":                  {Scrypt, with(Scrypt, func(o *Options) { o.Scrypt.N = 32 }), true},
		"scrypt, smaller r":                  {Scrypt, with(Scrypt, func(o *Options) { o.Scrypt.R = 3 }), true},
		"scrypt, smaller p":                  {Scrypt, with(Scrypt, func(o *Options) { o.Scrypt.P = 1 }), true},
		"scrypt, all of p put into n":        {Scrypt, with(Scrypt, func(o *Options) { o.Scrypt.N, o.Scrypt.P = 128, 1 }), false},
		"scrypt, larger p":                   {Scrypt, with(Scrypt, func(o *Options) { o.Scrypt.P = 3 }), false},
		"md5 where md5 is preferred":         {MD5, with(MD5, same), false},
		"md5 where anything else is":         {PBKDF2SHA256, with(MD5, same), true},
		"argon2 where pbkdf2 is preferred":   {PBKDF2SHA256, with(Argon2, same), true},
		"pbkdf2 where argon2 is preferred":   {Argon2, with(PBKDF2SHA256, same), true},
		"scrypt where bcrypt is preferred":   {Bcrypt, with(Scrypt, same), true},
		"bcrypt where scrypt is preferred":   {Scrypt, with(Bcrypt, same), true},
		"bcrypt_sha256 where argon2 is":      {Argon2, with(BcryptSHA256, same), true},
		"bcrypt_sha256 where bcrypt is":      {Bcrypt, with(BcryptSHA256, same), true},
		"bcrypt_sha256, as preferred":        {BcryptSHA256, with(BcryptSHA256, same), false},
		"pbkdf2_sha1, as preferred":          {PBKDF2SHA1, with(PBKDF2SHA1, same), false},
		"pbkdf2_sha1 with fewer iterations":  {PBKDF2SHA1, with(PBKDF2SHA1, func(o *Options) { o.PBKDF2Iterations = 1 }), true},
		"bcrypt_sha256, lower cost":          {BcryptSHA256, with(BcryptSHA256, func(o *Options) { o.BcryptCost = 4 }), true},
		"argon2, less memory, less work too": {Argon2, with(Argon2, func(o *Options) { o.Argon2.MemoryKiB, o.Argon2.Time = 8, 1 }), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encoded, err := newHashing(t, test.made).Hash(password)
			if err != nil {
				t.Fatal(err)
			}
			h := newHashing(t, with(test.preferred, same))
			if ok, outdated := h.Verify(password, encoded); !ok || outdated != test.want {
				t.Errorf("Verify(_, %s) = %v, %v; want outdated %v", Describe(encoded), ok, outdated, test.want)
			}
			if ok, outdated := h.Verify("wrong", encoded); ok || outdated {
				t.Errorf("the wrong password: %v, %v", ok, outdated)
			}
		})
	}
}

func TestAShortSaltOrTagOrTheOlderVarietyIsOutdated(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ algorithm, encoded string }{
		"a pbkdf2 salt of 8 characters": {PBKDF2SHA256, "pbkdf2_sha256$2$seasalt2$BcXNAPku9B+KFXrhrj+5yHUBQiuzUPMpUVF0D3IGUOw="},
		"an md5 salt of 21 characters":  {MD5, "md5$somesaltsomesaltsomes$12986eb65d7516354fc82cc590cabb4d"},
		"an argon2 salt of 8 bytes":     {Argon2, "argon2$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQx$93qbQxotS0CJkVS4l+Bpzg"},
	}
	for name, test := range tests {
		ok, outdated := newHashing(t, cheapest(test.algorithm)).Verify("correct horse battery staple", test.encoded)
		if !ok || !outdated {
			t.Errorf("%s: %v, %v", name, ok, outdated)
		}
	}
	seen := map[string]bool{}
	for _, v := range read(t, "cheap.json").Hashes {
		stored, _ := parse(v.Encoded)
		made, is := stored.recipe.(argon2Recipe)
		if !is {
			continue
		}
		preferred := made
		preferred.variety, preferred.tag = argon2id, argon2TagLength
		h := newHashing(t, cheapest(Argon2))
		h.preferred = preferred
		want := made.variety == argon2i || made.tag < argon2TagLength
		if ok, outdated := h.Verify(v.Password, v.Encoded); !ok || outdated != want {
			t.Errorf("%s with a tag of %d bytes: %v, %v", Describe(v.Encoded), made.tag, ok, outdated)
		}
		seen[made.variety] = true
	}
	if !seen[argon2i] || !seen[argon2id] {
		t.Error("the vectors lack a variety of argon2")
	}
}
