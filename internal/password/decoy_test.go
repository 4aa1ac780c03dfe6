package password

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// A spy is a recipe that counts how often it was spent, and on what.
type spy struct {
	md5Recipe
	name  string
	spent *[]string
}

func (s spy) derive(password string, _ []byte) ([]byte, error) {
	*s.spent = append(*s.spent, s.name+": "+password)
	return nil, io.ErrUnexpectedEOF
}

func spied(t *testing.T) (h *Hashing, spent *[]string) {
	t.Helper()
	h, spent = fast(t), new([]string)
	h.preferred = spy{name: "preferred", spent: spent}
	return h, spent
}

func TestWhatCannotVerifySpendsOneRunOfThePreferredRecipe(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{
		"", "!", "!" + strings.Repeat("a", 40), "gibberish", "sha1$salt$" + strings.Repeat("0", 40),
		"pbkdf2_sha256$99999999999$salt$" + sum32, "argon2$argon2id$v=19$m=99999999,t=2,p=8$c29tZXNhbHQ$" + sum16,
	} {
		h, spent := spied(t)
		h.Verify("secret", encoded)
		if got := fmt.Sprint(*spent); got != "[preferred: secret]" {
			t.Errorf("Verify(_, %q) spent %s", encoded, got)
		}
	}
}

func TestAHashThatCanVerifySpendsItsOwnRecipeAndNothingElse(t *testing.T) {
	t.Parallel()
	h, spent := spied(t)
	if ok, outdated := h.Verify("x", "md5$seasalt2$9a3aac303f838fb5f690bbcc7a2e4a4d"); ok || outdated {
		t.Errorf("Verify = %v, %v", ok, outdated)
	}
	if len(*spent) != 0 {
		t.Errorf("spent %v", *spent)
	}
}

func TestADecoyWithoutASampleSpendsThePreferredRecipe(t *testing.T) {
	t.Parallel()
	samples := map[string]func(*Hashing){
		"no sample":              func(*Hashing) {},
		"an empty table":         func(h *Hashing) { h.SetPopulation(nil) },
		"only unusable, unknown": func(h *Hashing) { h.SetPopulation([]string{"!", Unusable(nil), "", "sha1$a$b"}) },
		"a sample taken back": func(h *Hashing) {
			h.SetPopulation([]string{"pbkdf2_sha256$1000000$salt$" + sum32})
			h.SetPopulation(nil)
		},
	}
	for name, set := range samples {
		h, spent := spied(t)
		set(h)
		h.Decoy("secret", "nobody")
		if got := fmt.Sprint(*spent); got != "[preferred: secret]" {
			t.Errorf("%s: spent %s", name, got)
		}
	}
}

func TestADecoySpendsOneRunOfTheRecipeOfItsName(t *testing.T) {
	t.Parallel()
	h, spent := spied(t)
	h.population.Store(&population{total: 1, shares: []share{{recipe: spy{name: "theirs", spent: spent}, count: 1}}})
	h.Decoy("secret", "nobody")
	h.Verify("secret", "!") // a user without a password is no faster either
	if got := fmt.Sprint(*spent); got != "[theirs: secret theirs: secret]" {
		t.Errorf("spent %s", got)
	}
}

// table has one argon2 hash to two of pbkdf2 to five of bcrypt, with salts of
// their own, among users without a password.
func table() []string {
	var hashes []string
	for i := range 80 {
		salt := fmt.Sprintf("salt%d", i)
		encoded := "bcrypt$$2b$12$" + strings.Repeat("a", 53)
		switch {
		case i%8 == 0:
			encoded = "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$" + sum16
		case i%8 < 3:
			encoded = "pbkdf2_sha256$600000$" + salt + "$" + sum32
		}
		hashes = append(hashes, encoded, "!"+salt, "sha1$"+salt+"$00")
	}
	return hashes
}

func TestDecoysHaveTheSharesOfTheTable(t *testing.T) {
	t.Parallel()
	h := fast(t)
	h.SetPopulation(table())
	const names = 16000
	counts := map[string]int{}
	for i := range names {
		counts[h.decoyRecipe(fmt.Sprint("name", i)).describe()]++
	}
	for describe, eighths := range map[string]int{
		"argon2id m=102400 t=2 p=8":       1,
		"pbkdf2_sha256 600000 iterations": 2,
		"bcrypt cost 12":                  5,
	} {
		// Ten standard deviations and more.
		want := names * eighths / 8
		if got := counts[describe]; got < want-700 || got > want+700 {
			t.Errorf("%s: %d of %d names, want about %d", describe, got, names, want)
		}
	}
	if len(counts) != 3 {
		t.Errorf("recipes of no hash: %v", counts)
	}
}

func TestANameKeepsItsDecoy(t *testing.T) {
	t.Parallel()
	h, other := fast(t), fast(t)
	h.SetPopulation(table())
	other.SetPopulation(table())
	differ := false
	for i := range 200 {
		name := fmt.Sprint("name", i)
		first := h.decoyRecipe(name)
		h.SetPopulation(table()) // the same table again
		if again := h.decoyRecipe(name); again != first {
			t.Fatalf("%s: %v, then %v", name, first, again)
		}
		differ = differ || other.decoyRecipe(name) != first
	}
	if !differ {
		t.Error("another process gives every name the same decoy: the key is not random")
	}
}

func TestThePopulationMayChangeDuringDecoys(t *testing.T) {
	t.Parallel()
	h := fast(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				h.SetPopulation([]string{"md5$salt$00000000000000000000000000000000"})
				h.Decoy("x", "nobody")
				h.SetPopulation(nil)
			}
		})
	}
	wait.Wait()
}
