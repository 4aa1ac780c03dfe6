// Package ops is what a supervisor asks a running server: is it alive, is it
// ready, what is it busy with (profiles); and what the server tells systemd.
// It knows neither users nor stores: checks are passed in.
package ops

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Check is one thing that must be right for the server to be ready.
type Check struct {
	Name string // as the probe's answer shows it
	Run  func(context.Context) error
	// Advisory says that the server answers rightly, though at a higher cost,
	// when the check fails: it is degraded, and ready.
	Advisory bool
}

// The bounds of a check: how long one may take, and how long its outcome
// stands for those who ask after it.
const (
	CheckTimeout = time.Second
	CheckEvery   = time.Second
)

// Readiness says whether the server should be sent requests. Safe for
// concurrent use.
type Readiness struct {
	checks   []*checked
	draining atomic.Bool
	told     atomic.Value // the status that the log was last told
	log      *slog.Logger
}

// NewReadiness returns the readiness that those checks make.
func NewReadiness(log *slog.Logger, checks ...Check) *Readiness {
	r := &Readiness{log: log}
	for _, c := range checks {
		r.checks = append(r.checks, &checked{Check: c})
	}
	return r
}

// Drain makes the server unready for good: it is about to stop.
func (r *Readiness) Drain() { r.draining.Store(true) }

// Draining reports whether the server is about to stop.
func (r *Readiness) Draining() bool { return r.draining.Load() }

// The words of a report.
const (
	statusReady    = "ready"
	statusDegraded = "degraded"
	statusUnready  = "unready"
	statusDraining = "draining"
	checkOK        = "ok"
	checkFailing   = "failing"
	checkTimedOut  = "timed out"
)

// report is the body of the answer. It names no address, path or error: it
// may be read by anyone.
type report struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

// report runs the checks, or takes their outcome of a moment ago.
func (r *Readiness) report(ctx context.Context) report {
	status, checks := statusReady, make(map[string]string, len(r.checks))
	var failed []error
	for _, c := range r.checks {
		err := c.outcome(ctx)
		checks[c.Name] = word(err)
		if err == nil {
			continue
		}
		failed = append(failed, err)
		if !c.Advisory {
			status = statusUnready
		} else if status == statusReady {
			status = statusDegraded
		}
	}
	r.tell(ctx, status, errors.Join(failed...))
	switch {
	case r.draining.Load():
		return report{statusDraining, checks}
	case status != statusReady:
		return report{status, checks}
	}
	return report{Status: status}
}

func word(err error) string {
	switch {
	case err == nil:
		return checkOK
	case errors.Is(err, context.DeadlineExceeded):
		return checkTimedOut
	}
	return checkFailing
}

// tell logs a change, once.
func (r *Readiness) tell(ctx context.Context, status string, err error) {
	if ctx.Err() != nil { // who asked has gone: nothing was found out
		return
	}
	former := r.told.Swap(status)
	switch {
	case former == status || former == nil && status == statusReady:
	case status == statusReady:
		r.log.LogAttrs(ctx, slog.LevelInfo, "ready again")
	case status == statusDegraded:
		r.log.LogAttrs(ctx, slog.LevelWarn, "degraded: ready, but slower", slog.Any("error", err))
	default:
		r.log.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.Any("error", err))
	}
}

// Outcome is what came of a check.
type Outcome struct {
	Name string // of the check
	Word string // as the probe's answer has it
}

// OK reports whether all is well.
func (o Outcome) OK() bool { return o.Word == checkOK }

// Outcomes runs the checks, or takes their outcome of a moment ago, in the
// order in which they were given.
func (r *Readiness) Outcomes(ctx context.Context) []Outcome {
	outcomes := make([]Outcome, len(r.checks))
	for i, c := range r.checks {
		outcomes[i] = Outcome{c.Name, word(c.outcome(ctx))}
	}
	return outcomes
}

// Healthy returns what the checks, but for advisory ones, have against the server, or nil, whether or
// not it is draining.
func (r *Readiness) Healthy(ctx context.Context) error {
	var failed []error
	for _, c := range r.checks {
		if !c.Advisory {
			failed = append(failed, c.outcome(ctx))
		}
	}
	return errors.Join(failed...)
}

// checked is a check of which at most one runs at a time, however many ask
// and however long it takes: who asks meanwhile waits for its outcome, but
// not past CheckTimeout after its begin.
type checked struct {
	Check

	mu      sync.Mutex
	begun   time.Time
	running chan struct{} // closed at its end; nil when none runs
	err     error
}

func (c *checked) outcome(ctx context.Context) error {
	c.mu.Lock()
	if c.running == nil {
		if !c.begun.IsZero() && time.Since(c.begun) < CheckEvery {
			defer c.mu.Unlock()
			return c.err
		}
		c.begun, c.running = time.Now(), make(chan struct{})
		go c.run()
	}
	running, left := c.running, CheckTimeout-time.Since(c.begun)
	c.mu.Unlock()

	patience := time.NewTimer(left)
	defer patience.Stop()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-patience.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *checked) run() {
	ctx, cancel := context.WithTimeout(context.Background(), CheckTimeout)
	defer cancel()
	err := c.Run(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.running)
	c.running = nil
}
