// Package httpserver is where requests arrive: listeners (TCP, unix socket,
// TLS), time-outs, limits of headers, and the graceful stop. What a request
// means is none of its business.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Limits of one connection. They are generous to slow phones and end a
// client that sends or reads a byte a second.
const (
	ReadHeaderTimeout = 10 * time.Second
	ReadTimeout       = 30 * time.Second
	WriteTimeout      = 60 * time.Second
	IdleTimeout       = 120 * time.Second
	MaxHeaderBytes    = 16 << 10
	// Windows of HTTP/2, in bytes: what a client may send of its bodies before
	// a handler reads them. A form fits many times over.
	streamWindow     = 64 << 10
	connectionWindow = 256 << 10
	// headerSlop is what net/http adds to MaxHeaderBytes on its own.
	headerSlop = 4 << 10
	// DrainTimeout is how long a stop waits for requests under way.
	DrainTimeout = 30 * time.Second
)

// Options is where and how to listen.
type Options struct {
	// Passed are listeners that are open already; TLS applies to them too.
	Passed     []net.Listener
	Addr       string      // "host:port"; "" when UnixSocket is set
	UnixSocket string      // path of a socket file, "" for none
	SocketMode fs.FileMode // of the socket file
	TLSCert    string      // PEM files; both or neither
	TLSKey     string
	Log        *slog.Logger
}

// Listen opens the listeners. An error says which address or file is wrong.
func Listen(ctx context.Context, o Options) (_ []net.Listener, err error) {
	listeners := slices.Clone(o.Passed)
	defer func() {
		if err != nil {
			closeAll(listeners)
		}
	}()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // a listener of it can't be sealed: see closing.go
	if o.Addr != "" {
		l, err := config.Listen(ctx, "tcp", o.Addr)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", o.Addr, err)
		}
		listeners = append(listeners, l)
	}
	if o.UnixSocket != "" {
		l, err := listenUnix(ctx, &config, o.UnixSocket, o.SocketMode)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	var secure *tls.Config
	if o.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("load the TLS certificate %s with the key %s: %w", o.TLSCert, o.TLSKey, err)
		}
		secure = &tls.Config{
			Certificates: []tls.Certificate{cert},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"h2", "http/1.1"},
		}
	}
	for i, raw := range listeners {
		var l net.Listener = lazyListener{raw}
		if secure != nil && raw.Addr().Network() == "tcp" {
			l = tls.NewListener(l, secure)
		} else {
			l = headListener{l}
		}
		if i >= len(o.Passed) {
			l = ownListener{l, raw}
		}
		listeners[i] = l
	}
	return listeners, nil
}

// listenUnix takes over a socket file that a crashed server left behind, but
// not one that somebody listens on and no file that is not a socket.
func listenUnix(ctx context.Context, config *net.ListenConfig, path string, mode fs.FileMode) (net.Listener, error) {
	if info, err := os.Stat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("listen on unix socket %s: the file exists and is not a socket; choose another path", path)
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("listen on unix socket %s: another server listens on it", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen on unix socket %s: %w", path, err)
		}
	}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on unix socket %s: %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on unix socket %s: %w", path, err)
	}
	return l, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// Patience is how a stop treats the connections there are.
type Patience struct {
	// Linger is for how long connections are still answered after the
	// listeners have closed, at most: who has just connected, or sends on a
	// connection that was idle, is not left without an answer. The handler has
	// clients leave, by "Connection: close". 0 closes everything at once.
	Linger time.Duration
	// Drain is how long requests under way may take after that.
	Drain time.Duration
}

// Serve answers on the listeners until ctx ends; then it closes them, lets
// requests under way finish, and returns. nil means that every request taken
// was answered.
func Serve(ctx context.Context, listeners []net.Listener, handler http.Handler, p Patience, t *Troubles) error {
	server := &http.Server{
		Handler:           tellLength(handler),
		ConnContext:       withHeadConn,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes - headerSlop,
		HTTP2:             &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connectionWindow},
		ErrorLog:          log.New(t, "", 0),
		// The handler answers "OPTIONS *" as it answers all else.
		DisableGeneralOptionsHandler: true,
		ConnState: func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateIdle:
				if c, ok := conn.(*headConn); ok {
					c.nextRequest()
				}
			case http.StateNew:
				t.opened(conn)
			case http.StateClosed, http.StateHijacked:
				t.closed()
			}
		},
	}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(watchedListener{l, t}) }()
	}
	var failure error
	select {
	case err := <-failed:
		failure = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		settle(listeners, p.Linger)
		closeAll(listeners)
		for range listeners {
			<-failed
		}
		linger(&t.open, p.Linger)
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Drain)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		server.Close()
		return errors.Join(failure, fmt.Errorf("stop: requests were still under way after %s: %w", p.Drain, err))
	}
	return failure
}

// linger waits until no connection is open, for so long at most.
// http.Server.Shutdown waits for requests it has begun to answer only: one
// whose header it reads after its begin is dropped without a word.
func linger(open *atomic.Int64, most time.Duration) {
	for end := time.Now().Add(most); open.Load() > 0 && time.Now().Before(end); {
		time.Sleep(min(time.Until(end), 5*time.Millisecond))
	}
}
