package password

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
		encoded := "bcrypt$$2b$12$" + strings.Repeat("a", 21) + "u" + strings.Repeat("a", 31)
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

func TestDecoy_NameCostsTheSameInEveryProcessWithTheKey(t *testing.T) {
	t.Parallel()
	with := func(key string) *Hashing {
		h := newHashing(t, Options{Algorithm: MD5, DecoyKey: []byte(key)})
		h.SetPopulation(table())
		return h
	}
	h, again, rotated, random := with("a key"), with("a key"), with("another key"), with("")
	table := table()
	slices.Reverse(table)
	again.SetPopulation(table) // the order in which a store returns it is no matter
	differ, random2 := 0, 0
	for i := range 200 {
		name := fmt.Sprint("name", i)
		first := h.decoyRecipe(name)
		if other := again.decoyRecipe(name); other != first {
			t.Fatalf("%s: %v, in another process %v", name, first, other)
		}
		if rotated.decoyRecipe(name) != first {
			differ++
		}
		if random.decoyRecipe(name) != first {
			random2++
		}
	}
	if differ == 0 || random2 == 0 {
		t.Error("the recipe does not depend on the key")
	}
}

func TestDecoy_FewNamesMoveWhenTheTableChangesALittle(t *testing.T) {
	t.Parallel()
	h := newHashing(t, Options{Algorithm: MD5, DecoyKey: []byte("a key")})
	hashes := func(pbkdf2, bcrypt int) []string {
		return append(slices.Repeat([]string{"pbkdf2_sha256$600000$salt$" + sum32}, pbkdf2), slices.Repeat([]string{"bcrypt$$2b$12$" + strings.Repeat("a", 21) + "u" + strings.Repeat("a", 31)}, bcrypt)...)
	}
	const names = 2000
	recipes := func() (all [names]recipe) {
		for i := range all {
			all[i] = h.decoyRecipe(fmt.Sprint("name", i))
		}
		return all
	}
	h.SetPopulation(hashes(600, 400))
	before := recipes()
	for _, test := range []struct{ pbkdf2, bcrypt, percent int }{
		{600, 400, 0}, {6000, 4000, 0}, {601, 400, 1}, {590, 410, 2}, {500, 500, 13},
	} {
		h.SetPopulation(hashes(test.pbkdf2, test.bcrypt))
		moved := 0
		for i, r := range recipes() {
			if r != before[i] {
				moved++
			}
		}
		if moved > names*test.percent/100 {
			t.Errorf("from 600 and 400 hashes to %d and %d: %d of %d names moved, want at most %d%%", test.pbkdf2, test.bcrypt, moved, names, test.percent)
		}
	}
}

// A gatedRecipe waits in derive until it is let on.
type gatedRecipe struct {
	spy
	begun, goOn chan struct{}
}

func (g gatedRecipe) derive(password string, salt []byte) ([]byte, error) {
	g.begun <- struct{}{}
	<-g.goOn
	return g.spy.derive(password, salt)
}

// A decoy under way keeps its recipe, the change does not wait for it, and the
// next decoy has the new one.
func TestDecoy_PopulationChangesDuringADecoy(t *testing.T) {
	t.Parallel()
	h, spent := spied(t)
	gated := gatedRecipe{spy: spy{name: "old", spent: spent}, begun: make(chan struct{}), goOn: make(chan struct{})}
	h.population.Store(&population{total: 1, shares: []share{{recipe: gated, count: 1}}})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Decoy("first", "nobody")
	}()
	<-gated.begun
	h.SetPopulation([]string{"md5$salt$00000000000000000000000000000000"})
	if r := h.decoyRecipe("nobody"); r != (md5Recipe{}) {
		t.Errorf("after the change a decoy has the recipe %v", r)
	}
	close(gated.goOn)
	<-ended
	if got := fmt.Sprint(*spent); got != "[old: first]" {
		t.Errorf("spent %s", got)
	}
}

// However populations and decoys interleave, a name has a recipe of one
// population, never the preferred one, which a mixture of two would lead to.
func TestDecoy_PopulationIsReadAsAWhole(t *testing.T) {
	t.Parallel()
	h := newHashing(t, Options{Algorithm: PBKDF2SHA256, PBKDF2Iterations: 7})
	few := []string{"md5$salt$00000000000000000000000000000000"}
	many := slices.Repeat([]string{"pbkdf2_sha256$600000$salt$" + sum32}, 1000)
	h.SetPopulation(few)
	var mixed atomic.Int32
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if h.decoyRecipe(fmt.Sprint("name", i)) == h.preferred {
					mixed.Add(1)
				}
			}
		})
	}
	for i := range 2000 {
		want := recipe(md5Recipe{})
		if i%2 == 0 {
			h.SetPopulation(many)
			want = pbkdf2Recipe{name: PBKDF2SHA256, iterations: 600000}
		} else {
			h.SetPopulation(few)
		}
		if r := h.decoyRecipe("nobody"); r != want {
			t.Fatalf("right after a change a decoy has the recipe %v, want %v", r, want)
		}
	}
	close(stop)
	readers.Wait()
	if n := mixed.Load(); n > 0 {
		t.Errorf("%d decoys had a recipe of no population", n)
	}
}
