package ops

import (
	"encoding/json"
	"net/http"
)

// The paths of the probes.
const (
	LivePath  = "/-/live"
	ReadyPath = "/-/ready"
)

// Live answers 200 as long as the process can answer at all. What it depends
// on is none of its business: restarting it would not mend a database.
func Live(w http.ResponseWriter, r *http.Request) {
	if isRead(w, r) {
		answer(w, r, http.StatusOK, report{Status: "live"})
	}
}

// ServeHTTP answers 200 when the server should be sent requests (it is ready
// or degraded), and 503 when it should not, with the checks.
func (r *Readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !isRead(w, req) {
		return
	}
	status, now := http.StatusOK, r.report(req.Context())
	if now.Status != statusReady && now.Status != statusDegraded {
		status = http.StatusServiceUnavailable
	}
	answer(w, req, status, now)
}

func answer(w http.ResponseWriter, r *http.Request, status int, what report) {
	body, err := json.Marshal(what)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // a prober that hung up needs no answer
	}
}

// ReadOnly refuses methods that do more than read.
func ReadOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isRead(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// isRead refuses methods that do more than read.
func isRead(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}
