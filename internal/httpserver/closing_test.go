package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// once connects, sends a request and reads its answer.
func once(network, addr string) error {
	conn, err := net.DialTimeout(network, addr, 30*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// refused is what nobody minds: nothing was sent.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}

func TestAStopRefusesOrAnswersButResetsNobody(t *testing.T) {
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"tcp":  {Addr: "127.0.0.1:0"},
		"unix": {UnixSocket: filepath.Join(dir, "s"), SocketMode: 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answered atomic.Int64
			for range 3 { // on TCP, who is not let in waits for a second
				restart(t, o, &answered)
			}
			if answered.Load() < 100 {
				t.Errorf("%d requests: the test has tested little", answered.Load())
			}
		})
	}
}

// restart serves, and stops while clients connect without a pause.
func restart(t *testing.T, o Options, answered *atomic.Int64) {
	t.Helper()
	listeners, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	network, addr := listeners[0].Addr().Network(), listeners[0].Addr().String()
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, listeners, hello, Patience{Linger: time.Second, Drain: time.Minute}, NewTroubles(slog.New(slog.DiscardHandler), nil, nil))
	}()
	enough := answered.Load() + 50
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				err := once(network, addr)
				if refused(err) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if answered.Add(1) > enough {
					stop()
				}
			}
		})
	}
	clients.Wait()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
