package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTheAnswerIsSentAsItWas(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Tue, 24 Nov 2020 01:39:50 GMT\r\nVary: Accept, Cookie\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello"
	handler, err := newHandler([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		h := w.Header()
		if w.Code != http.StatusOK || w.Body.String() != "hello" || h.Get("Vary") != "Accept, Cookie" || len(h["X-A"]) != 2 || h.Get("Content-Length") != "5" {
			t.Errorf("%d %q %v", w.Code, w.Body, h)
		}
		if h.Get("Date") != "" {
			t.Error("the date of the recorded answer is sent again")
		}
	}
	for _, bad := range []string{"", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"} {
		if _, err := newHandler([]byte(bad)); err == nil {
			t.Errorf("%q makes a handler", bad)
		}
	}
}
