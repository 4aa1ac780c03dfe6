package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// talk is a connection to a node, on which one request follows another.
type talk struct {
	conn net.Conn
	in   *bufio.Reader
}

func talkTo(s *server) (*talk, error) {
	conn, err := net.DialTimeout("tcp", s.address.String(), patience)
	if err != nil {
		return nil, fmt.Errorf("connect to a node: %w", err)
	}
	return &talk{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (t *talk) close() { t.conn.Close() }

// ask returns the answer, with its body read.
func (t *talk) ask(request []byte) (*http.Response, []byte, error) {
	if err := t.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, nil, err
	}
	if _, err := t.conn.Write(request); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(t.in, nil)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// must is ask for an answer that has to be 200.
func (t *talk) must(what string, request []byte) (*http.Response, error) {
	response, body, err := t.ask(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s", what, response.Status, body)
	}
	return response, nil
}

// pair is two nodes that share a store: what is ended at one has to be over at
// the other.
type pair struct {
	ends, remembers *talk
	login           script
	nodes           []*server
}

// newPair starts the nodes, the second with another environment if it is to
// hear the news over a link.
func (l *lab) newPair(first, second home, environment ...string) (*pair, error) {
	p := new(pair)
	for _, start := range []func() (*server, error){
		func() (*server, error) { return l.start(first) },
		func() (*server, error) { return l.start(second, append(environment, "POSTERN_METRICS=true")...) },
	} {
		s, err := start()
		if err != nil {
			p.close()
			return nil, err
		}
		p.nodes = append(p.nodes, s)
	}
	var err1, err2 error
	p.ends, err1 = talkTo(p.nodes[0])
	p.remembers, err2 = talkTo(p.nodes[1])
	if err := errors.Join(err1, err2); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pair) close() {
	for _, t := range []*talk{p.ends, p.remembers} {
		if t != nil {
			t.close()
		}
	}
	for _, s := range p.nodes {
		s.stop()
	}
}

// hears waits until the second node hears news.
func (p *pair) hears(ctx context.Context) error {
	request := []byte("GET /-/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		_, body, err := p.remembers.ask(request)
		if err != nil {
			return fmt.Errorf("ask a node for its metrics: %w", err)
		}
		if bytes.Contains(body, []byte("\npostern_recall_hearing 1\n")) {
			return nil
		}
		if time.Since(begin) > startPatience || ctx.Err() != nil {
			return errors.Join(errors.New("a node hears no news"), ctx.Err())
		}
	}
}

// cutOff revokes over a link that is cut. A processor that is busy may need so
// long for it that the second node has noticed before the end: then it is
// done again.
func (p *pair) cutOff(ctx context.Context, k *link) (time.Duration, error) {
	const tries = 5
	for range tries {
		if err := p.hears(ctx); err != nil {
			return 0, err
		}
		late, yes, err := p.revoke(func() { k.setCut(true) })
		k.setCut(false)
		if err != nil || yes > 0 {
			return late, err
		}
	}
	return 0, errors.New("the node that was cut off did not go by its memory")
}

// revoke logs a user in at the first node, has the second one remember the
// session, and logs out at the first; before is called ahead of the logout. It
// returns the time from the acknowledgement of the logout to the first no of
// the second node, and how often that said yes in it.
func (p *pair) revoke(before func()) (late time.Duration, yes int, err error) {
	in, err := p.ends.must("log in", p.login(nil))
	if err != nil {
		return 0, 0, err
	}
	cookies := map[string]string{}
	for _, cookie := range in.Cookies() {
		cookies[cookie.Name] = cookie.Value
	}
	head := "Host: 127.0.0.1\r\nCookie: csrftoken=" + cookies["csrftoken"] + "; sessionid=" + cookies["sessionid"] + "\r\n"
	check := []byte("GET /api/user/ HTTP/1.1\r\n" + head + "\r\n")
	logout := []byte("POST /api/logout/ HTTP/1.1\r\n" + head + "X-CSRFToken: " + cookies["csrftoken"] + "\r\nContent-Length: 0\r\n\r\n")
	for range 2 {
		if _, err := p.remembers.must("check", check); err != nil {
			return 0, 0, err
		}
	}
	before()
	if _, err := p.ends.must("log out", logout); err != nil {
		return 0, 0, err
	}
	acknowledged := time.Now()
	for {
		response, _, err := p.remembers.ask(check)
		if err != nil {
			return 0, 0, fmt.Errorf("check what has ended: %w", err)
		}
		late = time.Since(acknowledged)
		switch {
		case response.StatusCode == http.StatusOK && late < patience:
			yes++
		case response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusUnauthorized:
			return late, yes, nil
		default:
			return 0, 0, fmt.Errorf("a check %v after the logout: %s", late, response.Status)
		}
	}
}

func (l *lab) revokePostgres(ctx context.Context) ([][]round, error) {
	return l.revoke(ctx, func(e *engines) postgresDatabase { return e.inPostgres })
}

func (l *lab) revokeRedis(ctx context.Context) ([][]round, error) {
	return l.revoke(ctx, func(e *engines) postgresDatabase { return e.inRedis })
}

func (l *lab) revoke(ctx context.Context, pick func(*engines) postgresDatabase) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	h := pick(e)
	p, err := l.newPair(h, h)
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.login = logins(h.users)
	if err := p.hears(ctx); err != nil {
		return nil, err
	}
	var medians, slowest []round
	for range l.rounds {
		t := newTally()
		for range l.revocations {
			late, _, err := p.revoke(func() {})
			if err := errors.Join(err, ctx.Err()); err != nil {
				return nil, err
			}
			t.count(http.StatusOK, late)
		}
		medians = append(medians, round{measured: milliseconds(t.quantile(0.5))})
		slowest = append(slowest, round{measured: milliseconds(t.quantile(0.99))})
	}
	return [][]round{medians, slowest}, nil
}

func (l *lab) cutPostgres(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	k, err := newLink(e.postgres.address(), "LISTEN")
	if err != nil {
		return nil, err
	}
	defer k.close()
	return l.cutOff(ctx, k, e.inPostgres, e.inPostgres, "POSTERN_DATABASE_LISTEN="+e.postgres.url(e.inPostgres.name, k.port()))
}

func (l *lab) cutRedis(ctx context.Context) ([][]round, error) {
	e, err := l.behind(ctx)
	if err != nil {
		return nil, err
	}
	k, err := newLink(e.redis.address, "SUBSCRIBE")
	if err != nil {
		return nil, err
	}
	defer k.close()
	second := e.inRedis
	second.redis = e.redis.url(k.port())
	return l.cutOff(ctx, k, e.inRedis, second)
}

// cutOff measures the worst of all rounds: the bound is one for each single
// revocation.
func (l *lab) cutOff(ctx context.Context, k *link, first, second postgresDatabase, environment ...string) ([][]round, error) {
	p, err := l.newPair(first, second, environment...)
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.login = logins(first.users)
	var worst time.Duration
	for range l.cuts {
		late, err := p.cutOff(ctx, k)
		if err != nil {
			return nil, err
		}
		worst = max(worst, late)
	}
	return [][]round{{{measured: milliseconds(worst)}}}, nil
}
