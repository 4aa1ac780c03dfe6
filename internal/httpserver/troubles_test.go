package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// trialTroubles is Troubles whose log and counts a test reads.
type trialTroubles struct {
	*Troubles
	mu     sync.Mutex
	text   bytes.Buffer
	counts map[string]int
}

func newTrialTroubles() *trialTroubles {
	c := &trialTroubles{counts: map[string]int{}}
	c.Troubles = NewTroubles(slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelInfo})), func(reason string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.counts[reason]++
	}, nil)
	return c
}

// Write takes lines of the log.
func (c *trialTroubles) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *trialTroubles) seen(reason string) (count int, log string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[reason], c.text.String()
}

// run serves on listeners until the test ends.
func (c *trialTroubles) run(t *testing.T, listeners ...net.Listener) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	go func() { done <- Serve(ctx, listeners, hello, Patience{Drain: DrainTimeout}, c.Troubles) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestTroubles_FailedTLSHandshakesAreCountedAndSeldomLogged(t *testing.T) {
	cert, key, pool := selfSigned(t)
	c := newTrialTroubles()
	listeners, err := Listen(t.Context(), Options{Addr: "127.0.0.1:0", TLSCert: cert, TLSKey: key})
	if err != nil {
		t.Fatal(err)
	}
	c.run(t, listeners...)
	addr := listeners[0].Addr().String()
	attempts := 0
	for range 10 {
		for _, config := range []*tls.Config{
			{},
			{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"hunter/2"}},
		} {
			if conn, err := tls.Dial("tcp", addr, config); err == nil {
				conn.Close()
				t.Fatal("the handshake went well")
			}
			attempts++
		}
		for _, sent := range []string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x00\x01\x02\x03\x04\x05"} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, sent)
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
			attempts++
		}
	}
	await(t, "each failed handshake is counted", func() bool {
		n, _ := c.seen(FailedTLS)
		return n == attempts
	})
	if _, log := c.seen(FailedTLS); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "a TLS handshake failed") {
		t.Errorf("%d failed handshakes are logged as\n%s", attempts, log)
	}
}

// brokenListener fails with each of its errors before it accepts.
type brokenListener struct {
	net.Listener
	mu     sync.Mutex
	errors []error
}

func (l *brokenListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	if len(l.errors) > 0 {
		err := l.errors[0]
		l.errors = l.errors[1:]
		l.mu.Unlock()
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	l.mu.Unlock()
	return l.Listener.Accept()
}

// TestTroubles_AcceptGoesOnAfterErrors tries the errors that accept(2) may
// return though the listener is well: http.Server alone ends at most of them.
func TestTroubles_AcceptGoesOnAfterErrors(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newTrialTroubles()
	l := &brokenListener{Listener: inner, errors: []error{
		syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ENETDOWN, syscall.EHOSTUNREACH, syscall.EMFILE, syscall.ENFILE,
	}}
	c.run(t, l)
	client := &http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get("http://" + inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	if n, _ := c.seen(FailedAccept); n != 6 {
		t.Errorf("%d errors counted, want 6", n)
	}
	n, log := c.seen(FailedDescriptors)
	if n != 2 || strings.Count(log, "level=WARN") != 2 || strings.Count(log, "accepted again") != 1 {
		t.Errorf("%d descriptors counted, want 2; logged\n%s", n, log)
	}
	for _, want := range []string{"out of file descriptors", "limit=", "LimitNOFILE=", "ulimit -n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}

func TestTroubles_ABrokenListenerEndsTheServer(t *testing.T) {
	for _, end := range []error{syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		err = Serve(t.Context(), []net.Listener{&brokenListener{Listener: inner, errors: []error{end}}}, http.NotFoundHandler(), Patience{}, newTrialTroubles().Troubles)
		if !errors.Is(err, end) {
			t.Errorf("the server ended with %v, want %v", err, end)
		}
	}
}

func TestTroubles_WarnsBeforeDescriptorsRunOut(t *testing.T) {
	c := newTrialTroubles()
	c.limit = 100
	for descriptor := -1; descriptor < 80; descriptor++ {
		c.given(descriptor)
	}
	if _, log := c.seen(""); log != "" {
		t.Errorf("80 of 100 are logged: %s", log)
	}
	for descriptor := 80; descriptor < 100; descriptor++ {
		c.given(descriptor)
	}
	if _, log := c.seen(""); strings.Count(log, "\n") != 1 || !strings.Contains(log, "used=81 limit=100") {
		t.Errorf("81 of 100 are logged as %q", log)
	}
}

// await polls until it holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
