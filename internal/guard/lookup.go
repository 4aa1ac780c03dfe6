package guard

import (
	"context"
	"sync"
	"time"
)

const (
	// lookupEvery is how often the stored sessions of one account are asked for.
	lookupEvery = time.Minute
	// maxLookups is how many look-ups run at once, and lookupWait how long one
	// may take, with the time it waits for others.
	maxLookups = 8
	lookupWait = time.Second
	// maxLooked bounds the accounts that are remembered as looked up, about
	// 40 bytes each. To forget one costs another look-up and nothing else.
	maxLooked = 1 << 16
)

// lookups ask the store for what it knows of an account: at most once in
// lookupEvery if it answered, and maxLookups at a time. A client whose account
// is being looked up for another client waits for that answer. Safe for
// concurrent use.
type lookups struct {
	clock   *steadyClock
	wait    time.Duration // lookupWait
	running chan struct{} // holds a value for each look-up that runs

	mu     sync.Mutex
	begun  map[uint64]chan struct{} // by account, closed at the end
	looked map[uint64]time.Duration // when an answer was had
}

func newLookups(clock *steadyClock) *lookups {
	return &lookups{
		clock: clock, wait: lookupWait, running: make(chan struct{}, maxLookups),
		begun: make(map[uint64]chan struct{}), looked: make(map[uint64]time.Duration),
	}
}

// do has look called unless that was done lately. When it returns, the account
// has been looked up, or that is not possible in time.
func (l *lookups) do(account uint64, look func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.wait)
	defer cancel()
	done, mine := l.begin(account)
	if done == nil {
		return
	}
	if !mine {
		select {
		case <-done:
		case <-ctx.Done():
		}
		return
	}
	answered := false
	defer func() { l.end(account, done, answered) }()
	select {
	case l.running <- struct{}{}:
		defer func() { <-l.running }()
		answered = look(ctx) == nil
	case <-ctx.Done():
	}
}

// begin returns what is closed at the end of the account's look-up, and whether
// the caller has to do it; nil if it was done lately.
func (l *lookups) begin(account uint64) (done chan struct{}, mine bool) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.looked[account]; known && now-at < lookupEvery {
		return nil, false
	}
	if done := l.begun[account]; done != nil {
		return done, false
	}
	done = make(chan struct{})
	l.begun[account] = done
	return done, true
}

func (l *lookups) end(account uint64, done chan struct{}, answered bool) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.begun, account)
	if answered {
		if _, known := l.looked[account]; !known && len(l.looked) >= maxLooked {
			for any := range l.looked {
				delete(l.looked, any)
				break
			}
		}
		l.looked[account] = now
	}
	close(done)
}
