// Package ratelog bounds how often the same thing is logged. Whatever a client
// can cause by a request can be caused a million times: such a line is logged
// once for each key and period, with the number of lines left out since.
package ratelog

import (
	"sync"
	"time"
)

// maxKeys bounds the memory of a Limiter and the lines of one period.
const maxKeys = 64

// Limiter lets one line a period through for each key, and at most maxKeys
// keys a period. Safe for concurrent use.
type Limiter struct {
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	keys map[string]entry
}

type entry struct {
	logged  time.Time
	skipped int // since then
}

// New returns a limiter for one line in every period; now is nil for time.Now.
func New(every time.Duration, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{every: every, now: now, keys: make(map[string]entry)}
}

// Allow reports whether a line under key may be logged now, and how many lines
// of that key were left out since the last one. Keys beyond the bound are left
// out and not counted. A clock that steps back lets a line through.
func (l *Limiter) Allow(key string) (ok bool, skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	e, known := l.keys[key]
	switch {
	case known && l.recent(e, now):
		e.skipped++
		l.keys[key] = e
		return false, 0
	case !known && len(l.keys) >= maxKeys && !l.makeRoom(now):
		return false, 0
	}
	l.keys[key] = entry{logged: now}
	return true, e.skipped
}

func (l *Limiter) recent(e entry, now time.Time) bool {
	age := now.Sub(e.logged)
	return age >= 0 && age < l.every
}

// makeRoom forgets keys whose period is over and reports whether there were any.
func (l *Limiter) makeRoom(now time.Time) bool {
	for key, e := range l.keys {
		if !l.recent(e, now) {
			delete(l.keys, key)
		}
	}
	return len(l.keys) < maxKeys
}
