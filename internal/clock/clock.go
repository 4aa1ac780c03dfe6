// Package clock measures how old something is, the sleep of the machine
// included. Go's monotonic clock (CLOCK_MONOTONIC on Linux) stands still while
// a machine is suspended; the wall clock goes on, but may be set. Every
// time.Now reads both, so comparing them costs no system call, where a reading
// of CLOCK_BOOTTIME would.
package clock

import (
	"math"
	"time"
)

const (
	// MaxDrift is how far the two clocks may drift apart between two readings:
	// more than a clock is slewed in a second (83 ms by chrony). Beyond it the
	// machine has slept, or the wall clock was set.
	MaxDrift = 200 * time.Millisecond
	// Unknown is the age of what may be of any age, longer than any bound.
	Unknown = time.Duration(math.MaxInt64)
)

// Reading is what both clocks say at a moment, in nanoseconds.
type Reading struct {
	Monotonic int64 // since the start that Read was given
	Wall      int64 // since 1970
}

// Read returns the reading that now holds; start is a time of the same process.
// Times without a monotonic reading are of the wall clock alone.
func Read(start, now time.Time) Reading {
	return Reading{Monotonic: int64(now.Sub(start)), Wall: now.UnixNano()}
}

// Age is how old a reading is at now: the longer of what both clocks say, and
// Unknown if they have drifted apart by more than MaxDrift since. So after a
// sleep nothing is younger than it was before, unless somebody sets the wall
// clock back by just as long as the machine slept, before the age is asked for.
func (r Reading) Age(now Reading) time.Duration {
	monotonic, wall := now.Monotonic-r.Monotonic, now.Wall-r.Wall
	if drift := wall - monotonic; drift > int64(MaxDrift) || drift < -int64(MaxDrift) {
		return Unknown
	}
	return time.Duration(max(monotonic, wall))
}

// Age is Reading.Age for two times of time.Now.
func Age(then, now time.Time) time.Duration {
	return Read(then, then).Age(Read(then, now))
}
