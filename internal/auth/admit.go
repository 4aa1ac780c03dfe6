package auth

import (
	"context"
	"net/netip"
	"time"
)

// admit runs hashing work for an address through the gate and tells, to who
// asks, how long it waited and how long it took.
func (r *Realm) admit(ctx context.Context, from netip.Addr, work func()) error {
	came := time.Now()
	waited := r.begin(ctx, "wait to hash")
	admitted := false
	err := r.gate.Do(ctx, from, func() {
		admitted = true
		waited()
		if r.hashWait != nil {
			r.hashWait(time.Since(came))
		}
		defer r.begin(ctx, "hash")()
		work()
	})
	if !admitted {
		waited()
	}
	return err
}

// begin begins a step of a trace.
func (r *Realm) begin(ctx context.Context, step string) (end func()) {
	if r.step == nil {
		return func() {}
	}
	return r.step(ctx, step)
}
