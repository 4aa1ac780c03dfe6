package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

func addressOf(t *testing.T, s *httptest.Server) netip.AddrPort {
	t.Helper()
	address, err := netip.ParseAddrPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestEveryAnswerIsCounted(t *testing.T) {
	answers := 0 // of one connection: one after the other
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Longer than the server's buffer, so that an answer comes in parts.
		body := make([]byte, 12<<10)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if answers++; answers%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write(body)
	}))
	defer s.Close()
	got, err := drive(t.Context(), load{address: addressOf(t, s), clients: 1, script: checks(newJar(3), inTurn(3)), requests: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got.requests != 100 || got.refused[http.StatusServiceUnavailable] != 25 || len(got.refused) != 1 {
		t.Errorf("%d answers, refused %v; want 100, 25 with 503", got.requests, got.refused)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	defer s.Close()
	if _, err := drive(ctx, load{address: addressOf(t, s), clients: 4, script: checks(newJar(1), inTurn(1)), measure: time.Hour}); err != nil {
		t.Error(err)
	}
}

func TestAConnectionThatIsClosedIsAnError(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	_, err := drive(t.Context(), load{address: addressOf(t, s), clients: 1, script: checks(newJar(1), inTurn(1)), measure: time.Hour})
	if err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerIsReadWhenItIsAllThere(t *testing.T) {
	const answer = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nVary: Cookie\r\n\r\nhello"
	for n := range len(answer) {
		if status, err := parseAnswer([]byte(answer[:n])); status != 0 || err != nil {
			t.Fatalf("%q: %d, %v", answer[:n], status, err)
		}
	}
	if status, err := parseAnswer([]byte(answer)); status != http.StatusCreated || err != nil {
		t.Errorf("%d, %v; want 201", status, err)
	}
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
		"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
		"x\r\nContent-Length: 0\r\n\r\n",
	} {
		if status, err := parseAnswer([]byte(bad)); err == nil {
			t.Errorf("%q: %d", bad, status)
		}
	}
}
