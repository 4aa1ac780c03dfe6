package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxSeen bounds the memory of signs of life that wait to be written; what
	// comes beyond is written at a later request.
	maxSeen = 1 << 16
	// flushAtMost is the longest pause between two writes of signs of life.
	flushAtMost = 30 * time.Second
	// sweepBatch is how many expired sessions leave in one commit: few enough
	// that no login waits for it.
	sweepBatch = 200
	// sweepEvery is the pause between two rounds of deletion.
	sweepEvery = 5 * time.Minute
)

// seen holds signs of life until they are written in one batch, so that a
// read never becomes a write.
type seen struct {
	mu      sync.Mutex
	pending map[SessionID]Touch
}

func newSeen() *seen { return &seen{pending: make(map[SessionID]Touch)} }

func (s *seen) add(t Touch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.pending[t.ID]; known || len(s.pending) < maxSeen {
		s.pending[t.ID] = t
	}
}

func (s *seen) drop(id SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

func (s *seen) take() []Touch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return nil
	}
	batch := make([]Touch, 0, len(s.pending))
	for _, t := range s.pending {
		batch = append(batch, t)
	}
	clear(s.pending)
	return batch
}

// Flush writes the pending last-seen times and failed logins.
func (r *Realm) Flush(ctx context.Context) error {
	return errors.Join(r.flushFailures(ctx), r.flushSeen(ctx))
}

func (r *Realm) flushSeen(ctx context.Context) error {
	batch := r.seen.take()
	if len(batch) == 0 {
		return nil
	}
	if err := r.sessions.Touch(ctx, batch); err != nil {
		for _, t := range batch {
			r.seen.add(t)
		}
		return fmt.Errorf("write last-seen times: %w", err)
	}
	return nil
}

// ClearExpired deletes the sessions that are over, in small batches, and says
// how many they were.
func (r *Realm) ClearExpired(ctx context.Context) (int, error) {
	sweeper, ok := r.sessions.(Sweeper)
	if !ok {
		return 0, nil
	}
	total := 0
	for {
		now := r.now()
		var idleSince time.Time
		if r.policy.Idle > 0 {
			idleSince = now.Add(-r.policy.Idle - 2*r.policy.TouchEvery())
		}
		n, err := sweeper.Sweep(ctx, now, idleSince, sweepBatch)
		if err != nil {
			return total, fmt.Errorf("clear expired sessions: %w", err)
		}
		total += n
		if n < sweepBatch {
			return total, nil
		}
	}
}

// keepHouse writes last-seen times and sweeps until ctx ends.
func (r *Realm) keepHouse(ctx context.Context) {
	defer close(r.stopped)
	flush := time.NewTicker(min(flushAtMost, max(r.policy.TouchEvery()/2, 25*time.Millisecond)))
	defer flush.Stop()
	fails := time.NewTicker(time.Second)
	defer fails.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	sample := time.NewTimer(untilSample(r.now()))
	defer sample.Stop()
	r.lookForUnreadable(ctx)
	r.sweepOnce(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-fails.C:
			if err := r.flushFailures(ctx); err != nil && ctx.Err() == nil {
				r.log.LogAttrs(ctx, slog.LevelError, "failed logins are missing in the audit log", slog.Any("error", err))
			}
		case <-flush.C:
			if err := r.flushSeen(ctx); err != nil && ctx.Err() == nil {
				r.log.LogAttrs(ctx, slog.LevelWarn, "last-seen times not written, they will be tried again", slog.Any("error", err))
			}
		case <-sweep.C:
			r.sweepOnce(ctx)
		case <-sample.C:
			if err := r.sampleHashes(ctx); err != nil && ctx.Err() == nil {
				r.log.LogAttrs(ctx, slog.LevelWarn, "the costs of password hashes were not read: unknown names keep those of the last time, and it will be tried again", slog.Any("error", err))
			}
			sample.Reset(untilSample(r.now()))
		}
	}
}

func (r *Realm) sweepOnce(ctx context.Context) {
	n, err := r.ClearExpired(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.log.LogAttrs(ctx, slog.LevelWarn, "expired sessions not cleared, they will be tried again", slog.Any("error", err))
	case n > 0:
		r.log.LogAttrs(ctx, slog.LevelInfo, "expired sessions cleared", slog.Int("sessions", n))
	}
	if _, err := r.ClearAudit(ctx); err != nil && ctx.Err() == nil {
		r.log.LogAttrs(ctx, slog.LevelWarn, "the audit log was not cleared of old entries, it will be tried again", slog.Any("error", err))
	}
}
