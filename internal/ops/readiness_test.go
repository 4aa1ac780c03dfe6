package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func ask(t *testing.T, r *Readiness) (int, report) {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, ReadyPath, nil))
	var answered report
	if err := json.Unmarshal(w.Body.Bytes(), &answered); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, answered
}

func newReadiness(checks ...Check) *Readiness {
	return NewReadiness(slog.New(slog.DiscardHandler), checks...)
}

func TestReadinessIsWhatItsChecksSay(t *testing.T) {
	fine := Check{Name: "fine", Run: func(context.Context) error { return nil }}
	broken := Check{Name: "broken", Run: func(context.Context) error { return errors.New("no such host db.internal") }}
	slow := Check{Name: "slow", Run: broken.Run, Advisory: true}
	for _, test := range []struct {
		name   string
		checks []Check
		drain  bool
		status int
		want   report
	}{
		{"no checks", nil, false, 200, report{Status: "ready"}},
		{"all right", []Check{fine}, false, 200, report{Status: "ready"}},
		{"one wrong", []Check{fine, broken}, false, 503, report{"unready", map[string]string{"fine": "ok", "broken": "failing"}}},
		{"one slow", []Check{fine, slow}, false, 200, report{"degraded", map[string]string{"fine": "ok", "slow": "failing"}}},
		{"one wrong, one slow", []Check{slow, broken, slow}, false, 503, report{"unready", map[string]string{"broken": "failing", "slow": "failing"}}},
		{"draining", []Check{fine}, true, 503, report{"draining", map[string]string{"fine": "ok"}}},
		{"draining and wrong", []Check{broken}, true, 503, report{"draining", map[string]string{"broken": "failing"}}},
	} {
		r := newReadiness(test.checks...)
		if test.drain {
			r.Drain()
		}
		status, got := ask(t, r)
		if status != test.status || got.Status != test.want.Status || len(got.Checks) != len(test.want.Checks) {
			t.Errorf("%s: %d %v, want %d %v", test.name, status, got, test.status, test.want)
		}
		for name, word := range test.want.Checks {
			if got.Checks[name] != word {
				t.Errorf("%s: %s is %q, want %q", test.name, name, got.Checks[name], word)
			}
		}
	}
}

func TestAnOutcomeStandsForThoseWhoAskSoonAfter(t *testing.T) {
	var runs atomic.Int64
	r := newReadiness(Check{Name: "slow", Run: func(context.Context) error { runs.Add(1); return nil }})
	for range 1000 {
		ask(t, r)
	}
	if runs.Load() > 100 {
		t.Errorf("%d runs for 1000 questions", runs.Load())
	}
}

// TestAHangingCheckRunsOnce: a database that doesn't answer is not asked again
// and again, and those who ask have their answer all the same.
func TestAHangingCheckRunsOnce(t *testing.T) {
	var runs atomic.Int64
	hang := make(chan struct{})
	r := newReadiness(Check{Name: "database", Run: func(context.Context) error {
		runs.Add(1)
		<-hang
		return nil
	}})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, ReadyPath, nil))
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"database":"timed out"`) {
				t.Errorf("%d %s, want 503, timed out", w.Code, w.Body)
			}
		})
	}
	all.Wait()
	ask(t, r)
	if runs.Load() != 1 {
		t.Errorf("%d runs of a check that hangs, want 1", runs.Load())
	}
	close(hang)
}

func TestAChangeIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	r := NewReadiness(slog.New(slog.NewTextHandler(&log, nil)))
	gone := errors.New("gone")
	for _, status := range []string{statusReady, statusUnready, statusUnready, statusReady, statusReady} {
		r.tell(t.Context(), status, gone)
	}
	if got := log.String(); strings.Count(got, "not ready") != 1 || strings.Count(got, "ready again") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("the log has\n%s", got)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	log.Reset()
	r.tell(left, statusUnready, context.Canceled)
	if log.Len() > 0 {
		t.Errorf("a prober that hung up is told about: %s", &log)
	}
}
