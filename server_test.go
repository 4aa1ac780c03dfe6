package postern_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

const testSecret = "a secret for tests only, of more than fifty characters"

// testConfig is the configuration under which the exchanges were recorded.
// Hashing is cheap: what it costs is tested in its own room.
func testConfig(t *testing.T) postern.Config {
	t.Helper()
	return postern.Config{
		Database:       "sqlite:" + filepath.Join(t.TempDir(), "postern.sqlite3"),
		SecretKey:      testSecret,
		AllowedHosts:   []string{"127.0.0.1", "localhost", "[::1]"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		CORS:           postern.CORS{AllowedOrigins: []string{"http://localhost:3000"}},
		CSRF:           postern.CSRF{TrustedOrigins: []string{"http://localhost:3000"}},
		Passwords:      postern.Passwords{Argon2MemoryKiB: 64, Argon2Time: 1},
		Throttle:       postern.Throttle{Off: true},
	}
}

// openServer opens a server that the test closes.
func openServer(t *testing.T, c postern.Config) *postern.Server {
	t.Helper()
	srv, err := postern.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return srv
}

// listen serves on a free loopback port and returns the base URL. The server
// is stopped, gracefully, when the test ends.
func listen(t *testing.T, srv *postern.Server) (base string) {
	t.Helper()
	addrs, _ := listenAs(t, srv, postern.Listen{})
	return addrs[0]
}

// listenAs serves on a free loopback port, otherwise as l says, and returns
// the base URLs and what begins the stop, at the latest at the test's end.
func listenAs(t *testing.T, srv *postern.Server, l postern.Listen) (bases []string, stop func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	addrs := make(chan []net.Addr, 1)
	l.Addr, l.Ready = "127.0.0.1:0", func(a []net.Addr) { addrs <- a }
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the server did not stop within a minute")
		}
	})
	select {
	case a := <-addrs:
		for _, addr := range a {
			bases = append(bases, "http://"+addr.String())
		}
	case err := <-done:
		t.Fatalf("serve: %v", err)
	}
	return bases, stop
}

// startServer opens a server and listens.
func startServer(t *testing.T, c postern.Config) (*postern.Server, string) {
	t.Helper()
	srv := openServer(t, c)
	return srv, listen(t, srv)
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
