package guard

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"
)

// The bounds of a line.
const (
	// longestLine is how far ahead a line reaches, unless the rate is so slow
	// that it would have fewer than minPlaces or so quick that it would have
	// more than maxPlaces.
	longestLine = 15 * time.Minute
	minPlaces   = 16
	maxPlaces   = 128
	// networkShare is the part of the places that addresses of one network
	// may hold, a 1/networkShare, so that one provider's customer with
	// thousands of addresses does not fill a line.
	networkShare = 8
	// graceOfPlace is how late one may come for one's place.
	graceOfPlace = 5 * time.Minute
)

// line is who waits to guess at one account. An address has one place, the
// places are apart as the rate is, and being let through on a place costs the
// rate nothing more: the flood that comes later stands behind it.
//
// When the line is full, or too much of it is one network's, the next go into
// a draw: when the places given out until then are over, those who drew the
// lowest lots get the next places. A lot depends on a key of this process, the
// address and the round, so that it counts neither who asks most often nor who
// comes at the right moment.
type line struct {
	places int // in the line, and as many in the draw
	seed   maphash.Seed
	taken  []place // in the order of their times
	full   bool    // since a place was too far ahead, until the draw
	lots   []lot   // lowest first
	drawAt int64   // unix nanoseconds; 0: no draw
}

type place struct {
	device, network uint64
	at              int64 // unix nanoseconds
}

type lot struct {
	device, network uint64
	number          uint64
}

// advance forgets the places that nobody came for, and holds the draw if it
// is time. reserve gives the wait for the next place.
func (l *line) advance(now int64, reserve func() time.Duration) {
	over := 0
	for over < len(l.taken) && l.taken[over].at+int64(graceOfPlace) < now {
		over++
	}
	// A quick rate has many places within the grace: the oldest go.
	over = max(over, len(l.taken)-3*l.places)
	l.taken = slices.Delete(l.taken, 0, over)
	if l.drawAt == 0 || now < l.drawAt {
		return
	}
	if now <= l.drawAt+int64(graceOfPlace) {
		for _, drawn := range l.lots {
			l.taken = append(l.taken, place{device: drawn.device, network: drawn.network, at: now + int64(reserve())})
		}
	}
	l.full, l.lots, l.drawAt = false, l.lots[:0], 0
}

// turn lets through who comes for a place that is due, and tells who comes
// too early how long it still is. Others are not settled.
func (l *line) turn(who applicant, now int64) (wait time.Duration, settled bool) {
	i := slices.IndexFunc(l.taken, func(p place) bool { return p.device == who.device })
	if i < 0 {
		return 0, false
	}
	if wait := time.Duration(l.taken[i].at - now); wait > 0 {
		return wait, true
	}
	l.taken = slices.Delete(l.taken, i, i+1)
	return 0, true
}

// join gives who is new a place, or else a lot, and returns the wait for the
// place or for the draw. reserve gives the wait for the next place and whether
// it is not too far ahead.
func (l *line) join(who applicant, now int64, reserve func() (time.Duration, bool)) time.Duration {
	ends := now
	if n := len(l.taken); n > 0 {
		ends = max(now, l.taken[n-1].at)
	}
	if !l.full && l.placesOf(who.network, now) < l.share() {
		wait, ok := reserve()
		if ok {
			l.taken = append(l.taken, place{device: who.device, network: who.network, at: now + int64(wait)})
			return wait
		}
		l.full, ends = true, max(ends, now+int64(wait))
	}
	if l.drawAt == 0 {
		l.drawAt = max(ends, now+int64(time.Second))
	}
	l.draw(who)
	return time.Duration(l.drawAt - now)
}

// draw keeps the lowest lots, of each network no more than its share.
func (l *line) draw(who applicant) {
	drawn := lot{device: who.device, network: who.network, number: maphash.Comparable(l.seed, [2]uint64{who.device, uint64(l.drawAt)})}
	at, found := slices.BinarySearchFunc(l.lots, drawn, func(a, b lot) int { return cmp.Compare(a.number, b.number) })
	if found {
		return
	}
	l.lots = slices.Insert(l.lots, at, drawn)
	neighbours, highest := 0, -1
	for i := range l.lots {
		if l.lots[i].network == who.network {
			neighbours, highest = neighbours+1, i
		}
	}
	switch {
	case neighbours > l.share():
		l.lots = slices.Delete(l.lots, highest, highest+1)
	case len(l.lots) > l.places:
		l.lots = l.lots[:l.places]
	}
}

func (l *line) share() int { return shareOf(l.places) }

func shareOf(places int) int { return max(1, places/networkShare) }

// placesOf is how many places ahead a network has.
func (l *line) placesOf(network uint64, now int64) int {
	n := 0
	for i := range l.taken {
		if l.taken[i].network == network && l.taken[i].at > now {
			n++
		}
	}
	return n
}

// waiting is how many still have something to come for.
func (l *line) waiting(now int64) int {
	n := len(l.lots)
	for i := range l.taken {
		if l.taken[i].at+int64(graceOfPlace) >= now {
			n++
		}
	}
	return n
}
