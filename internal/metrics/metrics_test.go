package metrics

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var testRoutes = []string{"/api/login/", "/api/user/"}

func newMetrics() *Metrics { return New(Build{Version: "v1.2.3", Go: "go1.26"}, testRoutes) }

// scrape asks as Prometheus does and parses the answer.
func scrape(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// series writes what a family holds as "label=value,… number" lines.
func series(family *dto.MetricFamily) map[string]float64 {
	found := map[string]float64{}
	for _, m := range family.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		found[strings.Join(labels, ",")] = value
	}
	return found
}

func numberOfSeries(families map[string]*dto.MetricFamily) (n int) {
	for name, family := range families {
		if strings.HasPrefix(name, "postern_") {
			n += len(family.GetMetric())
		}
	}
	return n
}

func TestRequestsAreCountedByRouteMethodAndStatus(t *testing.T) {
	m := newMetrics()
	m.Request("/api/user/", "GET", 200, 300*time.Microsecond)
	m.Request("/api/user/", "GET", 200, 2*time.Millisecond)
	m.Request("/api/user/", "GET", 403, time.Millisecond)
	m.Request("/api/login/", "POST", 503, time.Second)
	m.Request("", "GET", 404, time.Second)
	m.Request("/api/login/", "POST", 0, time.Second)
	families := scrape(t, m)
	counts := series(families["postern_http_requests_total"])
	for labels, want := range map[string]float64{
		"method=GET,route=/api/user/,status=200":    2,
		"method=GET,route=/api/user/,status=403":    1,
		"method=POST,route=/api/login/,status=503":  1,
		"method=GET,route=other,status=404":         1,
		"method=POST,route=/api/login/,status=none": 1,
	} {
		if counts[labels] != want {
			t.Errorf("%s: %v, want %v", labels, counts[labels], want)
		}
	}
	durations := series(families["postern_http_request_duration_seconds"])
	if got := durations["method=GET,route=/api/user/"]; got != 3 {
		t.Errorf("%v durations of GET /api/user/, want 3", got)
	}
	for _, h := range families["postern_http_request_duration_seconds"].GetMetric() {
		if h.GetLabel()[1].GetValue() == "/api/user/" && (h.GetHistogram().GetSampleSum() < .0032 || h.GetHistogram().GetSampleSum() > .0034) {
			t.Errorf("%v seconds of GET /api/user/, want .0033", h.GetHistogram().GetSampleSum())
		}
	}
}

func TestWhatClientsSendMakesNoSeries(t *testing.T) {
	m := newMetrics()
	for _, route := range append(testRoutes, "") {
		for _, method := range append(methods[1:], "BREW") {
			for status := range 1000 {
				m.Request(route, method, status, 0)
			}
		}
	}
	before := numberOfSeries(scrape(t, m))
	for i := range 10_000 {
		m.Request(fmt.Sprintf("/user-%d/", i), fmt.Sprintf("M%d", i), rand.IntN(2000)-500, time.Second)
		m.Login(fmt.Sprintf("outcome-%d", i))
		m.Registration(fmt.Sprintf("outcome-%d", i))
		m.Database(fmt.Sprintf("select %d", i), i, time.Second)
	}
	families := scrape(t, m)
	if after := numberOfSeries(families); after != before {
		t.Errorf("%d series, %d before", after, before)
	}
	if most := (len(testRoutes) + 1) * len(methods) * len(statuses); len(families["postern_http_requests_total"].GetMetric()) > most {
		t.Errorf("more than %d series of requests", most)
	}
	if got := series(families["postern_logins_total"])["outcome=error"]; got != 10_000 {
		t.Errorf("%v unknown outcomes are errors, want 10000", got)
	}
}

func TestOutcomesAreThereFromTheStart(t *testing.T) {
	m := newMetrics()
	m.Login("success")
	m.Login("invalid")
	m.Login("invalid")
	logins := series(scrape(t, m)["postern_logins_total"])
	for _, outcome := range LoginOutcomes {
		want := map[string]float64{"success": 1, "invalid": 2}[outcome]
		if got, ok := logins["outcome="+outcome]; !ok || got != want {
			t.Errorf("%s: %v, want %v", outcome, got, want)
		}
	}
}

