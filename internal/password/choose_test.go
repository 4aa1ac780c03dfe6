package password

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Encoded hashes as Djangos make them; nobody knows their passwords.
func pbkdf2Of(iterations int) string {
	return fmt.Sprintf("pbkdf2_sha256$%d$abcdefghijklmnopqrstuv$%s=", iterations, strings.Repeat("A", 43))
}

func pbkdf2SHA1Of(iterations int) string {
	return fmt.Sprintf("pbkdf2_sha1$%d$abcdefghijklmnopqrstuv$%s=", iterations, strings.Repeat("A", 27))
}

func argon2Of(variety string, memory, time, lanes, tag int) string {
	return fmt.Sprintf("argon2$%s$v=19$m=%d,t=%d,p=%d$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dg$%s", variety, memory, time, lanes,
		argon2Base64.EncodeToString(make([]byte, tag)))
}

func bcryptOf(name string, cost int) string {
	return fmt.Sprintf("%s$$2b$%02d$%s", name, cost, strings.Repeat(".", 53))
}

func scryptOf(n, r, p int) string {
	return fmt.Sprintf("scrypt$%d$abcdefghijklmnopqrstuv$%d$%d$%s==", n, r, p, strings.Repeat("A", 86))
}

func times(n int, encoded string) []string { return slices.Repeat([]string{encoded}, n) }

func TestChoose_FollowsTheTable(t *testing.T) {
	const md5Hash = "md5$abcdefghijklmnopqrstuv$00000000000000000000000000000000"
	for _, tt := range []struct {
		name   string
		o      Options
		sample []string
		want   string
		reason string // a part of it
	}{
		{"an empty table", Options{}, nil, "pbkdf2_sha256 1000000 iterations", "no hash to go by"},
		{"an empty table and a cost that is set", Options{PBKDF2Iterations: 870_000}, nil, "pbkdf2_sha256 870000 iterations", "no hash to go by"},
		{"nothing that could be read", Options{}, []string{"", "!", "!xyz", "sha1$a$b", "crypt$$x", "pbkdf2_sha512$1$a$b", "plain"}, "pbkdf2_sha256 1000000 iterations", "no hash to go by"},
		{"Django 3.2", Options{}, times(9, pbkdf2Of(260_000)), "pbkdf2_sha256 260000 iterations", "9 of the 9 hashes"},
		{"Django 4.2", Options{}, times(1, pbkdf2Of(600_000)), "pbkdf2_sha256 600000 iterations", "highest cost"},
		{"a Django that was upgraded a moment ago", Options{}, append(times(999, pbkdf2Of(260_000)), pbkdf2Of(1_000_000)), "pbkdf2_sha256 1000000 iterations", "highest"},
		{"a Django that was upgraded some time ago", Options{}, append(times(700, pbkdf2Of(36_000)), times(2, pbkdf2Of(1_000_000))...), "pbkdf2_sha256 1000000 iterations", "highest"},
		{"one odd row", Options{}, append(times(700, pbkdf2Of(260_000)), pbkdf2Of(9_999_999)), "pbkdf2_sha256 260000 iterations", "highest"},
		{"one odd row beside another cost", Options{}, append(times(7, pbkdf2Of(260_000)), pbkdf2Of(9_999_999), pbkdf2Of(600_000)), "pbkdf2_sha256 600000 iterations", "highest"},
		{"a row beyond the bounds", Options{}, append(times(2, pbkdf2Of(1_000_000_000)), pbkdf2Of(600_000)), "pbkdf2_sha256 600000 iterations", "1 of the 1"},
		{"argon2-cffi 21.1", Options{}, append(times(5, argon2Of(argon2id, 102400, 2, 8, 16)), times(3, pbkdf2Of(260_000))...), "argon2id m=102400 t=2 p=8", "5 of the 8"},
		{"argon2, its parts together", Options{}, append(times(3, argon2Of(argon2id, 65536, 3, 4, 16)), times(2, argon2Of(argon2id, 102400, 2, 8, 16))...), "argon2id m=102400 t=2 p=8", "highest"},
		{"argon2i of a Django before 3.2", Options{}, times(2, argon2Of(argon2i, 512, 2, 2, 16)), "argon2i m=512 t=2 p=2", "highest"},
		{"argon2i that is being replaced", Options{}, append(times(9, argon2Of(argon2i, 102400, 8, 8, 16)), times(2, argon2Of(argon2id, 102400, 2, 8, 16))...), "argon2id m=102400 t=2 p=8", "highest"},
		{"bcrypt_sha256", Options{}, append(times(4, bcryptOf(BcryptSHA256, 12)), bcryptOf(BcryptSHA256, 13)), "bcrypt_sha256 cost 13", "highest"},
		{"bcrypt with an odd row", Options{}, append(times(4, bcryptOf(Bcrypt, 12)), bcryptOf(Bcrypt, 16)), "bcrypt cost 12", "highest"},
		{"scrypt", Options{}, append(times(4, scryptOf(16384, 8, 1)), times(4, scryptOf(16384, 8, 5))...), "scrypt n=16384 r=8 p=5", "highest"},
		{"pbkdf2_sha1", Options{}, times(4, pbkdf2SHA1Of(260_000)), "pbkdf2_sha1 260000 iterations", "4 of the 4"},
		{"md5 is never chosen", Options{}, times(4, md5Hash), "pbkdf2_sha256 1000000 iterations", "4 are md5, which is too weak"},
		{"md5, and what else is there", Options{}, append(times(40, md5Hash), times(2, pbkdf2Of(600_000))...), "pbkdf2_sha256 600000 iterations", "40 are md5"},
		{"as many of the one as of the other", Options{}, append(times(2, argon2Of(argon2id, 102400, 2, 8, 16)), times(2, pbkdf2Of(600_000))...), "pbkdf2_sha256 600000 iterations", "2 of the 4"},
		{"the hasher is set", Options{Algorithm: PBKDF2SHA256}, append(times(9, argon2Of(argon2id, 102400, 2, 8, 16)), times(2, pbkdf2Of(600_000))...), "pbkdf2_sha256 600000 iterations", "the settings name pbkdf2_sha256, and this is their highest cost"},
		{"the hasher is set and nowhere there", Options{Algorithm: Argon2}, times(2, pbkdf2Of(600_000)), "argon2id m=19456 t=2 p=1", "the settings name argon2"},
		{"the hasher is set to md5", Options{Algorithm: MD5}, times(2, pbkdf2Of(600_000)), "md5", "the settings name md5"},
		{"the cost is set", Options{PBKDF2Iterations: 870_000}, times(2, pbkdf2Of(600_000)), "pbkdf2_sha256 870000 iterations", "the settings name the cost"},
		{"a part of the cost is set", Options{Argon2: Argon2Cost{Parallelism: 4}}, times(2, argon2Of(argon2id, 102400, 2, 8, 16)), "argon2id m=102400 t=2 p=4", "the settings name the cost"},
		{"a cost that does not go with what is there", Options{Argon2: Argon2Cost{Time: 200}}, times(2, argon2Of(argon2id, 102400, 2, 8, 16)), "argon2id m=19456 t=200 p=1", "settings"},
	} {
		got := Choose(tt.o, tt.sample)
		if got.String() != tt.want || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %s, because %s; want %s, because …%s…", tt.name, got, got.Reason, tt.want, tt.reason)
		}
		backwards := slices.Clone(tt.sample)
		slices.Reverse(backwards)
		if again := Choose(tt.o, backwards); !again.Equal(got) {
			t.Errorf("%s: %s, and %s in another order", tt.name, got, again)
		}
	}
}

