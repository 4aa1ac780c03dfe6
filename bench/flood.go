package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// floodBody is the size of a body of the flood, in bytes: the largest that is
// read.
const floodBody = 1 << 20

// emptyMembers is a JSON body of that size with as many members as fit.
func emptyMembers() []byte {
	body := bytes.Repeat([]byte(`"":0,`), floodBody/5-2)
	body = append([]byte{'{'}, body...)
	return append(body, `"a":0}`...)
}

// flooded measures the checks of one client quiet and amid bodies of 1 MiB that
// anonymous clients send from as many addresses, and the memory at its worst.
func (l *lab) flooded(ctx context.Context) ([][]round, error) {
	s, err := l.start(l.small, "POSTERN_THROTTLE=off", "POSTERN_TRUSTED_PROXIES=127.0.0.1")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	script := checks(l.jar, inTurn(1))
	var latencies, peaks []round
	for range l.rounds {
		quiet, err := l.load(ctx, s, 1, script)
		if err != nil {
			return nil, fmt.Errorf("the quiet server: %w", err)
		}
		if err := s.forgetPeak(); err != nil {
			return nil, err
		}
		busy, err := l.whileFlooded(ctx, s, script)
		if err != nil {
			return nil, err
		}
		peak, err := s.peak()
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, round{milliseconds(busy.quantile(0.99)), milliseconds(quiet.quantile(0.99))})
		peaks = append(peaks, round{measured: peak / megabyte})
	}
	return [][]round{latencies, peaks}, nil
}

// whileFlooded measures checks of one client amid one burst of bodies after
// the other.
func (l *lab) whileFlooded(ctx context.Context, s *server, checks script) (tally, error) {
	flood, calm := context.WithCancel(ctx)
	defer calm()
	ended := make(chan error, 1)
	go func() {
		body := emptyMembers()
		for {
			if err := burst(s, body, l.bodies); err != nil {
				ended <- fmt.Errorf("the flood: %w", err)
				return
			}
			if flood.Err() != nil {
				ended <- nil
				return
			}
		}
	}()
	measured, err := l.load(ctx, s, 1, checks)
	calm()
	return measured, errors.Join(err, <-ended)
}

// burst sends n bodies but for their last bytes, and then those all at once.
// Bodies may be refused at any time, but not all without an answer.
func burst(s *server, body []byte, n int) error {
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	last := len(body) - 1
	for i := range n {
		conn, err := net.DialTimeout("tcp", s.address.String(), patience)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		head := fmt.Sprintf("POST /api/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 198.51.%d.%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", i>>8, i&255, len(body))
		if _, err := conn.Write([]byte(head)); err != nil {
			return err
		}
		_, _ = conn.Write(body[:last]) // it may be refused by now
	}
	for _, conn := range conns {
		_, _ = conn.Write(body[last:])
	}
	var answers sync.WaitGroup
	answered := make(chan int, n)
	for _, conn := range conns {
		answers.Go(func() {
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				answered <- response.StatusCode
			}
		})
	}
	answers.Wait()
	close(answered)
	if len(answered) == 0 {
		return errors.New("not one body had an answer")
	}
	for status := range answered {
		if status != http.StatusBadRequest && status != http.StatusServiceUnavailable {
			return fmt.Errorf("a body was answered with %d, want 400 or 503", status)
		}
	}
	return nil
}
