// Package guard is what every request passes before anyone looks at it, one
// file each: proxy (who is really asking), host, security headers, CORS,
// limits, recover, log; and, for those who ask for it, CSRF and throttle.
//
// A request enters as an Exchange, which carries what was found out about it,
// and leaves through the same Exchange, so that the way back (cookies, Vary,
// the log line) needs no second bookkeeping. Nothing here knows users.
package guard

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Settings are what the guard is made of; the root package validates them.
type Settings struct {
	AllowedHosts   []string // django ALLOWED_HOSTS patterns
	TrustedProxies []netip.Prefix
	TrustUnix      bool

	CORS    CORSSettings
	CSRF    CSRFSettings
	Session CookieSettings
	Headers HeaderSettings
	// MaxBody is the largest request body, in bytes. All bodies in flight take
	// 64 times as much at most, those of one client 8 times; see bodies.
	MaxBody  int64
	Log      *slog.Logger
	Now      func() time.Time
	NewToken func() (string, error) // a CSRF secret for a client without a session

	// Observe, if set, is told of each request at its end. The route is
	// Exchange.Route; a status of 0 means that the request was broken off
	// without an answer. It must cost next to nothing.
	Observe func(route, method string, status int, took time.Duration)
	// Refused, if set, is called with one of Refusals for each request that is
	// refused.
	Refused func(reason string)
	// Explain has answers say which setting would allow what is refused: for
	// development.
	Explain bool
	// Trace, if set, is shown each request as it enters; what it returns
	// takes its place. The function that comes with it is called at the end.
	Trace func(*http.Request) (*http.Request, func(*Exchange))
}

// Guard holds the rules. Safe for concurrent use.
type Guard struct {
	set     Settings
	cors    cors
	csrf    csrf
	headers []header
	bodies  *bodies
	// bodyTimeout is the constant of that name, but in tests.
	bodyTimeout time.Duration
	pool        sync.Pool
	// refusals limits what is logged of refused requests.
	refusals refusals
	// lastHost is the host that was allowed last.
	lastHost atomic.Pointer[string]
}

// New returns a guard with these rules.
func New(s Settings) *Guard {
	g := &Guard{
		set: s, cors: newCORS(s.CORS), csrf: newCSRF(s.CSRF), headers: securityHeaders(s.Headers), refusals: newRefusals(s.Now),
		bodies: newBodies(s.MaxBody), bodyTimeout: bodyTimeout,
	}
	g.pool.New = func() any { return new(Exchange) }
	return g
}

// Handler answers a request that the guard let through.
type Handler func(x *Exchange)

// Wrap returns the guarded form of next.
func (g *Guard) Wrap(next Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := g.enter(w, r)
		defer g.leave(x)
		g.admit(x, next)
	})
}

// Middleware returns the guarded form of a handler that is not ours. The
// Exchange is what decide gets; if it returns false, it has answered itself.
func (g *Guard) Middleware(decide func(x *Exchange) (*http.Request, bool), next http.Handler) http.Handler {
	return g.Wrap(func(x *Exchange) {
		if r, ok := decide(x); ok {
			delete(x.Header(), cspName) // what these pages load is not ours to say
			next.ServeHTTP(x, r)
		}
	})
}

// Probe returns the guarded form of a handler for supervisors. They ask by
// address, over http, from inside: neither the allowed hosts nor the redirect
// to https apply, and no origin gets to read the answer. Their requests are
// logged at debug, whatever the status.
func (g *Guard) Probe(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := g.enter(w, r)
		defer g.leave(x)
		x.Route, x.probe = route, true
		g.setSecurityHeaders(x)
		next.ServeHTTP(x, x.Request)
	})
}

// Operations is Probe for what only operators may read, and not a web page
// that they visit: the host asked for must be an IP address, this machine or
// one of the allowed hosts ("*" does not count), which the name of a page that
// was pointed at this address (DNS rebinding) is not.
func (g *Guard) Operations(route string, next http.Handler) http.Handler {
	return g.Probe(route, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*Exchange)
		if !OperationsHost(r.Host, g.set.AllowedHosts) {
			x.refuseOperations()
			return
		}
		if crossSite(r.Header) {
			x.refuse(refusal{
				reason: RefusedCrossSite, message: "request to the operations address refused: sent by a page of another site",
			})
			x.Answer(http.StatusForbidden, "application/json", []byte(`{"detail":"Cross-site request refused."}`))
			return
		}
		next.ServeHTTP(w, r)
	}))
}

