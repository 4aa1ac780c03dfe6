package main

import (
	"math"
	"time"

	"github.com/postern-auth/postern/internal/recall"
)

// newsSlots is how many places internal/recall notes news about sessions at,
// and as many about users.
const newsSlots = 1 << 16

// span is how long an entry is recalled when no news comes, in seconds: its
// age is counted from whole seconds and rounded up, so half a second more
// than recall.MaxAge in the mean.
const span = float64(recall.MaxAge)/float64(time.Second) + 0.5

// lifetime is the mean time, in seconds, until an entry is read again because
// of its age or of news. news is what comes a second about all of sessions:
// it concerns the entry by right once in so many, and once in newsSlots
// because it shares the entry's place.
func lifetime(news float64, sessions int) float64 {
	often := news * (1/float64(newsSlots) + 1/float64(sessions))
	if often*span < 1e-9 {
		return span
	}
	return (1 - math.Exp(-often*span)) / often
}

// expectedHitRate is the share of checks that are recalled when each session
// is sent to so many nodes at random: 1 where a session has a node of its own.
//
// A session that makes λ checks a second makes λ/nodes at each. After a read
// it is recalled there for a lifetime L, λL/nodes times in the mean, and then
// read again: x hits to one miss, x = λL/nodes. Sessions count by their checks.
// It supposes that memory has room.
func expectedHitRate(rates []float64, nodes int, lifetime float64) float64 {
	var hits, all float64
	for _, rate := range rates {
		x := rate * lifetime / float64(nodes)
		hits += rate * x / (1 + x)
		all += rate
	}
	return hits / all
}

// expectedTouches is how many last-seen times are written a second when each
// session has a node of its own: at its first check when TouchEvery is over.
func expectedTouches(rates []float64) float64 {
	var sum float64
	for _, rate := range rates {
		sum += 1 / (policy.TouchEvery().Seconds() + 1/rate)
	}
	return sum
}

// expectedReturn is how many reads a second there are of checks, t seconds
// after all nodes forgot everything at once, as a share of all checks:
// Σ λ e^(-λt/nodes) / Σ λ, each session being read by each node once.
func expectedReturn(rates []float64, nodes int, t float64) float64 {
	var reads, all float64
	for _, rate := range rates {
		reads += rate * math.Exp(-rate*t/float64(nodes))
		all += rate
	}
	return reads / all
}
