package password

import (
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const (
	sum16 = "AAAAAAAAAAAAAAAAAAAAAA"
	sum32 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

var sum64 = strings.Repeat("A", 86) + "=="

func TestWhatIsMalformedOrOutOfBoundsIsNotIdentified(t *testing.T) {
	t.Parallel()
	crypted := strings.Repeat("a", 21) + "u" + strings.Repeat("a", 31)
	for name, encoded := range map[string]string{
		"a name alone":                       "md5",
		"an algorithm in capitals":           "MD5$salt$" + strings.Repeat("0", 32),
		"a space before":                     " md5$salt$" + strings.Repeat("0", 32),
		"unsalted md5":                       strings.Repeat("0", 32),
		"md5 with an empty salt":             "md5$$" + strings.Repeat("0", 32),
		"md5 with a dollar in its salt":      "md5$a$b$" + strings.Repeat("0", 32),
		"md5 with a short sum":               "md5$salt$" + strings.Repeat("0", 31),
		"sha1":                               "sha1$salt$" + strings.Repeat("0", 40),
		"sha1 with an empty salt":            "sha1$$" + strings.Repeat("0", 40),
		"a hash longer than any":             "md5$" + strings.Repeat("s", maxEncoded) + "$" + strings.Repeat("0", 32),
		"pbkdf2 without iterations":          "pbkdf2_sha256$$salt$" + sum32,
		"pbkdf2 with no iterations":          "pbkdf2_sha256$0$salt$" + sum32,
		"pbkdf2 with a sign":                 "pbkdf2_sha256$+1$salt$" + sum32,
		"pbkdf2 with a leading zero":         "pbkdf2_sha256$01$salt$" + sum32,
		"pbkdf2 with an underscore":          "pbkdf2_sha256$1_000$salt$" + sum32,
		"pbkdf2 with foreign digits":         "pbkdf2_sha256$١$salt$" + sum32,
		"pbkdf2 beyond the bound":            "pbkdf2_sha256$10000001$salt$" + sum32,
		"pbkdf2 beyond 64 bits":              "pbkdf2_sha256$18446744073709551617$salt$" + sum32,
		"pbkdf2 without salt":                "pbkdf2_sha256$1$$" + sum32,
		"pbkdf2 with the sum of another":     "pbkdf2_sha1$1$salt$" + sum32,
		"argon2 in another order":            "argon2$argon2id$v=19$t=1,m=64,p=1$c29tZXNhbHQ$" + sum16,
		"argon2 with a fourth parameter":     "argon2$argon2id$v=19$m=64,t=1,p=1,x=1$c29tZXNhbHQ$" + sum16,
		"argon2 with no passes":              "argon2$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$" + sum16,
		"argon2 with no lanes":               "argon2$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$" + sum16,
		"argon2 with too little memory":      "argon2$argon2id$v=19$m=15,t=1,p=2$c29tZXNhbHQ$" + sum16,
		"argon2 with too many lanes":         "argon2$argon2id$v=19$m=8192,t=1,p=65$c29tZXNhbHQ$" + sum16,
		"argon2 with lanes that wrap a byte": "argon2$argon2id$v=19$m=8192,t=1,p=257$c29tZXNhbHQ$" + sum16,
		"argon2 with too much memory":        "argon2$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$" + sum16,
		"argon2 with too much time":          "argon2$argon2id$v=19$m=64,t=257,p=1$c29tZXNhbHQ$" + sum16,
		"argon2 with too much work":          "argon2$argon2id$v=19$m=262144,t=17,p=1$c29tZXNhbHQ$" + sum16,
		"argon2 with a salt of 7 bytes":      "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbA$" + sum16,
		"argon2 with a tag of 3 bytes":       "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA",
		"argon2 with padding":                "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ=$" + sum16 + "==",
		"argon2 with bits left over":         "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + sum16[1:] + "B",
		"argon2 with a line end":             "argon2$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + sum16 + "\n",
		"bcrypt of version 2x":               "bcrypt$$2x$12$" + crypted,
		"bcrypt of version 2":                "bcrypt$$2$12$" + crypted,
		"bcrypt of no version":               "bcrypt$$$12$" + crypted,
		"bcrypt without its empty part":      "bcrypt$2b$12$" + crypted,
		"bcrypt with too low a cost":         "bcrypt$$2b$03$" + crypted,
		"bcrypt with too high a cost":        "bcrypt$$2b$17$" + crypted,
		"bcrypt with cost 31":                "bcrypt_sha256$$2b$31$" + crypted,
		"bcrypt with a cost of one digit":    "bcrypt$$2b$4$" + crypted,
		"bcrypt with a cost of three digits": "bcrypt$$2b$004$" + crypted,
		"bcrypt with a short sum":            "bcrypt$$2b$12$" + crypted[1:],
		"bcrypt with a long sum":             "bcrypt$$2b$12$" + crypted + "a",
		"bcrypt with a line end in its salt": "bcrypt$$2b$12$\n" + crypted[1:],
		"bcrypt with a plus in its sum":      "bcrypt$$2b$12$" + crypted[1:] + "+",
		"scrypt with n=1":                    "scrypt$1$salt$8$1$" + sum64,
		"scrypt with n not a power of two":   "scrypt$16385$salt$8$1$" + sum64,
		"scrypt with no blocks":              "scrypt$16384$salt$0$1$" + sum64,
		"scrypt with no lanes":               "scrypt$16384$salt$8$0$" + sum64,
		"scrypt with too much memory":        "scrypt$524288$salt$8$1$" + sum64,
		"scrypt with too much work":          "scrypt$32768$salt$8$64$" + sum64,
		"scrypt with blocks without end":     "scrypt$2$salt$4194304$1$" + sum64,
		"scrypt with lanes without end":      "scrypt$2$salt$1$4194304$" + sum64,
		"scrypt without salt":                "scrypt$16384$$8$1$" + sum64,
		"scrypt with a short sum":            "scrypt$16384$salt$8$1$" + sum32,
	} {
		if algorithm, ok := Identify(encoded); ok || algorithm != "" {
			t.Errorf("%s: Identify(%q) = %q, %v", name, encoded, algorithm, ok)
		}
		if got := Describe(encoded); got != "unknown" {
			t.Errorf("%s: Describe(%q) = %q", name, encoded, got)
		}
	}
}

func TestDescribeNamesAlgorithmAndCostOnly(t *testing.T) {
	t.Parallel()
	crypted := strings.Repeat("a", 21) + "u" + strings.Repeat("a", 31)
	for encoded, want := range map[string]string{
		"":                               "unknown",
		"!":                              "unusable",
		"!pbkdf2_sha256$1$salt$" + sum32: "unusable",
		"argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$" + sum16:   "argon2id m=19456 t=2 p=1",
		"argon2$argon2i$v=19$m=262144,t=16,p=64$c29tZXNhbHQ$" + sum16: "argon2i m=262144 t=16 p=64",
		"pbkdf2_sha256$1000000$salt$" + sum32:                         "pbkdf2_sha256 1000000 iterations",
		"pbkdf2_sha1$10000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAA=":      "pbkdf2_sha1 10000000 iterations",
		"bcrypt$$2y$04$" + crypted:                                    "bcrypt cost 4",
		"bcrypt_sha256$$2a$16$" + crypted:                             "bcrypt_sha256 cost 16",
		"scrypt$16384$salt$8$5$" + sum64:                              "scrypt n=16384 r=8 p=5",
		"scrypt$2$salt$256$256$" + sum64:                              "scrypt n=2 r=256 p=256",
		"md5$salt$00000000000000000000000000000000":                   "md5",
	} {
		if got := Describe(encoded); got != want {
			t.Errorf("Describe(%q) = %q, want %q", encoded, got, want)
		}
	}
}

func TestAnUnusableMarkIsRandomAndNeverVerifies(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^![A-Za-z0-9]{40}$`)
	h := fast(t)
	seen := map[string]bool{}
	for range 100 {
		mark := Unusable(nil)
		if !form.MatchString(mark) || seen[mark] {
			t.Fatalf("Unusable() = %q", mark)
		}
		seen[mark] = true
		if ok, _ := h.Verify(mark, mark); ok || Usable(mark) {
			t.Errorf("%q verifies or is usable", mark)
		}
	}
	if got := Unusable(iotest.ErrReader(iotest.ErrTimeout)); !form.MatchString(got) {
		t.Errorf("Unusable of a broken source = %q", got)
	}
	if got, want := Unusable(zeros{}), "!"+strings.Repeat("a", 40); got != want {
		t.Errorf("Unusable of zeros = %q, want %q", got, want)
	}
	for encoded, want := range map[string]bool{"": true, "!": false, "!x": false, "x!": true, "md5$a$b": true} {
		if Usable(encoded) != want {
			t.Errorf("Usable(%q) = %v", encoded, !want)
		}
	}
}

func TestEveryCharacterOfASaltIsAsLikely(t *testing.T) {
	t.Parallel()
	counts := map[byte]int{}
	const each = 2000
	for _, c := range []byte(sureText(nil, each*len(alphanumeric))) {
		counts[c]++
	}
	for _, c := range []byte(alphanumeric) {
		// Ten standard deviations.
		if n := counts[c]; n < each-450 || n > each+450 {
			t.Errorf("%q came %d times, expected about %d", c, n, each)
		}
	}
	if len(counts) != len(alphanumeric) {
		t.Errorf("%d characters, want %d", len(counts), len(alphanumeric))
	}
}

// FuzzVerify holds against any text in the password column: no panic, no cost
// beyond the bounds, one meaning for the encoding.
func FuzzVerify(f *testing.F) {
	v := readVectors(f)
	for _, hash := range append(read(f, "cheap.json").Hashes, v.Hashes...) {
		f.Add(hash.Password, hash.Encoded)
	}
	for _, encoded := range v.Never {
		f.Add("x", encoded)
	}
	h := fast(f)
	f.Fuzz(func(t *testing.T, password, encoded string) {
		stored, known := parse(encoded)
		if algorithm, ok := Identify(encoded); ok != known || ok && !strings.HasPrefix(encoded, algorithm+"$") {
			t.Fatalf("Identify(%q) = %q, %v", encoded, algorithm, ok)
		}
		if !known {
			if ok, _ := h.Verify(password, encoded); ok {
				t.Fatalf("%q verifies %q", password, encoded)
			}
			return
		}
		if !Usable(encoded) {
			t.Fatalf("%q is known and not usable", encoded)
		}
		again, ok := parse(stored.recipe.encode(stored.salt, stored.sum))
		if !ok || again.recipe != stored.recipe || string(again.salt) != string(stored.salt) || string(again.sum) != string(stored.sum) {
			t.Fatalf("%q reads as %+v and %+v", encoded, stored, again)
		}
		if costly(stored.recipe) {
			return // within the bounds, but not a few thousand times a second
		}
		start := time.Now()
		if ok, outdated := h.Verify(password, encoded); outdated && !ok {
			t.Fatalf("Verify(%q, %q) = %v, %v", password, encoded, ok, outdated)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("Verify(_, %q) took %v", encoded, took)
		}
	})
}

func costly(r recipe) bool {
	switch r := r.(type) {
	case argon2Recipe:
		return r.cost.MemoryKiB*r.cost.Time > 4096
	case pbkdf2Recipe:
		return r.iterations > 5000
	case bcryptRecipe:
		return r.cost > MinBcryptCost
	case scryptRecipe:
		return r.cost.N*r.cost.R*r.cost.P > 1<<15
	}
	return false
}
