package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	// answerRoom is the longest answer that is understood, in bytes.
	answerRoom = 16 << 10
	// pollEvery is how often a loop without answers looks at the clock.
	pollEvery = 10 * time.Millisecond
)

// client is one connection with one request under way.
type client struct {
	fd     int
	sent   time.Time
	out    []byte
	in     []byte // the answer so far
	answer [answerRoom]byte
}

// drive sends the requests of l from one thread, each connection the next when
// it has the answer to the last, and counts what is answered in the time of
// the measure. One thread that waits for all connections at once takes far less
// of the processors, which the server needs, than net/http's client would.
//
// It returns when the measure is over and has an answer, when l.requests are
// answered, or, what is no error, when ctx ends. Answers of a status other than 2xx are counted,
// not an error.
func drive(ctx context.Context, l load) (tally, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return tally{}, fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(epoll)
	clients := make([]*client, l.clients)
	defer func() {
		for _, c := range clients {
			if c != nil {
				syscall.Close(c.fd)
			}
		}
	}()
	for i := range clients {
		if clients[i], err = connect(l.address); err != nil {
			return tally{}, err
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, clients[i].fd, &event); err != nil {
			return tally{}, fmt.Errorf("epoll: %w", err)
		}
	}
	return loop(ctx, l, epoll, clients)
}

func loop(ctx context.Context, l load, epoll int, clients []*client) (tally, error) {
	t := newTally()
	start := time.Now()
	for _, c := range clients {
		if err := c.ask(l.script, start); err != nil {
			return t, err
		}
	}
	from, until := start.Add(l.warm), start.Add(l.warm+l.measure)
	events := make([]syscall.EpollEvent, len(clients))
	for {
		n, err := wait(epoll, events)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return t, fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			c := clients[event.Fd]
			status, err := c.hear()
			if err != nil {
				return t, err
			}
			if status == 0 {
				continue
			}
			now := time.Now()
			if !now.Before(from) {
				t.count(status, now.Sub(c.sent))
			}
			if err := c.ask(l.script, now); err != nil {
				return t, err
			}
		}
		now := time.Now()
		t.elapsed = now.Sub(from)
		if over := l.requests == 0 && !now.Before(until) && t.requests > 0; over || l.requests > 0 && t.requests >= l.requests || ctx.Err() != nil {
			return t, nil
		}
		if n <= 0 {
			if err := overdue(clients, now); err != nil {
				return t, err
			}
		}
	}
}

// wait is syscall.EpollWait that does not tell the Go scheduler: for each wait
// that it knows of, the scheduler wakes a thread of its own thousands of times
// a second, which would take the processors from the server.
func wait(epoll int, events []syscall.EpollEvent) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(pollEvery/time.Millisecond), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func overdue(clients []*client, now time.Time) error {
	for _, c := range clients {
		if now.Sub(c.sent) > patience {
			return fmt.Errorf("no answer in %v", patience)
		}
	}
	return nil
}

func connect(address netip.AddrPort) (*client, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())}),
		syscall.SetNonblock(fd, true),
	)
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c := &client{fd: fd}
	c.in = c.answer[:0]
	return c, nil
}

// ask sends the next request. One request fits a socket's empty buffer many
// times over.
func (c *client) ask(next script, now time.Time) error {
	c.out = next(c.out[:0])
	c.in, c.sent = c.answer[:0], now
	n, err := syscall.Write(c.fd, c.out)
	if err == nil && n < len(c.out) {
		err = errors.New("the connection takes only a part")
	}
	if err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	return nil
}

// hear reads what has come, and returns the status of an answer that is
// complete; 0 for one that is not.
func (c *client) hear() (status int, err error) {
	if len(c.in) == cap(c.in) {
		return 0, fmt.Errorf("an answer of more than %d bytes", answerRoom)
	}
	n, err := syscall.Read(c.fd, c.answer[len(c.in):])
	switch {
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read an answer: %w", err)
	case n == 0:
		return 0, errors.New("read an answer: the server closed the connection")
	}
	c.in = c.answer[:len(c.in)+n]
	return parseAnswer(c.in)
}

var (
	endOfHeaders  = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// parseAnswer returns the status of an HTTP/1.1 answer, 0 while it is not all
// there. It understands answers that carry Content-Length, which those of both
// servers do.
func parseAnswer(in []byte) (status int, err error) {
	end := bytes.Index(in, endOfHeaders)
	if end < 0 {
		return 0, nil
	}
	head := in[:end+len("\r\n")]
	at := bytes.Index(head, contentLength)
	if at < 0 || len(head) < len("HTTP/1.1 200") {
		return 0, errors.New("an answer without Content-Length")
	}
	digits := head[at+len(contentLength):]
	digits = digits[:bytes.IndexByte(digits, '\r')]
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, fmt.Errorf("an answer's Content-Length: %w", err)
	}
	if len(in) < end+len(endOfHeaders)+length {
		return 0, nil
	}
	status, err = strconv.Atoi(string(head[9:12]))
	if err != nil {
		return 0, fmt.Errorf("an answer's status: %w", err)
	}
	return status, nil
}