func (g *Guard) admit(x *Exchange, next Handler) {
	g.setSecurityHeaders(x)
	if g.cors.preflight(x) {
		return
	}
	g.cors.actual(x)
	switch {
	case x.repeated != "":
		x.refuse(refusal{
			reason: RefusedForwarded, message: "request refused: a proxy's header is there twice", name: "header", value: x.repeated,
			fix: "have the proxy set " + x.repeated + ", not add to what the client sent",
		})
		x.badRequest("")
	case !x.HostAllowed:
		r := x.refusedHost()
		x.refuse(r)
		x.badRequest(r.fix)
	case g.set.Headers.SSLRedirect && !x.Secure:
		x.redirectToHTTPS()
	default:
		if IsUnsafe(x.Request.Method) {
			joinContentTypes(x.Request.Header)
		}
		next(x)
	}
}

// Exchange is one request and its answer. It is an http.ResponseWriter; it
// goes back to a pool when the handler returns: nobody keeps it.
type Exchange struct {
	http.ResponseWriter
	Request *http.Request
	// Address is the client's, as far as the trusted proxies tell.
	Address netip.Addr
	// Secure says that the client speaks https (to us or to a trusted proxy).
	Secure bool
	// Host is the host asked for, with its port as the client sent it.
	Host        string
	HostAllowed bool
	// repeated is a header of a trusted proxy that is there twice, with two
	// values: "" for none.
	repeated string
	// UserID is set by who finds it out, for the log line.
	UserID int64
	// Quiet lowers the log line of a success from info to debug.
	Quiet bool
	// Route is the pattern that the request's path matched, "" for none; set
	// by who knows the paths, for what is counted. Never what a client sent.
	Route string

	guard   *Guard
	id      string
	status  int
	written int64
	started time.Time
	probe   bool
	traced  func(*Exchange) // nil: not traced

	bodyHeld int64 // bytes of the body that count as in flight
	bodyLeft bool  // see LeaveBody
}

// Status is that of the answer, 0 before it has begun.
func (x *Exchange) Status() int { return x.status }

func (g *Guard) enter(w http.ResponseWriter, r *http.Request) *Exchange {
	x := g.pool.Get().(*Exchange)
	*x = Exchange{ResponseWriter: w, Request: r, guard: g, started: g.set.Now()}
	if g.set.Trace != nil {
		x.Request, x.traced = g.set.Trace(r)
	}
	g.resolveProxy(x)
	return x
}

func (g *Guard) leave(x *Exchange) {
	abort := false
	if cause := recover(); cause != nil {
		abort = g.recovered(x, cause)
	}
	if x.status == 0 && !abort {
		x.status = http.StatusOK // what net/http answers for a handler that wrote nothing
	}
	x.releaseBody()
	if x.status == http.StatusTooManyRequests {
		x.refuse(x.refusedAttempt())
	}
	g.logRequest(x)
	g.observe(x)
	if !abort {
		x.discardBody()
	}
	*x = Exchange{}
	g.pool.Put(x)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

func (g *Guard) observe(x *Exchange) {
	if g.set.Observe != nil {
		g.set.Observe(x.Route, x.Request.Method, x.status, g.set.Now().Sub(x.started))
	}
	if x.traced != nil {
		x.traced(x)
	}
}

// ID names the request in logs: what a trusted proxy calls it in
// X-Request-ID, or 16 random hexadecimal digits.
func (x *Exchange) ID() string {
	if x.id == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails, see crypto/rand
		x.id = hex.EncodeToString(b[:])
	}
	return x.id
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// WriteHeader implements http.ResponseWriter.
func (x *Exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
		if status >= http.StatusInternalServerError {
			x.Header().Set("X-Request-Id", x.ID())
		}
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *Exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	return n, err
}

// Flush implements http.Flusher, for handlers behind the guard that stream.
func (x *Exchange) Flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the connection.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Log returns the logger for what happens in this request.
func (x *Exchange) Log() *slog.Logger {
	return x.guard.set.Log.With(slog.String("request_id", x.ID()))
}
