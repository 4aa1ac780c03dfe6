package postern

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/ops"
)

const (
	// reportEvery is the pause between two reports of a node.
	reportEvery = 10 * time.Second
	// silentAfter is when a node counts as silent, and forgottenAfter when it
	// is no longer listed: what ends in an orderly way says so.
	silentAfter    = 3 * reportEvery
	forgottenAfter = time.Hour
	reportWait     = 5 * time.Second
)

// reporter writes to the database that this process is there, for the other
// nodes' admin sites, and finds out in doing so whether writes are taken.
type reporter struct {
	store     auth.NodeStore
	sessions  sessionHome // nil: sessions are in the database
	writes    *writeTrial
	readiness *ops.Readiness
	node      auth.Node
	now       func() time.Time
	log       *slog.Logger
	cancel    context.CancelFunc
	stopped   chan struct{}
}

// startReporting reports until stop is called.
func startReporting(s *stores, readiness *ops.Readiness, writes *writeTrial, c *Config) *reporter {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{
		store: s.database, sessions: s.sessions, writes: writes, readiness: readiness, now: c.Now, log: c.Log, cancel: cancel, stopped: make(chan struct{}),
		node: auth.Node{ID: rand.Text(), Name: fmt.Sprintf("%s:%d", name, os.Getpid()), Version: thisBuild().Version, Started: c.Now()},
	}
	go r.run(ctx)
	return r
}

func (r *reporter) run(ctx context.Context) {
	defer close(r.stopped)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		r.report(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// report may fail: the next one comes soon, and a node that can't report is
// shown as silent.
func (r *reporter) report(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportWait)
	defer cancel()
	var problems []string
	for _, o := range r.readiness.Outcomes(ctx) {
		if !o.OK() {
			problems = append(problems, o.Name+": "+o.Word)
		}
	}
	n := r.node
	n.Seen, n.Problems = r.now(), strings.Join(problems, "; ")
	err := r.store.ReportNode(ctx, n, n.Seen.Add(-forgottenAfter))
	if r.sessions != nil {
		err = errors.Join(err, r.sessions.TryWrite(ctx))
	}
	if !errors.Is(err, context.Canceled) { // not because of a stop
		r.writes.set(err)
	}
}

// writeTrial is what came of the latest write that was made to find out
// whether writes are taken: a disk that is full, a server that has become
// read-only. Its zero value is good. Safe for concurrent use.
type writeTrial struct {
	mu  sync.Mutex
	err error
}

func (w *writeTrial) set(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// check is an ops.Check.
func (w *writeTrial) check(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// stop takes this process off the list.
func (r *reporter) stop() {
	r.cancel()
	<-r.stopped
	ctx, cancel := context.WithTimeout(context.Background(), reportWait)
	defer cancel()
	if err := r.store.RemoveNode(ctx, r.node.ID); err != nil {
		r.log.LogAttrs(ctx, slog.LevelDebug, "this node not taken off the list", slog.Any("error", err))
	}
}

// Close takes this node off the list of nodes, writes what is pending and
// closes the database.
func (s *Server) Close() error {
	s.reporter.stop()
	return s.Directory.Close()
}
