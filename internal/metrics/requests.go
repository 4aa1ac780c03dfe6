package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests counts requests and their time. The counter of each combination of
// labels is looked up once, at its first request, and kept: after that a
// request costs a look at two small tables and a few atomic additions.
type requests struct {
	counts    *prometheus.CounterVec
	durations *prometheus.HistogramVec
	routes    []string
	index     map[string]int                       // of a route; what is not in it is 0, "other"
	counters  []atomic.Pointer[prometheus.Counter] // by route, method and status
	observers []atomic.Pointer[prometheus.Observer]
}

func newRequests(r prometheus.Registerer, routes []string) requests {
	q := requests{
		counts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postern_http_request_duration_seconds", Help: "Time from the request's header to the end of its answer.",
			Buckets: requestBuckets,
		}, []string{"route", "method"}),
		routes: append([]string{other}, routes...),
		index:  make(map[string]int, len(routes)),
	}
	for i, route := range routes {
		q.index[route] = i + 1
	}
	q.observers = make([]atomic.Pointer[prometheus.Observer], len(q.routes)*len(methods))
	q.counters = make([]atomic.Pointer[prometheus.Counter], len(q.observers)*len(statuses))
	r.MustRegister(q.counts, q.durations)
	return q
}

// Request counts a request at its end. A status of 0 means that it was broken
// off without an answer.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	q := &m.requests
	routeAndMethod := q.index[route]*len(methods) + methodIndex(method)
	counter := q.counters[routeAndMethod*len(statuses)+indexOfStatus(status)].Load()
	observer := q.observers[routeAndMethod].Load()
	if counter == nil || observer == nil {
		counter, observer = q.first(q.index[route], methodIndex(method), indexOfStatus(status))
	}
	(*counter).Inc()
	(*observer).Observe(took.Seconds())
}

// first looks a combination of labels up, which also makes it a series.
func (q *requests) first(route, method, status int) (*prometheus.Counter, *prometheus.Observer) {
	counter := q.counts.WithLabelValues(q.routes[route], methods[method], statuses[status])
	observer := q.durations.WithLabelValues(q.routes[route], methods[method])
	routeAndMethod := route*len(methods) + method
	q.counters[routeAndMethod*len(statuses)+status].Store(&counter)
	q.observers[routeAndMethod].Store(&observer)
	return &counter, &observer
}
