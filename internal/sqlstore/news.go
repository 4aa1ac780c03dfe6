package sqlstore

import (
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// lookEvery is how often the writer looks for the writes of other processes.
const lookEvery = 200 * time.Millisecond

// selectDataVersion is a number that changes when another connection than
// the one that asks has changed the database
// (https://www.sqlite.org/pragma.html#pragma_data_version).
const selectDataVersion = `pragma data_version`

// news tells what was written, by this process or another. It belongs to the
// writer's goroutine; a nil one tells nothing.
type news struct {
	hear      func(auth.News)
	heartbeat func(time.Time)
	now       func() time.Time
	ticker    *time.Ticker
	looked    time.Time
	version   int64
	known     bool // version is that of the present connection
}

func newNews(o Options) *news {
	if o.News == nil {
		return nil
	}
	n := &news{hear: o.News, heartbeat: o.Heartbeat, now: o.Now, ticker: time.NewTicker(lookEvery)}
	if n.heartbeat == nil {
		n.heartbeat = func(time.Time) {}
	}
	return n
}

// due is when to look.
func (n *news) due() <-chan time.Time {
	if n == nil {
		return nil
	}
	return n.ticker.C
}

// isDue tells the same to who can't wait for it. The first look is due at once.
func (n *news) isDue() bool { return time.Since(n.looked) >= lookEvery/2 }

// look asks for the version and, if another connection has written since the
// last time or may have, tells that anything may have changed.
func (n *news) look(t *tx) error {
	began := n.now()
	n.looked = time.Now()
	var version int64
	if err := t.row(selectDataVersion).Scan(&version); err != nil {
		return err
	}
	if !n.known || version != n.version {
		n.hear(auth.News{})
	}
	n.version, n.known = version, true
	n.heartbeat(began)
	return nil
}

// tell passes on what jobs have noted.
func (n *news) tell(told []auth.News) {
	if n == nil {
		return
	}
	for _, one := range told {
		n.hear(one)
	}
}

// lose forgets the version: a new connection counts anew.
func (n *news) lose() {
	if n != nil {
		n.known = false
	}
}

func (n *news) stop() {
	if n != nil {
		n.ticker.Stop()
	}
}
