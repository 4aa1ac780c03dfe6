package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// pair is the two ends of a connection: that of the server, whose deadlines
// are lazy, and that of the client.
func pair(t *testing.T) (server *lazyConn, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := lazyListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); client.Close() })
	return conn.(*lazyConn), client
}

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// counted counts how often the timer of the deadline is set.
func counted(d *lazyDeadline) *int {
	n, set := new(int), d.set
	d.set = func(t time.Time) error { *n++; return set(t) }
	return n
}

func TestADeadlineThatMovesOnLeavesTheTimerAlone(t *testing.T) {
	server, client := pair(t)
	set := counted(&server.read)
	for range 1000 { // as net/http does for each request
		for _, d := range []time.Time{in(10 * time.Second), in(30 * time.Second), in(time.Minute), {}} {
			if err := server.SetReadDeadline(d); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if *set > 3 {
		t.Errorf("the timer was set %d times", *set)
	}
}

func TestReadingEndsAtTheDeadlineHoweverItCameAbout(t *testing.T) {
	for name, moves := range map[string][]time.Duration{
		"set once":         {50 * time.Millisecond},
		"moved earlier":    {time.Hour, 50 * time.Millisecond},
		"moved later":      {time.Millisecond, 50 * time.Millisecond},
		"there and back":   {time.Millisecond, time.Hour, 50 * time.Millisecond},
		"taken away first": {time.Millisecond, 0, 50 * time.Millisecond},
		"long over":        {time.Hour, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := pair(t)
			var last time.Time
			for _, d := range moves {
				if last = (time.Time{}); d != 0 {
					last = in(d)
				}
				if err := server.SetReadDeadline(last); err != nil {
					t.Fatal(err)
				}
			}
			_, err := server.Read(make([]byte, 1))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
			if time.Now().Before(last) {
				t.Error("reading ended before the deadline")
			}
		})
	}
}

func TestADeadlineThatIsMovedEarlierEndsAReadUnderWay(t *testing.T) {
	server, _ := pair(t)
	if err := server.SetReadDeadline(in(time.Hour)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := server.Read(make([]byte, 1))
		ended <- err
	}()
	if err := server.SetReadDeadline(time.Unix(1, 0)); err != nil { // as net/http does
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
}

func TestWritingGoesOnWhenTheTimerWasEarlyAndEndsAtTheDeadline(t *testing.T) {
	server, client := pair(t)
	if err := errors.Join(server.SetWriteDeadline(in(time.Millisecond)), server.SetWriteDeadline(in(30*time.Second))); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil { // it does not grow, then
		t.Fatal(err)
	}
	sent := strings.Repeat("0123456789", 1<<20) // more than the system takes at once
	read := make(chan string, 1)
	go func() {
		var b strings.Builder
		_, _ = io.CopyN(&b, client, int64(len(sent)))
		read <- b.String()
	}()
	if n, err := server.Write([]byte(sent)); n != len(sent) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if got := <-read; got != sent {
		t.Error("what arrived is not what was sent")
	}
	if err := server.SetWriteDeadline(in(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Write([]byte(sent)); n == len(sent) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("to a client that does not read: Write = %d, %v", n, err)
	}
}

func TestAFileIsSentWithTheDeadlineInForce(t *testing.T) {
	server, _ := pair(t)
	if err := errors.Join(server.SetWriteDeadline(in(time.Millisecond)), server.SetWriteDeadline(in(100*time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	n, err := server.ReadFrom(strings.NewReader(strings.Repeat("x", 64<<20)))
	if n == 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ReadFrom = %d, %v", n, err)
	}
}

func BenchmarkDeadlines(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for name, listener := range map[string]net.Listener{"plain": l, "lazy": lazyListener{l}} {
		b.Run(name, func(b *testing.B) {
			client, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			conn, err := listener.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			b.ReportAllocs()
			for b.Loop() {
				_ = conn.SetReadDeadline(in(ReadHeaderTimeout))
				_ = conn.SetReadDeadline(in(ReadTimeout))
				_ = conn.SetWriteDeadline(in(WriteTimeout))
				_ = conn.SetReadDeadline(in(IdleTimeout))
				_ = conn.SetReadDeadline(time.Time{})
			}
		})
	}
}
