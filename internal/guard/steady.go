package guard

import (
	"sync"
	"time"
)

// steadyClock measures the time since it was made, and never steps back: when
// the clock it reads does, it goes on from where it was. So no wait gets longer
// than it was. time.Now has a monotonic reading, which Sub uses: then the wall
// clock plays no part, and the time that a machine sleeps does not count. Safe
// for concurrent use.
type steadyClock struct {
	read  func() time.Time
	start time.Time

	mu   sync.Mutex
	last time.Duration
	back time.Duration // how far read has stepped back, in all
}

func newSteadyClock(read func() time.Time) *steadyClock {
	return &steadyClock{read: read, start: read()}
}

func (c *steadyClock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.read().Sub(c.start) + c.back
	if now < c.last {
		c.back += c.last - now
		now = c.last
	}
	c.last = now
	return now
}
