package password

import (
	"encoding/json"
	"os"
	"testing"
)

// The encodings were put to the hashers of Django 5.2 with argon2-cffi, which
// reads what libargon2 decodes. A hash that Django takes is taken here, and no
// other.
func TestVerify_TakesTheEncodingsThatDjangoTakes(t *testing.T) {
	text, err := os.ReadFile("testdata/encodings.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, Encoded string
		Verifies      bool
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	h := newHashing(t, Options{})
	for _, c := range all {
		ok, outdated := h.Verify("corridor-lamp-77", c.Encoded)
		if ok != c.Verifies || outdated != c.Verifies {
			t.Errorf("%s: %v, outdated %v; for Django %v", c.Name, ok, outdated, c.Verifies)
		}
		if wrong, _ := h.Verify("corridor-lamp-78", c.Encoded); wrong {
			t.Errorf("%s verifies another password", c.Name)
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d encodings", len(all))
	}
}

func TestArgon2_OlderVersionIsOutdated(t *testing.T) {
	preferred := argon2Recipe{variety: argon2id, cost: Argon2Cost{19456, 2, 1}, tag: argon2TagLength}
	for _, encoded := range []string{
		"argon2$argon2id$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQ$Nvy2c5UMvfgvzJm2QQdAcg",
		"argon2$argon2id$v=16$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQ$Nvy2c5UMvfgvzJm2QQdAcg",
		"argon2$argon2d$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQ$Nvy2c5UMvfgvzJm2QQdAcg",
		"argon2$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQ$Nvy2c5UMvfgvzJm2QQdAcg",
	} {
		stored, ok := parse(encoded)
		if !ok || !stored.recipe.weaker(preferred) || preferred.weaker(stored.recipe) {
			t.Errorf("%s: %v, %+v", encoded, ok, stored.recipe)
		}
	}
}
