package postern

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/postern-auth/postern/internal/admin"
	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/metrics"
	"github.com/postern-auth/postern/internal/openapi"
	"github.com/postern-auth/postern/internal/ops"
	"github.com/postern-auth/postern/internal/redisstore"
	"github.com/postern-auth/postern/internal/tracing"
)

// The routes that are told apart in metrics and traces, beside the API's.
const (
	routePage    = "page" // behind RequireUser
	routeMetrics = "/-/metrics"
)

var routes = append(admin.Routes(),
	"/api/register/", "/api/login/", "/api/logout/", "/api/user/", "/api/protected/",
	openapi.Path, openapi.PagePath, routePage, ops.LivePath, ops.ReadyPath, routeMetrics, ops.ProfilePath,
)

// instruments are what tells the rooms' doings to an operator. Only a server
// has them.
type instruments struct {
	metrics *metrics.Metrics
	tracer  *tracing.Tracer // nil: no traces
}

func newInstruments(p trace.TracerProvider) *instruments {
	build := thisBuild()
	i := &instruments{metrics: metrics.New(build, routes)}
	if p != nil {
		i.tracer = tracing.New(p, build.Version)
	}
	return i
}

// instrument has a realm report to i, if there is one.
func (i *instruments) instrument(o *auth.Options, c *Config) {
	if i == nil {
		return
	}
	o.HashWait = i.metrics.GateWait
	if i.tracer != nil {
		homes := i.tracer.Stores(o.Users, o.Sessions, c.databaseSystem(), c.sessionSystem())
		o.Users, o.Sessions, o.Step = homes, homes, i.tracer.Step
	}
}

// usersOfSessions has a session store report to i, if there is one, and
// returns the users as that store is to ask for them.
func (i *instruments) usersOfSessions(users redisstore.Users, c *Config, o *redisstore.Options) redisstore.Users {
	if i == nil {
		return users
	}
	i.metrics.WatchSessionStore()
	o.Observe = i.metrics.SessionStore
	if i.tracer == nil {
		return users
	}
	return i.tracer.Users(users, c.databaseSystem())
}

// traceRequest is nil when there are no traces.
func (i *instruments) traceRequest() func(*http.Request) (*http.Request, func(*guard.Exchange)) {
	if i.tracer == nil {
		return nil
	}
	return func(r *http.Request) (*http.Request, func(*guard.Exchange)) {
		r, span := i.tracer.Request(r)
		return r, func(x *guard.Exchange) {
			tracing.Answered(span, x.Route, x.Request.Method, x.Status(), x.Secure)
		}
	}
}

// watch has the metrics ask d's rooms at each scrape.
func (i *instruments) watch(d *Directory) {
	s := metrics.Sources{Gate: d.admitted, Now: d.config.Now}
	if d.stores.sessions == nil {
		s.Sessions = d.stores.database.CountSessions
	}
	if d.memory != nil {
		s.Recall = d.recalled
	}
	i.metrics.Watch(s)
}

func (d *Directory) admitted() metrics.Gate {
	s := d.gate.Stats()
	return metrics.Gate{
		Workers: s.Workers, Busy: s.Busy, Waiting: s.Waiting,
		Admitted: s.Admitted, Refused: s.Refused, Expired: s.Expired, Abandoned: s.Abandoned,
	}
}

func (d *Directory) recalled() metrics.Recall {
	s := d.memory.Stats()
	return metrics.Recall{
		Hits: s.Hits, Misses: s.Misses, Evicted: s.Evicted, News: s.Heard,
		Entries: s.Entries, Capacity: s.Capacity, Hearing: d.memory.Hearing(d.config.Now()),
	}
}

// checks are what makes a server ready.
func (d *Directory) checks() []ops.Check {
	checks := []ops.Check{{Name: "database", Run: d.stores.database.Ping}}
	if d.stores.sessions != nil {
		checks = append(checks, ops.Check{Name: "session store", Run: d.stores.sessions.Ping})
	}
	if d.stores.replica != nil {
		checks = append(checks, ops.Check{Name: "replica", Run: d.stores.replica.CheckReplica, Advisory: true})
	}
	if d.memory == nil {
		return checks
	}
	return append(checks, ops.Check{Name: "recall", Run: d.awaitNews, Advisory: true})
}

// awaitNews waits until news of the database arrives: what tells it also
// writes, and needs a moment after the start.
func (d *Directory) awaitNews(ctx context.Context) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !d.memory.Hearing(d.config.Now()) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the memory of sessions hears no news of the %s: every check reads it", strings.Join(d.memory.Deaf(d.config.Now()), " and the "))
		}
	}
	return nil
}

const modulePath = "github.com/postern-auth/postern"

// thisBuild is what is known of the making of this package: in a program that
// mounts it, the version it is required at.
func thisBuild() metrics.Build {
	b := metrics.Build{Version: "unknown", Go: runtime.Version()}
	made, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, module := range append(made.Deps, &made.Main) {
		if module.Path == modulePath && module.Version != "" {
			b.Version = module.Version
		}
	}
	if made.Main.Path != modulePath {
		return b
	}
	for _, s := range made.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
