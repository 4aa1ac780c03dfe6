package django

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// storedValue is a value in SQLite and what Django 5.2 reads from it.
type storedValue struct {
	Kind  string // text, integer, real, blob or null
	Value json.RawMessage
	UTC   string
	None  bool
	Error string
}

func readDatetimes(t testing.TB) []storedValue {
	t.Helper()
	text, err := os.ReadFile("testdata/datetimes.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []storedValue
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// The texts were written to a datetime column and read by Django 5.2.
func TestParseDatetime_ReadsWhatDjangoReads(t *testing.T) {
	texts := 0
	for _, v := range readDatetimes(t) {
		var text string
		if v.Kind != "text" || json.Unmarshal(v.Value, &text) != nil {
			continue
		}
		texts++
		got, err := ParseDatetime(text)
		switch {
		case v.Error != "":
			if err == nil {
				t.Errorf("%.60q: %v, but Django fails: %s", text, got, v.Error)
			}
		case err != nil || got.IsZero() != (v.None || v.UTC == "0001-01-01T00:00:00+00:00"):
			t.Errorf("%.60q: %v, %v; Django reads %q (None: %v)", text, got, err, v.UTC, v.None)
		case !v.None:
			want, _ := time.Parse(time.RFC3339Nano, v.UTC)
			if !got.Equal(want) {
				t.Errorf("%.60q: %v, Django reads %v", text, got, want)
			}
		}
	}
	if texts < 60 {
		t.Errorf("only %d texts", texts)
	}
}

func TestParseFlag_ReadsWhatDjangoReads(t *testing.T) {
	for text, want := range map[string]bool{
		"1": true, "0": false, "": false, "2": false, "-1": false, "true": false, "True": false, "t": false, "yes": false,
		"1.5": false, "10": false, "\x01": false, "01": false, " 1": false,
	} {
		if ParseFlag(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestParseDatetime_DoesNotAllocateForWhatDjangoWrites(t *testing.T) {
	allocated := testing.AllocsPerRun(100, func() {
		if _, err := ParseDatetime("2020-01-01 12:34:56.789012"); err != nil {
			t.Error(err)
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func FuzzParseDatetime(f *testing.F) {
	for _, v := range readDatetimes(f) {
		var text string
		if json.Unmarshal(v.Value, &text) == nil {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseDatetime(text)
		if err != nil && !got.IsZero() {
			t.Fatalf("%v and %v", got, err)
		}
		if got.IsZero() {
			return
		}
		if y := got.Year(); y < 1 || y > 9999 || got.Location() != time.UTC {
			t.Fatalf("%v", got)
		}
		again, err := ParseDatetime(got.Format("2006-01-02 15:04:05.999999"))
		if err != nil || !again.Equal(got) {
			t.Fatalf("%v read again is %v, %v", got, again, err)
		}
	})
}
