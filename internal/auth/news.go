package auth

import "time"

// News is what a store tells after a write (before it acknowledges it) so
// that nobody goes on with what they remember. The zero News says that
// anything may have changed.
type News struct {
	Session SessionID // that ended; zero for none in particular
	User    int64     // that changed, was deleted or lost sessions; 0 for none in particular
}

// IsEverything reports whether the news is about more than one session or user.
func (n News) IsEverything() bool { return n == News{} }

// Memory remembers who holds a session, so that a check need not ask the
// store. It forgets on news; internal/recall is one. Safe for concurrent use.
type Memory interface {
	// Recall returns what is remembered of a session; nil if that is nothing,
	// or if news may be missing.
	Recall(id SessionID, now time.Time) *Known
	// Mark is taken before a session is read from the store: a place in the
	// stream of news.
	Mark() uint64
	// Remember keeps what was read after mark, at now, unless news about it
	// has come since.
	Remember(k *Known, mark uint64, now time.Time)
}
