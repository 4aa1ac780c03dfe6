package postern

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
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

// reporter tells the database that this process is there, for the other
// nodes' admin sites.
type reporter struct {
	store     auth.NodeStore
	readiness *ops.Readiness
	node      auth.Node
	now       func() time.Time
	log       *slog.Logger
	cancel    context.CancelFunc
	stopped   chan struct{}
}

// startReporting reports until stop is called.
func startReporting(store auth.NodeStore, readiness *ops.Readiness, c *Config) *reporter {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{
		store: store, readiness: readiness, now: c.Now, log: c.Log, cancel: cancel, stopped: make(chan struct{}),
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
	if err := r.store.ReportNode(ctx, n, n.Seen.Add(-forgottenAfter)); err != nil && !errors.Is(err, context.Canceled) {
		r.log.LogAttrs(ctx, slog.LevelDebug, "this node not reported", slog.Any("error", err))
	}
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
