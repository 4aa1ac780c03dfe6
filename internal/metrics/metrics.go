// Package metrics is what the server counts, in the form of Prometheus. Those
// who do the work report it here through plain functions, or are asked for
// their own numbers at each scrape (Sources); none of them knows Prometheus.
//
// Every label has a fixed set of values, settled in labels.go: what a client
// sends never becomes a series. docs/operations.md has the table of names.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build is what is running.
type Build struct {
	Version  string // "v1.2.3", or "unknown"
	Revision string // of the version control, "" when not known
	Go       string // "go1.26.0"
}

// Metrics counts. Safe for concurrent use.
type Metrics struct {
	registry      *prometheus.Registry
	requests      *requests
	logins        outcomes
	registrations outcomes
	hashWait      prometheus.Histogram
	database      map[string]prometheus.Observer
	commitWrites  prometheus.Histogram
	unshared      prometheus.Counter
	refusals      map[string]prometheus.Counter
	listener      map[string]prometheus.Counter
	sessionStore  map[string]prometheus.Observer // nil before WatchSessionStore
}

// maxScrapes is how many scrapes are answered at a time; one more gets 503.
const maxScrapes = 4

// Buckets, in seconds: of the gate, and from reading a row to a disk that
// stalls.
var (
	waitBuckets     = []float64{.0005, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	databaseBuckets = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
)

// New returns metrics that know these routes: requests for others are counted
// together, as "other".
func New(b Build, routes []string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), requests: newRequests(routes)}
	m.logins = newOutcomes(m.registry, "postern_logins_total", "Attempts to log in, by what came of them.", LoginOutcomes)
	m.registrations = newOutcomes(m.registry, "postern_registrations_total", "Attempts to register, by what came of them.", RegistrationOutcomes)
	m.hashWait = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "postern_gate_wait_seconds", Help: "How long admitted hashing work waited at the gate.", Buckets: waitBuckets,
	})
	m.commitWrites = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "postern_database_commit_writes", Help: "Writes that shared a commit.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 9),
	})
	m.unshared = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "postern_throttle_unshared_total", Help: "Attempts that this node counted alone, since the session store did not answer.",
	})
	m.database = newDurations(m.registry, "postern_database_duration_seconds", "Time of the database, by operation.", DatabaseOperations)
	m.refusals = newCounters(m.registry, "postern_requests_refused_total", "Requests that were refused, by reason; with cors, those whose answer a browser keeps from the page.", "reason", RefusalReasons)
	m.listener = newCounters(m.registry, "postern_listener_errors_total", "Connections that failed before a request, by reason.", "reason", ListenerReasons)
	m.registry.MustRegister(
		m.unshared, m.requests, m.hashWait, m.commitWrites, buildInfo(b),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func buildInfo(b Build) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "postern_build_info", Help: "1, with the version that runs in its labels.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": b.Go},
	})
	info.Set(1)
	return info
}

func newDurations(r prometheus.Registerer, name, help string, operations []string) map[string]prometheus.Observer {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: databaseBuckets}, []string{"operation"})
	r.MustRegister(vec)
	observers := make(map[string]prometheus.Observer)
	for _, operation := range operations {
		observers[operation] = vec.WithLabelValues(operation)
	}
	return observers
}

// WatchSessionStore adds the series of a Redis or Valkey that holds the
// sessions. Call it once, before SessionStore.
func (m *Metrics) WatchSessionStore() {
	m.sessionStore = newDurations(m.registry, "postern_session_store_duration_seconds",
		"Time of the Redis or Valkey that holds the sessions, by operation.", SessionStoreOperations)
}

// SessionStore notes an operation of the session store, one of
// SessionStoreOperations.
func (m *Metrics) SessionStore(operation string, _ int, took time.Duration) {
	if observer, known := m.sessionStore[operation]; known {
		observer.Observe(took.Seconds())
	}
}

// Refused counts a refused request, by one of RefusalReasons.
func (m *Metrics) Refused(reason string) { count(m.refusals, reason) }

// ListenerError counts a connection that failed before a request, by one of
// ListenerReasons.
func (m *Metrics) ListenerError(reason string) { count(m.listener, reason) }

func count(counters map[string]prometheus.Counter, value string) {
	if counter, known := counters[value]; known {
		counter.Inc()
	}
}

// Login counts an attempt to log in, by one of LoginOutcomes.
func (m *Metrics) Login(outcome string) { m.logins.count(outcome) }

// Registration counts an attempt to register, by one of RegistrationOutcomes.
func (m *Metrics) Registration(outcome string) { m.registrations.count(outcome) }

// Unshared counts an attempt that only this node's throttle knows of, although
// the nodes' throttles are one.
func (m *Metrics) Unshared() { m.unshared.Inc() }

// GateWait notes how long work that was admitted had waited at the gate.
func (m *Metrics) GateWait(waited time.Duration) { m.hashWait.Observe(waited.Seconds()) }

// Database notes an operation of the database, one of DatabaseOperations; in a
// commit, writes is how many shared it.
func (m *Metrics) Database(operation string, writes int, took time.Duration) {
	if observer, known := m.database[operation]; known {
		observer.Observe(took.Seconds())
	}
	if operation == commitOperation {
		m.commitWrites.Observe(float64(writes))
	}
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}