func TestTheSourcesAreAskedAtEachScrape(t *testing.T) {
	m := newMetrics()
	asked := uint64(0)
	m.Watch(Sources{
		Gate: func() Gate {
			return Gate{Workers: 4, Busy: 3, Waiting: 2, Admitted: 10, Refused: 11, Expired: 12, Abandoned: 13}
		},
		Recall: func() Recall {
			asked++
			return Recall{Hits: asked, Misses: 7, Evicted: 8, News: 9, Entries: 5, Capacity: 6, Hearing: true}
		},
	})
	scrape(t, m)
	families := scrape(t, m)
	for name, want := range map[string]map[string]float64{
		"postern_gate_workers":            {"": 4},
		"postern_gate_busy":               {"": 3},
		"postern_gate_waiting":            {"": 2},
		"postern_gate_requests_total":     {"outcome=admitted": 10, "outcome=refused": 11, "outcome=expired": 12, "outcome=abandoned": 13},
		"postern_recall_hits_total":       {"": 2},
		"postern_recall_misses_total":     {"": 7},
		"postern_recall_evicted_total":    {"": 8},
		"postern_recall_news_total":       {"": 9},
		"postern_recall_entries":          {"": 5},
		"postern_recall_capacity_entries": {"": 6},
		"postern_recall_hearing":          {"": 1},
	} {
		for labels, value := range want {
			if got, ok := series(families[name])[labels]; !ok || got != value {
				t.Errorf("%s{%s} = %v, want %v", name, labels, got, value)
			}
		}
	}
}

// TestSessionsAreCountedOnceAMinuteInTheBackground scrapes while a count is
// held up, after it, and after a minute of the clock.
func TestSessionsAreCountedOnceAMinuteInTheBackground(t *testing.T) {
	m := newMetrics()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	begun, outcome := make(chan bool, 100), make(chan error)
	m.Watch(Sources{
		Sessions: func(ctx context.Context) (int64, error) {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("a count has no deadline")
			}
			begun <- true
			return 42, <-outcome
		},
		Now: func() time.Time { return now },
	})
	for range 10 {
		if f := scrape(t, m)["postern_sessions"]; f != nil {
			t.Fatalf("a number before the first count: %v", f)
		}
	}
	outcome <- nil
	awaitSessions(t, m, true)
	scrape(t, m)
	if len(begun) != 1 {
		t.Errorf("%d counts within a minute, want 1", len(begun))
	}
	now = now.Add(CountEvery)
	scrape(t, m)
	outcome <- errors.New("no database")
	awaitSessions(t, m, false)
	if len(begun) != 2 {
		t.Errorf("%d counts after a minute, want 2", len(begun))
	}
}

// awaitSessions scrapes until there is a number of sessions, or none.
func awaitSessions(t *testing.T, m *Metrics, want bool) {
	t.Helper()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f := scrape(t, m)["postern_sessions"]
		if got := f != nil; got == want {
			if want && series(f)[""] != 42 {
				t.Errorf("%v sessions, want 42", series(f))
			}
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("whether sessions have a number never becomes %v", want)
		}
	}
}

func TestNamesKeepPrometheusConventions(t *testing.T) {
	m := newMetrics()
	m.Request("/api/user/", "GET", 200, time.Millisecond)
	m.Watch(Sources{
		Gate: func() Gate { return Gate{} }, Recall: func() Recall { return Recall{} },
		Sessions: func(context.Context) (int64, error) { return 42, nil },
	})
	awaitSessions(t, m, true)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "postern_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestTheDocsNameEveryMetric, and none that isn't there.
func TestTheDocsNameEveryMetric(t *testing.T) {
	m := newMetrics()
	m.Request("/api/user/", "GET", 200, time.Millisecond)
	m.WatchSessionStore()
	m.Watch(Sources{
		Gate: func() Gate { return Gate{} }, Recall: func() Recall { return Recall{} },
		Sessions: func(context.Context) (int64, error) { return 42, nil },
	})
	awaitSessions(t, m, true)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile(`\bpostern_[a-z_]+`).FindAllString(section, -1) {
		documented[name] = true
	}
	for name := range scrape(t, m) {
		if strings.HasPrefix(name, "postern_") && !documented[name] {
			t.Errorf("%s is not in docs/operations.md", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/operations.md names %s, which there is not", name)
	}
}

// BenchmarkObserve is what counting costs a request, on one core and on all.
func BenchmarkObserve(b *testing.B) {
	m := newMetrics()
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Request("/api/user/", "GET", 200, 80*time.Microsecond)
		}
	})
	b.Run("together", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				m.Request("/api/user/", "GET", 200, 80*time.Microsecond)
			}
		})
	})
}

func TestCountingARequestAllocatesNothing(t *testing.T) {
	m := newMetrics()
	m.Request("/api/user/", "GET", 200, time.Millisecond)
	if n := testing.AllocsPerRun(100, func() { m.Request("/api/user/", "GET", 200, time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
