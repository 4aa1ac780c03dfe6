package httpserver

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// net/http moves a connection's deadlines five times for a request, each time
// a timer of the runtime. lazyListener's connections remember a deadline that
// is moved to later and leave the timer alone: when it fires too early, it is
// set anew. So a busy connection sets a timer every few seconds.
type lazyListener struct{ net.Listener }

func (l lazyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &lazyConn{Conn: conn}
	c.read.set, c.write.set = conn.SetReadDeadline, conn.SetWriteDeadline
	return c, nil
}

// lazyConn is a connection with lazy deadlines.
type lazyConn struct {
	net.Conn
	read, write lazyDeadline
}

func (c *lazyConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if n > 0 || !c.read.early(err) {
			return n, err
		}
	}
}

func (c *lazyConn) Write(b []byte) (int, error) {
	written := 0
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if !c.write.early(err) {
			return written, err
		}
	}
}

// ReadFrom lets the system send a file by itself.
func (c *lazyConn) ReadFrom(r io.Reader) (int64, error) {
	if err := c.write.obey(true); err != nil {
		return 0, err
	}
	defer c.write.obey(false)
	return io.Copy(c.Conn, r)
}

// CloseWrite tells the client that no more will come; net/http does so when
// it closes a connection on which the client still sends.
func (c *lazyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *lazyConn) SetReadDeadline(t time.Time) error  { return c.read.move(t) }
func (c *lazyConn) SetWriteDeadline(t time.Time) error { return c.write.move(t) }

func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.read.move(t), c.write.move(t))
}

// lazyDeadline is a deadline that may be later than the timer knows. The zero
// time is later than any.
type lazyDeadline struct {
	set func(time.Time) error

	mu     sync.Mutex
	wanted time.Time
	timer  time.Time
	strict bool // the timer follows at once
}

// move sets the deadline; the timer, only if it would fire too late.
func (d *lazyDeadline) move(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if !d.strict && !d.timer.IsZero() && (t.IsZero() || !t.Before(d.timer)) {
		return nil
	}
	return d.arm()
}

func (d *lazyDeadline) arm() error {
	if d.timer.IsZero() && d.wanted.IsZero() {
		return nil
	}
	d.timer = d.wanted
	return d.set(d.wanted)
}

// early reports whether err is that of a timer that fired before the deadline.
// Then the timer is right, and what failed may be tried again.
func (d *lazyDeadline) early(err error) bool {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return false
	}
	return d.arm() == nil
}

// obey has the timer follow the deadline at once, from now on or no longer.
func (d *lazyDeadline) obey(strict bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.strict = strict
	return d.arm()
}
