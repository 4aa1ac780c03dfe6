package password

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrBusy says that too many passwords are being hashed: the queue of the gate
// is full or the wait was over. Worth another try in a few seconds.
var ErrBusy = errors.New("password: too many passwords to hash")

// GateOptions says how much hashing is admitted. Zero or less stands for the
// default of a field.
type GateOptions struct {
	// Workers is how many may hash at a time, and with the memory of a hash
	// how much memory hashing may take. Default: GOMAXPROCS.
	Workers int
	// Queue is how many may wait for a place. Default: 256.
	Queue int
	// Wait is how long one may wait for a place. Default: 5 seconds.
	Wait time.Duration
}

// Gate admits the heavy work of hashing, a bounded number at a time, first
// come, first served. Safe for concurrent use.
type Gate struct {
	places  chan struct{} // holds one element for each place taken
	queue   int64
	waiting atomic.Int64
	wait    time.Duration
}

// NewGate returns an open gate.
func NewGate(o GateOptions) *Gate {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	return &Gate{places: make(chan struct{}, o.Workers), queue: int64(o.Queue), wait: o.Wait}
}

// Do runs work on the caller's goroutine once there is a place, and gives the
// place back when work returns or panics. Without having run work it returns
// ErrBusy at once when the queue is full, ErrBusy when the wait is over, or
// ctx.Err() when the caller is gone. Work that has begun is not interrupted.
func (g *Gate) Do(ctx context.Context, work func()) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	defer func() { <-g.places }()
	work()
	return nil
}

func (g *Gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.queue {
		g.waiting.Add(-1)
		return ErrBusy
	}
	defer g.waiting.Add(-1)

	patience := time.NewTimer(g.wait)
	defer patience.Stop()
	select {
	case g.places <- struct{}{}:
		// Both may have come at once, and select doesn't prefer.
		if err := ctx.Err(); err != nil {
			<-g.places
			return err
		}
		return nil
	case <-patience.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}
