package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are asked for their numbers at each scrape. A nil one has no series.
type Sources struct {
	Gate   func() Gate
	Recall func() Recall
	// Sessions counts the stored sessions, which may mean reading a table: it
	// is called in the background, at most once a minute and only when there
	// are scrapes, with a context that ends after CountTimeout.
	Sessions func(context.Context) (int64, error)
	// Now is the clock of that minute; default time.Now.
	Now func() time.Time
}

// Gate is what the gate of password hashing does.
type Gate struct {
	Workers, Busy, Waiting int // places, those taken, and who waits for one
	Admitted               uint64
	Refused                uint64 // at once: the queue was full
	Expired                uint64 // the wait was over
	Abandoned              uint64 // the client left while it waited
}

// Recall is what the memory of checked sessions does and holds.
type Recall struct {
	Hits, Misses      uint64
	Evicted           uint64 // entries that left for others
	News              uint64 // pieces of news, each of which made entries doubtful
	Entries, Capacity int
	Hearing           bool // news arrives, so that it is used at all
}

const (
	// CountEvery is how old the number of sessions may be before a scrape has
	// them counted anew; CountTimeout is how long that may take.
	CountEvery   = time.Minute
	CountTimeout = 10 * time.Second
)

// Watch adds the series of the sources. Call it once.
func (m *Metrics) Watch(s Sources) {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Gate != nil {
		m.registry.MustRegister(gateCollector(s.Gate))
	}
	if s.Recall != nil {
		m.registry.MustRegister(recallCollector(s.Recall))
	}
	if s.Sessions != nil {
		m.registry.MustRegister(&sessionsCollector{count: s.Sessions, now: s.Now})
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	gateWorkers = describe("postern_gate_workers", "Passwords that may be hashed at a time.")
	gateBusy    = describe("postern_gate_busy", "Passwords being hashed.")
	gateWaiting = describe("postern_gate_waiting", "Passwords that wait to be hashed.")
	gateTotal   = describe("postern_gate_requests_total", "Passwords that came to the gate, by what it did with them.", "outcome")
)

type gateCollector func() Gate

func (gateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- gateWorkers
	to <- gateBusy
	to <- gateWaiting
	to <- gateTotal
}

func (c gateCollector) Collect(to chan<- prometheus.Metric) {
	g := c()
	to <- gauge(gateWorkers, g.Workers)
	to <- gauge(gateBusy, g.Busy)
	to <- gauge(gateWaiting, g.Waiting)
	to <- counter(gateTotal, g.Admitted, "admitted")
	to <- counter(gateTotal, g.Refused, "refused")
	to <- counter(gateTotal, g.Expired, "expired")
	to <- counter(gateTotal, g.Abandoned, "abandoned")
}

var (
	recallHits     = describe("postern_recall_hits_total", "Session checks answered from memory.")
	recallMisses   = describe("postern_recall_misses_total", "Session checks that had to ask the database.")
	recallEvicted  = describe("postern_recall_evicted_total", "Remembered sessions that left for others.")
	recallNews     = describe("postern_recall_news_total", "Pieces of news that made remembered sessions doubtful.")
	recallEntries  = describe("postern_recall_entries", "Remembered sessions.")
	recallCapacity = describe("postern_recall_capacity_entries", "Sessions that can be remembered.")
	recallHearing  = describe("postern_recall_hearing", "1 while news of changes arrives, 0 while nothing is recalled because it does not.")
)

type recallCollector func() Recall

func (recallCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		recallHits, recallMisses, recallEvicted, recallNews, recallEntries, recallCapacity, recallHearing,
	} {
		to <- d
	}
}

func (c recallCollector) Collect(to chan<- prometheus.Metric) {
	r := c()
	to <- counter(recallHits, r.Hits)
	to <- counter(recallMisses, r.Misses)
	to <- counter(recallEvicted, r.Evicted)
	to <- counter(recallNews, r.News)
	to <- gauge(recallEntries, r.Entries)
	to <- gauge(recallCapacity, r.Capacity)
	hearing := 0
	if r.Hearing {
		hearing = 1
	}
	to <- gauge(recallHearing, hearing)
}

func gauge[N int | int64](d *prometheus.Desc, value N) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
}

func counter(d *prometheus.Desc, value uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

var sessionsStored = describe("postern_sessions", "Stored sessions, expired ones that are not yet swept among them; counted at most once a minute.")

// sessionsCollector tells the number of sessions as last counted, and has
// them counted anew when that is a minute old. Before the first count has
// ended, and while counting fails, there is no number to tell.
type sessionsCollector struct {
	count func(context.Context) (int64, error)
	now   func() time.Time

	mu       sync.Mutex
	counting bool
	begun    time.Time // the last count; zero for none
	number   int64
	known    bool
}

func (*sessionsCollector) Describe(to chan<- *prometheus.Desc) { to <- sessionsStored }

func (c *sessionsCollector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); !c.counting && (c.begun.IsZero() || now.Sub(c.begun) >= CountEvery) {
		c.counting, c.begun = true, now
		go c.recount()
	}
	if c.known {
		to <- gauge(sessionsStored, c.number)
	}
}

func (c *sessionsCollector) recount() {
	ctx, cancel := context.WithTimeout(context.Background(), CountTimeout)
	defer cancel()
	number, err := c.count(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counting, c.number, c.known = false, number, err == nil
}