// TestChoose_LeavesAloneWhatDjangoMakes: a hash that has the chosen cost to the
// last part, the length of argon2's tag included, is made and left alone.
func TestChoose_LeavesAloneWhatDjangoMakes(t *testing.T) {
	for _, encoded := range []string{
		pbkdf2Of(600), pbkdf2SHA1Of(260), argon2Of(argon2id, 64, 2, 8, 16), argon2Of(argon2id, 64, 2, 1, 32), argon2Of(argon2i, 64, 2, 2, 16),
		bcryptOf(BcryptSHA256, 4), bcryptOf(Bcrypt, 5), scryptOf(16, 8, 5),
	} {
		h, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		h.Prefer(Choose(Options{}, []string{encoded}))
		made, err := h.Hash("pass-word")
		if err != nil {
			t.Fatal(err)
		}
		model, _ := parse(encoded)
		if got, ok := parse(made); !ok || got.recipe != model.recipe || h.outdated(model) {
			t.Errorf("%s: made %s, and it is outdated: %v", encoded, made, h.outdated(model))
		}
		if ok, outdated := h.Verify("pass-word", made); !ok || outdated {
			t.Errorf("%s: Verify = %v, %v", made, ok, outdated)
		}
	}
}

func TestHashing_PreferCanBeTakenBack(t *testing.T) {
	h, err := New(Options{Algorithm: MD5})
	if err != nil {
		t.Fatal(err)
	}
	h.Prefer(Choose(Options{}, []string{pbkdf2Of(1000)}))
	if a := h.Algorithm(); a != PBKDF2SHA256 {
		t.Error(a)
	}
	h.Prefer(Choice{})
	if a := h.Algorithm(); a != MD5 {
		t.Error(a)
	}
}

func TestKeeps_OnlyWhatATableIsFollowedIn(t *testing.T) {
	const md5Hash = "md5$abcdefghijklmnopqrstuv$00000000000000000000000000000000"
	for _, tt := range []struct {
		name    string
		o       Options
		encoded string
		want    bool
	}{
		{"a lower cost", Options{}, pbkdf2Of(260_000), true},
		{"another algorithm", Options{}, scryptOf(16384, 8, 5), true},
		{"md5", Options{}, md5Hash, false},
		{"no hash", Options{}, "!", false},
		{"an algorithm that is set", Options{Algorithm: PBKDF2SHA256}, pbkdf2Of(260_000), false},
		{"a cost that is set", Options{PBKDF2Iterations: 870_000}, pbkdf2Of(260_000), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := New(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if h.Keeps(tt.encoded) {
				t.Error("kept without a table")
			}
			h.Prefer(Choose(tt.o, times(9, pbkdf2Of(600_000))))
			if got := h.Keeps(tt.encoded); got != tt.want {
				t.Errorf("Keeps = %v, want %v", got, tt.want)
			}
		})
	}
}
