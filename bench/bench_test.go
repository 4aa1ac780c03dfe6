package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAShortRunMeasuresEverything runs the whole against the real program, on
// small databases and for moments: the figures mean nothing and are not looked
// at, but each has to be there.
func TestAShortRunMeasuresEverything(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the benchmarks run on Linux only")
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "../cmd/postern", "./empty", "./hash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	left := t.TempDir()
	// PostgreSQL's own user has to pass.
	if err := os.Chmod(filepath.Dir(left), 0o711); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-short", "-postern", filepath.Join(bin, "postern"), "-bin", bin, "-dir", left}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var table, progress bytes.Buffer
	if err := run(t.Context(), o, &table, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, e := range experiments(o.scale) {
		for _, f := range e.figures {
			if !strings.Contains(table.String(), "| "+f.name+" | ") {
				t.Errorf("no %q in\n%s", f.name, table.String())
			}
		}
	}
	if files, err := os.ReadDir(left); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestAnExpressionThatFindsNothingIsTold(t *testing.T) {
	o, err := parse([]string{"-only", "no such figure"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), o, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no such figure") {
		t.Errorf("%v", err)
	}
}

func TestTheMedianIsTheMiddle(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		before := slices.Clone(test.values)
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
		if !slices.Equal(before, test.values) {
			t.Errorf("%v became %v", before, test.values)
		}
	}
}

func TestARatioIsThatOfNeighbours(t *testing.T) {
	f := figure{against: "that", goal: 0.5, rounds: []round{{50, 100}, {90, 100}, {100, 1000}}}
	if got, want := f.values(), []float64{0.5, 0.9, 0.1}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if least, most := spread(f.values()); least != 0.1 || most != 0.9 {
		t.Errorf("spread %v to %v, want 0.1 to 0.9", least, most)
	}
	if f.measured() != 90 || f.baseline() != 100 {
		t.Errorf("medians %v and %v, want 90 and 100", f.measured(), f.baseline())
	}
}

func TestAFigureHoldsWhenItsMedianReachesTheGoal(t *testing.T) {
	for _, test := range []struct {
		name string
		f    figure
		want bool
	}{
		{"at the least", figure{against: "x", goal: 0.5, rounds: []round{{1, 2}}}, true},
		{"below the least", figure{against: "x", goal: 0.5, rounds: []round{{1, 3}, {1, 3}, {3, 3}}}, false},
		{"at the most", figure{goal: 150, atMost: true, rounds: []round{{measured: 150}}}, true},
		{"beyond the most", figure{goal: 150, atMost: true, rounds: []round{{measured: 151}}}, false},
		{"not measured", figure{goal: 150, atMost: true}, false},
		{"failed", figure{goal: 0, rounds: []round{{measured: 1}}, failure: errors.New("no")}, false},
	} {
		if got := test.f.holds(); got != test.want {
			t.Errorf("%s: holds is %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAmountsHaveThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0.00", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 1234.5: "1,234", 1234567: "1,234,567", -1234.6: "-1,235",
	} {
		if got := amount(value); got != want {
			t.Errorf("amount(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestAClassOfLatenciesIsNarrow(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < time.Minute; d += d/100 + 1 {
		c := class(d)
		if c < last {
			t.Fatalf("the class of %v is below that of less", d)
		}
		last = c
		if end := classEnd(c); end < d || float64(end) > float64(d)*(1+1.0/32) {
			t.Fatalf("the class of %v ends at %v", d, end)
		}
		if class(classEnd(c)) != c || class(classEnd(c)+1) != c+1 {
			t.Fatalf("the class of %v does not end at %v", d, classEnd(c))
		}
	}
	if c := class(1<<63 - 1); c >= classes {
		t.Errorf("class %d of %d", c, classes)
	}
}

func TestAQuantileLeavesOutTheRest(t *testing.T) {
	counted := newTally()
	for i := range 1000 {
		latency := time.Millisecond
		if i < 10 {
			latency = time.Second
		}
		counted.count(200, latency)
	}
	if got := counted.quantile(0.98); got < time.Millisecond || got > 1100*time.Microsecond {
		t.Errorf("98%%: %v, want about 1ms", got)
	}
	if got := counted.quantile(0.995); got < time.Second || got > 1100*time.Millisecond {
		t.Errorf("99.5%%: %v, want about 1s", got)
	}
	empty := newTally()
	if got := empty.quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestAnswersOtherThan2xxSpoilAMeasure(t *testing.T) {
	counted := newTally()
	counted.count(200, 0)
	counted.count(201, 0)
	if err := counted.err(); err != nil {
		t.Error(err)
	}
	counted.count(503, 0)
	counted.count(302, 0)
	if err := counted.err(); err == nil || err.Error() != "of 4 answers, 1 with 302, 1 with 503" {
		t.Errorf("%v", err)
	}
	none := newTally()
	if none.err() == nil {
		t.Error("no answer at all is no error")
	}
}

// sample has a figure of every kind.
var sample = report{
	environment: []fact{{"commit", "abc | def"}},
	figures: []figure{
		{name: "checks", against: "the <empty> handler", unit: "requests/s", goal: 0.9, rounds: []round{{900, 1000}, {950, 1000}, {2000, 2000}}},
		{name: "p99", against: "quiet", unit: "ms", goal: 3, atMost: true, rounds: []round{{40, 10}, {50, 10}}},
		{name: "start", unit: "ms", goal: 150, atMost: true, rounds: []round{{measured: 20}, {measured: 30}}},
		{name: "cold", against: "SQLite", unit: "ms", rounds: []round{{6, 2}}},
		{name: "stored", unit: "bytes", rounds: []round{{measured: 500}}},
		{name: "logins", against: "the bare hash", unit: "logins/s", goal: 0.9, failure: errors.New("of 9 answers,\n9 with 503")},
	},
}

func TestTheTableShowsMediansAndSpread(t *testing.T) {
	const want = `| what | measured | against | ratio | target | |
|---|--:|---|--:|--:|---|
| checks | 950 requests/s | the <empty> handler: 1,000 | **0.95** (0.90 to 1.00) | ≥ 0.90 | holds |
| p99 | 45.0 ms | quiet: 10.0 | **4.50** (4.00 to 5.00) | ≤ 3.00 | **short of it** |
| start | 25.0 ms (20.0 to 30.0) |  |  | ≤ 150 ms | holds |
| cold | 6.00 ms | SQLite: 2.00 | **3.00** (3.00 to 3.00) |  |  |
| stored | 500 bytes (500 to 500) |  |  |  |  |
| logins |  | the bare hash |  | ≥ 0.90 | failed: of 9 answers, 9 with 503 |
`
	if got := sample.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if page := sample.markdown(); !strings.Contains(page, want) || !strings.Contains(page, `- commit: abc \| def`) {
		t.Errorf("the page is\n%s", page)
	}
}

func TestTheChartIsXMLWithABarForEachFigure(t *testing.T) {
	decoder := xml.NewDecoder(strings.NewReader(sample.chart()))
	bars, targets := 0, 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, sample.chart())
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if element.Name.Local == "rect" {
			bars++
		}
		if slices.Contains(element.Attr, xml.Attr{Name: xml.Name{Local: "class"}, Value: "target"}) {
			targets++
		}
	}
	if bars != 3 || targets != 3 {
		t.Errorf("%d bars and %d targets, want 3 of each: the figure that failed has none, and those without a target", bars, targets)
	}
}

func TestFlagsAreUnderstood(t *testing.T) {
	o, err := parse([]string{"-short", "-rounds", "7", "-only", "LOGINS"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.scale.rounds != 7 || o.scale.many != shortScale.many || !o.only.MatchString("logins") {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"-only", "("}, {"-help"}, {"-rounds", "-1"}, {"-rounds", "101"}, {"stray"}, {"-unknown"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q is understood", args)
		}
	}
	if o, err = parse(nil, io.Discard); err != nil || o.scale != fullScale || o.out != "" || !o.only.MatchString("logins") {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestTheCostOfAHashIsReadFromIt(t *testing.T) {
	kib, flags, err := parseCost("argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")
	if want := []string{"-memory=19456", "-time=2", "-lanes=1"}; err != nil || kib != 19456 || !slices.Equal(flags, want) {
		t.Errorf("%d %q %v", kib, flags, err)
	}
	for _, other := range []string{"", "pbkdf2_sha256$1000000$salt$hash", "argon2$argon2i$v=19$m=1,t=1,p=1$a$b", "argon2$argon2id$v=19$m=,t=1$a$b"} {
		if _, _, err := parseCost(other); err == nil {
			t.Errorf("a cost in %q", other)
		}
	}
}

func TestEachSessionIsNamedOnceBeforeOneIsAgain(t *testing.T) {
	const n = 100
	next := onceEach(n)
	for range 2 {
		seen := map[int]bool{}
		for range n {
			seen[next()] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d", len(seen), n)
		}
	}
}

func TestADifferentAnswerIsNoBaseline(t *testing.T) {
	answer := func(vary, date, body string) *http.Response {
		return &http.Response{Header: http.Header{"Vary": {vary}, "Date": {date}}, Body: io.NopCloser(strings.NewReader(body))}
	}
	for _, test := range []struct {
		name string
		got  *http.Response
		same bool
	}{
		{"but for the date the same", answer("Cookie", "tomorrow", "{}"), true},
		{"another header", answer("Accept", "today", "{}"), false},
		{"another body", answer("Cookie", "today", "[]"), false},
	} {
		if err := same(test.got, answer("Cookie", "today", "{}")); (err == nil) != test.same {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
