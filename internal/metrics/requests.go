package metrics

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests counts requests and their time. Prometheus' own counters and
// histograms would be written to by all cores at once; a check from memory is
// quick enough to notice. So each core counts, most of the time, in a stripe
// of its own, and a scrape adds the stripes up.
type requests struct {
	routes  []string
	index   map[string]int                    // of a route; what is not in it is 0, "other"
	cells   []atomic.Pointer[[]requestStripe] // by route and method; nil before the first
	hints   sync.Pool                         // of *int: which stripe to take
	handed  atomic.Uint32
	stripes int
}

// maxStripes bounds the memory: a route and method that is used takes some
// 700 bytes a stripe.
const maxStripes = 64

// requestStripe is a part of the requests for a route by a method.
type requestStripe struct {
	byStatus [maxStatuses]atomic.Uint64
	// byTime are those that took at most the bound of the same place in
	// requestBounds, and more than the one before; the last has no bound.
	byTime [len(requestBounds) + 1]atomic.Uint64
	nanos  atomic.Uint64
	_      [64]byte // apart from the next stripe's cache line
}

// requestBounds are from a check answered from memory to a login that waits
// for others.
var requestBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

func newRequests(routes []string) *requests {
	q := &requests{
		routes:  append([]string{other}, routes...),
		index:   make(map[string]int, len(routes)),
		cells:   make([]atomic.Pointer[[]requestStripe], (len(routes)+1)*len(methods)),
		stripes: min(runtime.GOMAXPROCS(0), maxStripes),
	}
	for i, route := range routes {
		q.index[route] = i + 1
	}
	// A pool keeps what is put back near the core that did so.
	q.hints.New = func() any {
		stripe := int(q.handed.Add(1)) % q.stripes
		return &stripe
	}
	return q
}

// Request counts a request at its end. A status of 0 means that it was broken
// off without an answer.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	q := m.requests
	cell := &q.cells[q.index[route]*len(methods)+methodIndex(method)]
	stripes := cell.Load()
	if stripes == nil {
		fresh := make([]requestStripe, q.stripes)
		cell.CompareAndSwap(nil, &fresh)
		stripes = cell.Load()
	}
	hint := q.hints.Get().(*int)
	(*stripes)[*hint].count(indexOfStatus(status), took)
	q.hints.Put(hint)
}

func (s *requestStripe) count(status int, took time.Duration) {
	bucket := 0
	for bucket < len(requestBounds) && took > requestBounds[bucket] {
		bucket++
	}
	s.byStatus[status].Add(1)
	s.byTime[bucket].Add(1)
	s.nanos.Add(uint64(max(took, 0)))
}

var (
	requestsTotal = describe("postern_http_requests_total", "Requests answered.", "route", "method", "status")
	requestTime   = describe("postern_http_request_duration_seconds", "Time from the request's header to the end of its answer.", "route", "method")
)

// Describe implements prometheus.Collector.
func (q *requests) Describe(to chan<- *prometheus.Desc) {
	to <- requestsTotal
	to <- requestTime
}

// Collect implements prometheus.Collector.
func (q *requests) Collect(to chan<- prometheus.Metric) {
	for i := range q.cells {
		if stripes := q.cells[i].Load(); stripes != nil {
			collectRequests(to, *stripes, q.routes[i/len(methods)], methods[i%len(methods)])
		}
	}
}

func collectRequests(to chan<- prometheus.Metric, stripes []requestStripe, route, method string) {
	for status, text := range statuses {
		var n uint64
		for i := range stripes {
			n += stripes[i].byStatus[status].Load()
		}
		if n > 0 {
			to <- counter(requestsTotal, n, route, method, text)
		}
	}
	var count, nanos uint64
	buckets := make(map[float64]uint64, len(requestBounds))
	for bucket := range len(requestBounds) + 1 {
		for i := range stripes {
			count += stripes[i].byTime[bucket].Load()
		}
		if bucket < len(requestBounds) {
			buckets[requestBounds[bucket].Seconds()] = count
		}
	}
	for i := range stripes {
		nanos += stripes[i].nanos.Load()
	}
	to <- prometheus.MustNewConstHistogram(requestTime, count, time.Duration(nanos).Seconds(), buckets, route, method)
}
