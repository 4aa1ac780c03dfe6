package password

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
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
	// Queue is how many may wait for a worker. Default: 256.
	Queue int
	// Wait is how long one may wait for a worker. Default: 5 seconds.
	Wait time.Duration
	// LowPriority has the workers hash on threads of lower priority, so that
	// the operating system prefers everything else this process does, and
	// raises GOMAXPROCS by their number, so that they don't take its
	// processors from the rest. It is for a process that is a server and
	// nothing else; it has an effect on Linux only.
	LowPriority bool
}

// Gate admits the heavy work of hashing, a bounded number at a time. Who has
// to wait waits in the line of its address, and the lines are served in turn:
// one address that sends thousands does not keep the others waiting longer
// than for one of its own. Safe for concurrent use.
type Gate struct {
	workers     int
	queue       int
	wait        time.Duration
	lowPriority bool

	mu      sync.Mutex
	running int
	waiting int
	lines   map[netip.Addr]*line
	turns   []*line // the lines in the order of their turns
	stats   GateStats
}

// GateStats is what a gate does now and has done. Every call of Do that was
// not admitted is one of Refused, Expired or Abandoned.
type GateStats struct {
	Workers, Queue int    // the bounds
	Busy, Waiting  int    // now
	Admitted       uint64 // so far
	Refused        uint64 // because the queue was full
	Expired        uint64 // because the wait was over
	Abandoned      uint64 // because the caller was gone
}

// line is who waits at one address, first come first.
type line struct {
	from netip.Addr
	jobs []*job
}

// job is one call of Do.
type job struct {
	work    func()
	from    netip.Addr
	waiting bool // in its line; under the gate's lock
	// The rest is for the caller to read once done is closed.
	done     chan struct{}
	err      error // why work was not run
	panicked any
	exited   bool // by runtime.Goexit
}

// NewGate returns an open gate.
func NewGate(o GateOptions) *Gate {
	if o.Workers <= 0 {
		o.Workers = processors()
	}
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.LowPriority {
		makeRoom(o.Workers)
	}
	return &Gate{
		workers: o.Workers, queue: o.Queue, wait: o.Wait, lowPriority: o.LowPriority,
		lines: make(map[netip.Addr]*line),
	}
}

// Do has work run once it is its turn, and returns when it has; a panic of
// work goes on in the caller. from is the address that asks, the zero Addr
// for an operator; of IPv6 the /64 counts. Without having run work it
// returns ErrBusy when the queue is full (at once, or later, if another
// address that waits less needs the place), ErrBusy when the wait is over, or
// ctx.Err() when the caller is gone. Work that has begun is not interrupted.
func (g *Gate) Do(ctx context.Context, from netip.Addr, work func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{work: work, from: neighbourhood(from), done: make(chan struct{})}
	if err := g.enter(j); err != nil {
		return err
	}
	g.await(ctx, j)
	switch {
	case j.panicked != nil:
		panic(j.panicked)
	case j.exited:
		runtime.Goexit()
	}
	return j.err
}

// Stats counts.
func (g *Gate) Stats() GateStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Workers, s.Queue, s.Busy, s.Waiting = g.workers, g.queue, g.running, g.waiting
	return s
}

// neighbourhood is whom an address stands for: one subscriber has an IPv6 /64.
func neighbourhood(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// enter hands the job to a worker, or puts it in its line.
func (g *Gate) enter(j *job) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.workers {
		g.running++
		g.stats.Admitted++
		go g.hash(j)
		return nil
	}
	mine := g.lines[j.from]
	if g.waiting >= g.queue && !g.displace(mine) {
		g.stats.Refused++
		return ErrBusy
	}
	if mine == nil {
		mine = &line{from: j.from}
		g.lines[j.from] = mine
		g.turns = append(g.turns, mine)
	}
	j.waiting = true
	mine.jobs = append(mine.jobs, j)
	g.waiting++
	return nil
}

// displace takes the last one out of the longest line, if that stays longer
// than the newcomer's becomes.
func (g *Gate) displace(mine *line) bool {
	length := 0
	if mine != nil {
		length = len(mine.jobs)
	}
	longest := g.turns[0]
	for _, l := range g.turns {
		if len(l.jobs) > len(longest.jobs) {
			longest = l
		}
	}
	if len(longest.jobs) <= length+1 {
		return false
	}
	last := longest.jobs[len(longest.jobs)-1]
	g.remove(last)
	g.stats.Refused++
	last.err = ErrBusy
	close(last.done)
	return true
}

// await returns when the job is over: done, displaced or given up.
func (g *Gate) await(ctx context.Context, j *job) {
	patience := time.NewTimer(g.wait)
	defer patience.Stop()
	var why error
	select {
	case <-j.done:
		return
	case <-patience.C:
		why = ErrBusy
	case <-ctx.Done():
		why = ctx.Err()
	}
	if g.giveUp(j, why) {
		return
	}
	<-j.done
}

// giveUp takes the job out of its line. It is false when the job is no longer
// there: it runs, or is over.
func (g *Gate) giveUp(j *job, why error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !j.waiting {
		return false
	}
	g.remove(j)
	j.err = why
	if errors.Is(why, ErrBusy) {
		g.stats.Expired++
	} else {
		g.stats.Abandoned++
	}
	return true
}

// remove takes a waiting job out of its line, and the line away if it is empty.
func (g *Gate) remove(j *job) {
	l := g.lines[j.from]
	for i, other := range l.jobs {
		if other == j {
			l.jobs = append(l.jobs[:i], l.jobs[i+1:]...)
			break
		}
	}
	j.waiting = false
	g.waiting--
	if len(l.jobs) > 0 {
		return
	}
	delete(g.lines, l.from)
	for i, other := range g.turns {
		if other == l {
			g.turns = append(g.turns[:i], g.turns[i+1:]...)
			return
		}
	}
}

// next is the job whose turn it is; nil when nobody waits, and then the
// worker is no longer counted.
func (g *Gate) next() *job {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == 0 {
		g.running--
		return nil
	}
	l := g.turns[0]
	j := l.jobs[0]
	g.remove(j)
	if len(l.jobs) > 0 {
		g.turns = append(g.turns[1:], l)
	}
	g.stats.Admitted++
	return j
}

// hash is a worker: it runs jobs as long as there are any. A worker of low
// priority keeps its thread until then, and takes it along when it ends.
func (g *Gate) hash(j *job) {
	if g.lowPriority {
		runtime.LockOSThread()
		lowerPriority()
	}
	finished := false
	defer func() {
		if !finished { // work has ended this goroutine
			if j := g.next(); j != nil {
				go g.hash(j)
			}
		}
	}()
	for ; j != nil; j = g.next() {
		g.run(j)
	}
	finished = true
}

// run runs the work of one job and tells its caller.
func (g *Gate) run(j *job) {
	returned := false
	defer func() {
		if !returned {
			j.panicked = recover()
			j.exited = j.panicked == nil
		}
		close(j.done)
	}()
	j.work()
	returned = true
}
