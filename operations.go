package postern

import (
	"net/http"
	"strings"

	"github.com/postern-auth/postern/internal/ops"
)

// OperationsHandler answers those who watch over the server:
//
//   - /-/live: 200 as long as the process answers;
//   - /-/ready: 200 when the server should be sent requests, 503 and what is
//     wrong when it should not;
//   - /-/metrics: metrics for Prometheus;
//   - /debug/pprof/: profiles, for go tool pprof.
//
// [Server.Serve] mounts it on [Listen].AdminAddr. A program that mounts
// [Server.Handler] itself mounts this one where only its operators come:
// metrics tell of every user's doings together, and a profile costs time.
// The two probes may be mounted elsewhere on their own, by their paths: they
// answer whatever host is asked for. All else answers to IP addresses, to
// localhost and to [Config].AllowedHosts (but not because of "*"), and not to
// pages of other sites, so that no page in an operator's browser reads it.
func (s *Server) OperationsHandler() http.Handler {
	mux := s.probes()
	mux[routeMetrics] = s.metricsHandler()
	profiles := s.guard.Operations(ops.ProfilePath, http.HandlerFunc(ops.Profiles))
	nothing := s.guard.Operations("", http.NotFoundHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := mux[r.URL.Path]
		switch {
		case handler != nil:
		case strings.HasPrefix(r.URL.Path, ops.ProfilePath):
			handler = profiles
		default:
			handler = nothing
		}
		handler.ServeHTTP(w, r)
	})
}

func (s *Server) metricsHandler() http.Handler {
	return s.guard.Operations(routeMetrics, ops.ReadOnly(s.metrics.Handler()))
}

func (s *Server) probes() map[string]http.Handler {
	return map[string]http.Handler{
		ops.LivePath:  s.guard.Probe(ops.LivePath, http.HandlerFunc(ops.Live)),
		ops.ReadyPath: s.guard.Probe(ops.ReadyPath, s.readiness),
	}
}

// public is what the main listener answers: the API, the probes, and with
// withMetrics the metrics.
//
// While a stop is coming, each answer closes its connection. What is kept open
// until the listeners close may be closed just when a proxy sends a request
// on it; a proxy can't repeat that if it is a POST.
func (s *Server) public(withMetrics bool) http.Handler {
	api, own := s.Handler(), s.probes()
	if withMetrics {
		own[routeMetrics] = s.metricsHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.readiness.Draining() {
			w.Header().Set("Connection", "close")
		}
		if strings.HasPrefix(r.URL.Path, "/-/") {
			if handler := own[r.URL.Path]; handler != nil {
				handler.ServeHTTP(w, r)
				return
			}
		}
		api.ServeHTTP(w, r)
	})
}
