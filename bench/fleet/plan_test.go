package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPlanIsTheSumOfItsInputs(t *testing.T) {
	i := tenMillion
	i.skew = 0
	p := i.draw()
	const logins = 10e6 * 0.1 * 3 / 86_400
	for _, c := range []struct {
		what           string
		got, want, rel float64
	}{
		{"sessions in use", p.inUse, 1e6, 0},
		{"sessions stored", p.stored, 14e6, 1e-9},
		{"logins", p.logins, logins, 1e-9},
		{"news", p.news, logins * 1.02, 1e-9},
		{"cells", p.cells, 1, 0},
		{"cores of warm checks", p.warmCores, 5, 1e-9},
		{"cores of passwords", p.logCores, logins * 1.01 * 0.0154, 1e-9},
		// One check in ten seconds, an entry lives 60.5 less what news costs:
		// 35.4 a second in 65,536 places. 6 hits to a miss.
		{"hit rate", p.sticky.hitRate, 5.95 / 6.95, 0.005},
		{"reads", p.sticky.reads, 100_000 / 6.95, 0.02},
		{"nodes", p.nodes, 3, 0},
		{"hit rate at random", p.random.hitRate, 5.95 / 3 / (1 + 5.95/3), 0.005},
		// A row when five minutes and the wait for the next check are over.
		{"last-seen rows", p.touches, 1e6 / 310, 1e-6},
		{"rows", p.rows, 1e6/310 + logins*(2+1.01+0.02), 1e-6},
		{"bytes of sessions", p.sessionDisk, 14e6 * 448, 1e-9},
		{"databases for reads", p.byReads, 1, 0},
		{"databases for rows", p.byRows, 1, 0},
		{"databases", p.databases(), 1, 0},
	} {
		near(t, c.what, c.got, c.want, c.rel*c.want)
	}
}

func TestAHundredTimesTheUsersNeedAHundredTimesTheWork(t *testing.T) {
	few, many := tenMillion.draw(), billion.draw()
	near(t, "logins", many.logins/few.logins, 100, 1e-6)
	near(t, "stored", many.stored/few.stored, 100, 1e-6)
	if many.cells <= few.cells || many.news/many.cells > billion.cellNews {
		t.Errorf("%v cells for %v pieces of news a second", many.cells, many.news)
	}
	// More news forgets more, so that the reads grow faster than the checks.
	if ratio := many.sticky.reads / few.sticky.reads; ratio < 101 || ratio > 200 {
		t.Errorf("the reads are %.4g times as many", ratio)
	}
}

func TestNodesThatAreGivenAreKept(t *testing.T) {
	i := tenMillion
	i.nodes = 40
	if p := i.draw(); p.nodes != 40 || p.random.hitRate > tenMillion.draw().random.hitRate/2 {
		t.Errorf("%v nodes recall %.3f at random", p.nodes, p.random.hitRate)
	}
}

func TestEveryInputHasAPresetItWouldTake(t *testing.T) {
	for _, i := range []inputs{tenMillion, billion} {
		if err := i.validate(); err != nil {
			t.Error(err)
		}
	}
	seen := map[*float64]bool{}
	var i inputs
	for _, f := range inputFields {
		if seen[f.of(&i)] {
			t.Errorf("-%s sets what another flag sets", f.flag)
		}
		seen[f.of(&i)] = true
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		wantErr string
	}{
		{"none", nil, ""},
		{"a plan", []string{"-users", "5e6", "-checks", "20000", "-nodes", "4"}, ""},
		{"no number", []string{"-users", "many"}, "no number"},
		{"too little", []string{"-users", "0"}, "-users must be 1"},
		{"not a number", []string{"-checks", "NaN"}, "-checks must be"},
		{"without end", []string{"-checks", "+Inf"}, "-checks must be"},
		{"a share above 1", []string{"-busy", "1.5"}, "-busy must be at most 1"},
		{"too unlike", []string{"-skew", "5"}, "-skew must be at most 4"},
		{"a plan of one's own on the page", []string{"-users", "5", "-write", "page.md"}, "-write goes with no flag"},
		{"more than flags", []string{"plan"}, "flags only"},
		{"too few to follow", []string{"-followed", "1"}, "-followed must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var usage bytes.Buffer
			_, err := parse(c.args, &usage)
			switch {
			case c.wantErr == "" && err != nil:
				t.Error(err)
			case c.wantErr != "" && (err == nil || !strings.Contains(usage.String(), c.wantErr)):
				t.Errorf("%v, told %q, want %q", err, usage.String(), c.wantErr)
			}
		})
	}
}

func TestAPlanOfOnesOwnIsPrintedAlone(t *testing.T) {
	o, err := parse([]string{"-users", "5e6", "-checks", "2e4"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| input | flag |  | 5 million users |", "| checks a second at the peak | `-checks` | assumed | 20,000 |", "| sessions in use at the peak: checks / rate | 200,000 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// The tables of the simulation take longer: "make fleet" writes them.
func TestThePageHasThePlansOfThisCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range planTables() {
		made, err := table.replace(string(page))
		if err != nil {
			t.Fatal(err)
		}
		if made != string(page) {
			t.Errorf("the table %q of docs/scaling.md is not that of this code: make fleet", table.name)
		}
	}
	for _, name := range []string{"nodes", "news", "memory", "events"} {
		if _, err := (table{name: name}).replace(string(page)); err != nil {
			t.Error(err)
		}
	}
}

func TestATableReplacesTheOneOfItsName(t *testing.T) {
	const page = "a\n<!-- make fleet: one -->\nold\n<!-- end -->\nb\n<!-- make fleet: two -->\n<!-- end -->\nc\n"
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to change
		if err := rewrite(path, []table{{"two", "2\n"}, {"one", "1\n"}}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		const want = "a\n<!-- make fleet: one -->\n\n1\n\n<!-- end -->\nb\n<!-- make fleet: two -->\n\n2\n\n<!-- end -->\nc\n"
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := rewrite(path, []table{{"three", ""}}); err == nil || !strings.Contains(err.Error(), `"three"`) {
		t.Errorf("a table without a place: %v", err)
	}
}

func TestNumbersAsTheyAreRead(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{amount(0), "0"}, {amount(0.25), "0.25"}, {amount(39.66), "39.7"}, {amount(999.6), "1,000"},
		{amount(1234567), "1,234,567"}, {amount(-1234), "-1,234"}, {amount(-123), "-123"},
		{short(0.1), "0.1"}, {short(999), "999"}, {short(12_345), "12,300"}, {short(999_999), "1 million"},
		{short(2_345_678), "2.35 million"}, {short(1e9), "1 billion"}, {short(1.5e12), "1.5 trillion"},
		{percent(0.8754), "87.5 %"}, {bytesText(999), "999 bytes"}, {bytesText(6.272e9), "6.27 GB"},
		{bits(125e6), "1 Gbit/s"}, {bits(0), "0 bit/s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if math.IsNaN(lifetime(0, 1)) || lifetime(0, 1) != span {
		t.Errorf("without news an entry lives %v", lifetime(0, 1))
	}
}
