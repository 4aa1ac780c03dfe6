package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postern-auth/postern/internal/ratelog"
)

// The reasons for which a connection fails before there is a request on it.
const (
	// FailedDescriptors: the process or the system has no file descriptor left.
	FailedDescriptors = "descriptors"
	// FailedAccept: the system could not hand over a connection.
	FailedAccept = "accept"
	// FailedTLS: the client and the server did not agree on TLS.
	FailedTLS = "tls"
)

const (
	// troubleEvery is how often the same trouble is logged.
	troubleEvery = time.Minute
	// maxTroubleText is how much of net/http's message is logged, in bytes.
	maxTroubleText = 300
)

// Troubles counts and logs what goes wrong with connections. All of it can be
// caused by clients, so each kind is logged at most once a minute, and counted
// each time. Safe for concurrent use.
type Troubles struct {
	log     *slog.Logger
	failed  func(reason string)
	limiter *ratelog.Limiter
	limit   uint64       // of file descriptors; 0: not known
	open    atomic.Int64 // connections
	stuck   atomic.Bool  // no connection was accepted since a failure that was logged
}

// NewTroubles returns what logs to log and calls failed, if it is not nil,
// with one of the reasons for each failed connection. now is nil for time.Now.
func NewTroubles(log *slog.Logger, failed func(reason string), now func() time.Time) *Troubles {
	if failed == nil {
		failed = func(string) {}
	}
	return &Troubles{log: log, failed: failed, limiter: ratelog.New(troubleEvery, now), limit: DescriptorLimit()}
}

// warn logs a line unless the same was logged a short while ago.
func (t *Troubles) warn(key, message string, attrs ...slog.Attr) bool {
	ok, skipped := t.limiter.Allow(key)
	if !ok {
		return false
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("not_logged", skipped))
	}
	t.log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
	return true
}

// notAccepted counts and logs an error of Accept, and reports whether the
// listener may still work.
func (t *Troubles) notAccepted(err error) (goesOn bool) {
	for _, broken := range []error{net.ErrClosed, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		if errors.Is(err, broken) {
			return false
		}
	}
	logged := false
	switch {
	case errors.Is(err, syscall.EMFILE):
		t.failed(FailedDescriptors)
		logged = t.warn(FailedDescriptors, "out of file descriptors: new connections wait until others close",
			slog.Uint64("limit", t.limit), slog.Int64("open_connections", t.open.Load()),
			slog.String("fix", "raise the limit: LimitNOFILE= of the systemd unit, or ulimit -n"), slog.Any("error", err))
	case errors.Is(err, syscall.ENFILE):
		t.failed(FailedDescriptors)
		logged = t.warn(FailedDescriptors, "the system is out of file descriptors: new connections wait until others close",
			slog.Int64("open_connections", t.open.Load()),
			slog.String("fix", "raise fs.file-max, or find the process that holds them"), slog.Any("error", err))
	default:
		t.failed(FailedAccept)
		logged = t.warn(FailedAccept, "a connection was not accepted", slog.Any("error", err))
	}
	if logged {
		t.stuck.Store(true)
	}
	return true
}

// accepted notes that a connection could be accepted.
func (t *Troubles) accepted() {
	if t.stuck.Load() && t.stuck.Swap(false) {
		t.log.LogAttrs(context.Background(), slog.LevelInfo, "connections are accepted again")
	}
}

// opened notes a connection.
func (t *Troubles) opened(conn net.Conn) {
	t.open.Add(1)
	if t.limit > 0 {
		t.given(descriptorOf(conn))
	}
}

// given warns when a connection's file descriptor is in the last fifth of
// those that there may be: the system gives the lowest that is free.
func (t *Troubles) given(descriptor int) {
	if descriptor >= 0 && uint64(descriptor) >= t.limit-t.limit/5 {
		t.warn("low", "few file descriptors are left",
			slog.Int("used", descriptor+1), slog.Uint64("limit", t.limit), slog.Int64("open_connections", t.open.Load()),
			slog.String("fix", "raise the limit: LimitNOFILE= of the systemd unit, or ulimit -n"))
	}
}

// descriptorOf returns the file descriptor of a connection, -1 if it has none.
func descriptorOf(conn net.Conn) int {
	switch c := conn.(type) {
	case *tls.Conn:
		return descriptorOf(c.NetConn())
	case *headConn:
		return descriptorOf(c.Conn)
	case *lazyConn:
		return descriptorOf(c.Conn)
	case syscall.Conn:
		descriptor := -1
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { descriptor = int(fd) })
		}
		return descriptor
	}
	return -1
}

func (t *Troubles) closed() { t.open.Add(-1) }

// Write implements io.Writer for http.Server.ErrorLog: one message a call.
// net/http tells of TLS handshakes in no other way.
func (t *Troubles) Write(p []byte) (int, error) {
	text := strings.ToValidUTF8(strings.TrimSpace(string(p[:min(len(p), maxTroubleText)])), "")
	switch {
	case strings.Contains(text, "TLS handshake error"):
		t.failed(FailedTLS)
		t.warn(FailedTLS, "a TLS handshake failed", slog.String("error", text))
	case strings.Contains(text, "Accept error"): // notAccepted has told
	case strings.Contains(text, "panic"):
		t.log.LogAttrs(context.Background(), slog.LevelError, "panic outside of a request", slog.String("error", text))
	default:
		t.log.LogAttrs(context.Background(), slog.LevelDebug, "connection", slog.String("error", text))
	}
	return len(p), nil
}

// watchedListener tells Troubles of each Accept. An error that does not end
// the listener is temporary to http.Server, which then tries again after a
// pause: by itself it knows few of them, and ends at others, such as a lack of
// memory for a connection.
type watchedListener struct {
	net.Listener
	troubles *Troubles
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.troubles.accepted()
		return conn, nil
	}
	if l.troubles.notAccepted(err) {
		return nil, temporary{err}
	}
	return nil, err
}

// temporary is an error that http.Server.Serve tries again after.
type temporary struct{ error }

func (temporary) Temporary() bool { return true }
func (temporary) Timeout() bool   { return false }
func (e temporary) Unwrap() error { return e.error }
