package postern

import (
	"context"
	"io/fs"
	"log/slog"
	"net"

	"github.com/postern-auth/postern/internal/httpserver"
)

// Listen says where a server listens: on a TCP address, a unix socket, or both.
type Listen struct {
	Addr       string      // "host:port"
	UnixSocket string      // path of a socket file
	SocketMode fs.FileMode // of the socket file; default 0660
	TLSCert    string      // PEM files; both or neither
	TLSKey     string
	// Ready, if set, is called with the addresses once they are open.
	Ready func([]net.Addr)
}

// Serve listens and answers with Handler until ctx ends, with time-outs on
// every read and write; then it lets requests under way finish. nil means
// that every request taken was answered.
func (s *Server) Serve(ctx context.Context, l Listen) error {
	set(&l.SocketMode, 0o660)
	log := s.config.Log
	listeners, err := httpserver.Listen(ctx, httpserver.Options{
		Addr: l.Addr, UnixSocket: l.UnixSocket, SocketMode: l.SocketMode, TLSCert: l.TLSCert, TLSKey: l.TLSKey, Log: log,
	})
	if err != nil {
		return err
	}
	addrs := make([]net.Addr, len(listeners))
	for i, listener := range listeners {
		addrs[i] = listener.Addr()
		log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("address", addrs[i].String()))
	}
	if l.Ready != nil {
		l.Ready(addrs)
	}
	err = httpserver.Serve(ctx, listeners, s.Handler(), log)
	log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "stopped")
	return err
}
