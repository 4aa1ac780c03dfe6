package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// What the label "outcome" may be. An outcome that is not on the list counts
// as "error".
var (
	LoginOutcomes        = []string{"success", "invalid", "throttled", "busy", "refused", "malformed", "abandoned", "error"}
	RegistrationOutcomes = []string{"success", "invalid", "throttled", "busy", "refused", "malformed", "abandoned", "error"}
)

// RefusalReasons is what the label "reason" of refused requests may be, and
// ListenerReasons that of connections that failed before a request.
var (
	RefusalReasons  = []string{"host", "operations_host", "origin", "referer", "csrf", "cross_site", "forwarded", "cors", "throttled", "bodies"}
	ListenerReasons = []string{"descriptors", "accept", "tls"}
)

const commitOperation = "commit"

// DatabaseOperations is what the label "operation" may be for the database,
// and SessionStoreOperations for a Redis or Valkey that holds the sessions.
var (
	DatabaseOperations     = []string{"read", "replica", "list", commitOperation}
	SessionStoreOperations = []string{"read", "list", commitOperation}
)

const (
	other = "other" // any route, method or status that is not on the lists
	none  = "none"  // the status of a request that was broken off without an answer
)

var methods = []string{
	other, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// methodIndex is the place in methods.
func methodIndex(method string) int {
	switch method {
	case http.MethodGet:
		return 1
	case http.MethodHead:
		return 2
	case http.MethodPost:
		return 3
	case http.MethodPut:
		return 4
	case http.MethodPatch:
		return 5
	case http.MethodDelete:
		return 6
	case http.MethodOptions:
		return 7
	}
	return 0
}

// maxStatuses is how many texts of a status there may be.
const maxStatuses = 64

// lastStatus is the greatest status that is told from others.
const lastStatus = 511

// statuses are the texts of the label; statusIndex tells the place of each
// status that HTTP knows.
var statuses, statusIndex = func() (texts []string, index [lastStatus + 1]uint8) {
	texts = []string{other, none}
	index[0] = 1
	for status := http.StatusOK; status <= lastStatus; status++ {
		if http.StatusText(status) != "" {
			index[status] = uint8(len(texts))
			texts = append(texts, strconv.Itoa(status))
		}
	}
	return texts, index
}()

func indexOfStatus(status int) int {
	if status < 0 || status > lastStatus {
		return 0
	}
	return int(statusIndex[status])
}

// outcomes are counters by outcome, all of them there from the start.
type outcomes map[string]prometheus.Counter

func newOutcomes(r prometheus.Registerer, name, help string, names []string) outcomes {
	return newCounters(r, name, help, "outcome", names)
}

// newCounters returns a counter for each value of a label.
func newCounters(r prometheus.Registerer, name, help, label string, values []string) map[string]prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	r.MustRegister(vec)
	counters := make(map[string]prometheus.Counter)
	for _, value := range values {
		counters[value] = vec.WithLabelValues(value)
	}
	return counters
}

func (o outcomes) count(outcome string) {
	counter, known := o[outcome]
	if !known {
		counter = o["error"]
	}
	counter.Inc()
}
