package main

import (
	"fmt"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// patience is how long an answer may take.
const patience = 20 * time.Second

// script appends the next request to what it is given.
type script func(to []byte) []byte

// load is what drive sends.
type load struct {
	address netip.AddrPort
	clients int // connections, each with one request under way
	script  script
	// warm is sent before the measure begins.
	warm, measure time.Duration
	// requests, when it is not 0, ends the load instead of the measure.
	requests int
}

// Latencies are counted in classes that are 1/32 of a power of two wide, in
// nanoseconds: an error of 3% at most.
const (
	classBits = 5
	classes   = (64 - classBits) << classBits
)

// tally is what came of a load.
type tally struct {
	requests  int
	elapsed   time.Duration
	refused   map[int]int // answers other than 2xx, by status
	latencies []int       // by class
}

func newTally() tally { return tally{refused: map[int]int{}, latencies: make([]int, classes)} }

func (t *tally) count(status int, latency time.Duration) {
	t.requests++
	t.latencies[class(latency)]++
	if status < 200 || status > 299 {
		t.refused[status]++
	}
}

// rate is in requests a second.
func (t *tally) rate() float64 { return float64(t.requests) / t.elapsed.Seconds() }

// err says which answers were not 2xx; nil when all were, and there was one.
func (t *tally) err() error {
	if t.requests == 0 {
		return fmt.Errorf("no answer in %v", t.elapsed)
	}
	if len(t.refused) == 0 {
		return nil
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(t.refused)) {
		parts = append(parts, fmt.Sprintf("%d with %d", t.refused[status], status))
	}
	return fmt.Errorf("of %d answers, %s", t.requests, strings.Join(parts, ", "))
}

// quantile returns the latency that the share q of the requests did not
// exceed.
func (t *tally) quantile(q float64) time.Duration {
	rank, seen := int(q*float64(t.requests)), 0
	for c, n := range t.latencies {
		if seen += n; n > 0 && seen > rank || seen == t.requests {
			return classEnd(c)
		}
	}
	return 0
}

func class(d time.Duration) int {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-classBits-1, 0)
	return shift<<classBits + int(n>>shift)
}

// classEnd is the longest latency of a class.
func classEnd(c int) time.Duration {
	shift := max(c>>classBits-1, 0)
	return time.Duration((uint64(c-shift<<classBits)+1)<<shift - 1)
}
