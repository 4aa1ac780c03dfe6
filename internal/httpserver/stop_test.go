package httpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// accepting tells of each connection that the server has taken.
type accepting struct {
	net.Listener
	taken chan struct{}
}

func (a accepting) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	if err == nil {
		a.taken <- struct{}{}
	}
	return conn, err
}

// visit sends a request on a connection and reads its answer.
func visit(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", response.StatusCode, err)
	}
}

func TestAStopAnswersThoseWhoAreConnected(t *testing.T) {
	listeners, err := Listen(t.Context(), Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr, taken := listeners[0].Addr().String(), make(chan struct{}, 1<<16)
	listeners[0] = accepting{listeners[0], taken}
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, listeners, hello, Patience{Linger: time.Minute, Drain: time.Minute}, NewTroubles(slog.New(slog.DiscardHandler), nil, nil))
	}()
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		<-taken
		return conn
	}
	fresh, idle := connect(), connect() // one that has sent nothing yet, one that was answered
	visit(t, idle)

	stop()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(patience) {
			t.Fatal("connections are still taken")
		}
	}
	visit(t, fresh)
	visit(t, idle)

	// Nobody is connected any more: the stop need not linger.
	fresh.Close()
	idle.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the stop goes on without anybody being connected")
	}
}
