package postern

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"github.com/postern-auth/postern/internal/httpserver"
	"github.com/postern-auth/postern/internal/ops"
)

// Listen says where a server listens: on a TCP address, a unix socket, or
// both; and how it stops.
type Listen struct {
	Addr       string      // "host:port"
	UnixSocket string      // path of a socket file
	SocketMode fs.FileMode // of the socket file; default 0660
	TLSCert    string      // PEM files; both or neither
	TLSKey     string
	// AdminAddr, "host:port", is a second address, for operators only, over
	// plain HTTP: see [Server.OperationsHandler]. "" for none.
	AdminAddr string
	// Metrics answers /-/metrics on the main address, for everyone who
	// reaches it. With an AdminAddr they are answered there only.
	Metrics bool
	// Systemd takes the sockets that systemd passes, if it passes any, in
	// place of Addr and UnixSocket, and tells systemd of start, life and stop.
	Systemd bool
	// DrainDelay is how long the server goes on as before, but answers
	// /-/ready with 503, when it is to stop: the time for load balancers to
	// notice. Default 0.
	DrainDelay time.Duration
	// Ready, if set, is called with the addresses once they are open; that of
	// AdminAddr is the last.
	Ready func([]net.Addr)
}

// adminDrain is how long a stop waits for a scrape or a profile under way.
const adminDrain = time.Second

// maxLinger is how long connections are answered at most when no new ones are
// taken: enough for a proxy to notice that those are refused.
const maxLinger = time.Second

// Serve listens and answers with Handler, and with the two probes of
// [Server.OperationsHandler], until ctx ends, with time-outs on every read
// and write. Then the server is unready for good; after l.DrainDelay it takes
// no more connections, answers those there are for a moment, and lets requests
// under way finish. nil means that every request taken was answered.
func (s *Server) Serve(ctx context.Context, l Listen) error {
	main, admin, err := s.listen(ctx, l)
	if err != nil {
		return err
	}
	log := s.config.Log
	s.warnOfFewDescriptors(ctx)
	addrs := s.announce(ctx, main, "listening")
	addrs = append(addrs, s.announce(ctx, admin, "listening for operators")...)
	if l.Ready != nil {
		l.Ready(addrs)
	}
	if l.Systemd {
		s.systemd().Ready(ctx)
		watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
		defer unwatch()
		go s.systemd().Watchdog(watched, s.readiness.Healthy)
	}
	err = s.serve(ctx, l, main, admin)
	log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "stopped")
	return err
}

func (s *Server) systemd() ops.Systemd { return ops.Systemd{Log: s.config.Log} }

// fewDescriptors is a limit of file descriptors that some hundred clients with
// open connections reach.
const fewDescriptors = 1024

func (s *Server) warnOfFewDescriptors(ctx context.Context) {
	if limit := httpserver.DescriptorLimit(); limit > 0 && limit < fewDescriptors {
		s.config.Log.LogAttrs(ctx, slog.LevelWarn, "few file descriptors: each open connection holds one", slog.Uint64("limit", limit),
			slog.String("fix", "raise the hard limit: LimitNOFILE= of the systemd unit, or ulimit -Hn; the soft limit is raised to it by itself"))
	}
}

// troubles count and log what goes wrong with the connections of one server.
func (s *Server) troubles() *httpserver.Troubles {
	return httpserver.NewTroubles(s.config.Log, s.metrics.ListenerError, s.config.Now)
}

// serve answers on both kinds of listeners; that of operators ends last, so
// that a stop can be watched.
func (s *Server) serve(ctx context.Context, l Listen, main, admin []net.Listener) error {
	taking, stopTaking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	defer context.AfterFunc(ctx, func() {
		s.drain(taking, l)
		time.AfterFunc(l.DrainDelay, stopTaking)
	})()
	adminEnded := make(chan error, 1)
	go func() {
		err := s.serveAdmin(watching, admin)
		adminEnded <- err
		if err != nil {
			stopTaking()
		}
	}()
	patience := httpserver.Patience{Linger: min(l.DrainDelay, maxLinger), Drain: httpserver.DrainTimeout}
	err := httpserver.Serve(taking, main, s.public(l.Metrics && l.AdminAddr == ""), patience, s.troubles())
	stopWatching()
	return errors.Join(err, <-adminEnded)
}

// drain makes the coming stop known, to whom it may concern.
func (s *Server) drain(ctx context.Context, l Listen) {
	s.readiness.Drain()
	s.config.Log.LogAttrs(ctx, slog.LevelInfo, "stopping", slog.Duration("drain_delay", l.DrainDelay))
	if l.Systemd {
		s.systemd().Stopping(ctx)
	}
}

// serveAdmin answers operators until ctx ends. Cutting off a profile then is
// no failure.
func (s *Server) serveAdmin(ctx context.Context, admin []net.Listener) error {
	if len(admin) == 0 {
		return nil
	}
	err := httpserver.Serve(ctx, admin, s.OperationsHandler(), httpserver.Patience{Drain: adminDrain}, s.troubles())
	if ctx.Err() != nil && err != nil {
		s.config.Log.LogAttrs(ctx, slog.LevelInfo, "an operator's request was cut off", slog.Any("error", err))
		return nil
	}
	return err
}

// listen opens the main listeners and the operators'.
func (s *Server) listen(ctx context.Context, l Listen) (main, admin []net.Listener, err error) {
	o := httpserver.Options{
		Addr: l.Addr, UnixSocket: l.UnixSocket, SocketMode: l.SocketMode, TLSCert: l.TLSCert, TLSKey: l.TLSKey, Log: s.config.Log,
	}
	set(&o.SocketMode, 0o660)
	if l.Systemd {
		if o.Passed, err = httpserver.Passed(); err != nil {
			return nil, nil, err
		}
	}
	if len(o.Passed) > 0 {
		o.Addr, o.UnixSocket = "", ""
	}
	if main, err = httpserver.Listen(ctx, o); err != nil || l.AdminAddr == "" {
		return main, nil, err
	}
	admin, err = httpserver.Listen(ctx, httpserver.Options{Addr: l.AdminAddr, Log: s.config.Log})
	if err != nil {
		for _, listener := range main {
			err = errors.Join(err, listener.Close())
		}
		return nil, nil, err
	}
	return main, admin, nil
}

// announce logs the addresses of listeners and returns them.
func (s *Server) announce(ctx context.Context, listeners []net.Listener, message string) []net.Addr {
	addrs := make([]net.Addr, len(listeners))
	for i, listener := range listeners {
		addrs[i] = listener.Addr()
		s.config.Log.LogAttrs(ctx, slog.LevelInfo, message, slog.String("address", addrs[i].String()))
	}
	return addrs
}
