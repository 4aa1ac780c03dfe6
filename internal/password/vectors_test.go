package password

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// vectors are what Django 5.2 made and what it must not accept; the file says
// so itself.
type vectors struct {
	Hashes []vector `json:"hashes"`
	Never  []string `json:"never"`
	// Preferred has a hash for each algorithm, at Django's default cost.
	Preferred map[string]string `json:"preferred"`
}

type vector struct {
	Algorithm string `json:"algorithm"`
	Password  string `json:"password"`
	Wrong     string `json:"wrong"`
	Encoded   string `json:"encoded"`
}

func readVectors(tb testing.TB) vectors {
	tb.Helper()
	v := read(tb, "passwords.json")
	if len(v.Never) == 0 || len(v.Preferred) == 0 {
		tb.Fatal("passwords.json lacks vectors")
	}
	return v
}

func read(tb testing.TB, name string) vectors {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	if len(v.Hashes) == 0 {
		tb.Fatalf("%s has no hashes", name)
	}
	return v
}

// fast returns a Hashing whose preferred algorithm takes no time.
func fast(tb testing.TB) *Hashing {
	tb.Helper()
	h, err := New(Options{Algorithm: MD5})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestEveryHashThatDjangoMadeVerifies(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("minutes under the race detector; the cheap vectors run the same code")
	}
	h := fast(t)
	refused := map[recipe]bool{}
	for _, v := range readVectors(t).Hashes {
		stored, ok := parse(v.Encoded)
		if !ok {
			t.Errorf("%s: not recognised", v.Encoded)
			continue
		}
		// One wrong password for each recipe takes half the time of one for
		// each hash; the cheap vectors try one for each.
		if refused[stored.recipe] {
			v.Wrong = ""
		}
		refused[stored.recipe] = true
		t.Run(Describe(v.Encoded), func(t *testing.T) {
			t.Parallel()
			checkVector(t, h, v)
		})
	}
}

func TestCheapHashesOfEveryAlgorithmVerify(t *testing.T) {
	t.Parallel()
	h := fast(t)
	for _, v := range read(t, "cheap.json").Hashes {
		if algorithm, ok := Identify(v.Encoded); !ok || algorithm != v.Algorithm {
			t.Errorf("Identify(%q) = %q, %v; want %q", v.Encoded, algorithm, ok, v.Algorithm)
		}
		checkVector(t, h, v)
	}
}

// checkVector tries the password, and the wrong one if there is one.
func checkVector(t *testing.T, h *Hashing, v vector) {
	t.Helper()
	if ok, _ := h.Verify(v.Password, v.Encoded); !ok {
		t.Errorf("Verify(%q, %q) = false", v.Password, v.Encoded)
	}
	if v.Wrong == "" {
		return
	}
	if ok, outdated := h.Verify(v.Wrong, v.Encoded); ok || outdated {
		t.Errorf("Verify(%q, %q) = %v, %v", v.Wrong, v.Encoded, ok, outdated)
	}
}

func TestIdentifyNamesTheAlgorithmOfEveryHashThatDjangoMade(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Hashes {
		if algorithm, ok := Identify(v.Encoded); !ok || algorithm != v.Algorithm {
			t.Errorf("Identify(%q) = %q, %v; want %q", v.Encoded, algorithm, ok, v.Algorithm)
		}
	}
}

func TestWhatDjangoRefusesNeverVerifiesAndCostsNothing(t *testing.T) {
	h := fast(t) // and the decoy that Verify spends costs nothing
	for _, encoded := range readVectors(t).Never {
		if algorithm, ok := Identify(encoded); ok {
			t.Errorf("Identify(%q) = %q", encoded, algorithm)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		for _, password := range []string{"", "x", "password", encoded} {
			if ok, outdated := h.Verify(password, encoded); ok || outdated {
				t.Errorf("Verify(%q, %q) = %v, %v", password, encoded, ok, outdated)
			}
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if took > time.Second {
			t.Errorf("Verify(_, %q) took %v", encoded, took)
		}
		if burnt := after.TotalAlloc - before.TotalAlloc; burnt > 4<<20 {
			t.Errorf("Verify(_, %q) allocated %d bytes", encoded, burnt)
		}
	}
}

func TestHashesOfDjangosDefaultCostAreNotWeakerThanOurDefault(t *testing.T) {
	t.Parallel()
	for algorithm, encoded := range readVectors(t).Preferred {
		h, err := New(Options{Algorithm: algorithm})
		if err != nil {
			t.Errorf("New(%q): %v", algorithm, err)
			continue
		}
		if h.Algorithm() != algorithm {
			t.Errorf("New(%q).Algorithm() = %q", algorithm, h.Algorithm())
		}
		stored, ok := parse(encoded)
		if !ok || stored.recipe.algorithm() != algorithm || stored.recipe.weaker(h.preferred) {
			t.Errorf("%s: %+v, %v, is weaker than %+v", encoded, stored, ok, h.preferred)
		}
	}
}
