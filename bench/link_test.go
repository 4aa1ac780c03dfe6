package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo is a server that sends back each line.
func echo(t *testing.T) net.Listener {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l
}

// line is a connection over a link to echo.
type line struct {
	*testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, k *link) line {
	conn, err := net.Dial("tcp4", k.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return line{t, conn, bufio.NewReader(conn)}
}

func (l line) say(text string) {
	l.Helper()
	if _, err := l.conn.Write([]byte(text + "\n")); err != nil {
		l.Fatal(err)
	}
}

func (l line) hears(text string) {
	l.Helper()
	l.say(text)
	if err := l.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		l.Fatal(err)
	}
	if got, err := l.in.ReadString('\n'); err != nil || got != text+"\n" {
		l.Errorf("%q came back, %v, want %q", got, err, text)
	}
}

// isDeaf finds nothing coming back in a moment, and the connection open.
func (l line) isDeaf() {
	l.Helper()
	l.say("lost")
	if err := l.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		l.Fatal(err)
	}
	if got, err := l.in.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		l.Errorf("%q came back, %v, want nothing and an open connection", got, err)
	}
}

func TestALinkThatIsCutDropsTheNewsAndNothingElse(t *testing.T) {
	k, err := newLink(echo(t).Addr().(*net.TCPAddr).AddrPort(), "SUBSCRIBE")
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	news, other := dial(t, k), dial(t, k)
	news.hears("subscribe to all")
	other.hears("get")

	k.setCut(true)
	news.isDeaf()
	other.hears("get again")
	late := dial(t, k)
	late.hears("hello")
	late.say("SUBSCRIBE")
	late.isDeaf()

	k.setCut(false)
	news.isDeaf() // what was lost does not come later
	anew := dial(t, k)
	anew.hears("SUBSCRIBE")
}
