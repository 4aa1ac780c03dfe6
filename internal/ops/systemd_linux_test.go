package ops

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestAnUnhealthyServiceGivesNoSignOfLife: systemd hears nothing until the
// sixth look finds the service healthy.
func TestAnUnhealthyServiceGivesNoSignOfLife(t *testing.T) {
	dir, err := os.MkdirTemp("", "postern") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000")
	t.Setenv("WATCHDOG_PID", "")

	const sick = 5
	var looks atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Systemd{Log: slog.New(slog.DiscardHandler)}.Watchdog(ctx, func(context.Context) error {
			if looks.Add(1) <= sick {
				return errors.New("no database")
			}
			return nil
		})
	}()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 64)
	n, err := conn.Read(text)
	if err != nil || string(text[:n]) != "WATCHDOG=1" {
		t.Errorf("systemd is told %q, %v; want a sign of life", text[:n], err)
	}
	if looks.Load() <= sick {
		t.Errorf("a sign of life after %d looks that found the service sick", looks.Load())
	}
	stop()
	<-ended
}
