package guard

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPanicAmidAnAnswerBreaksItOff(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(func(s *Settings) { s.AllowedHosts, s.Log = []string{"*"}, slog.New(slog.NewTextHandler(&log, nil)) })
	server := httptest.NewServer(g.Wrap(func(x *Exchange) {
		_, _ = io.WriteString(x, "half of ")
		x.Flush()
		panic("the rest")
	}))
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the client takes %q for a whole answer", text)
	}
	server.Close() // waits for the handler, which writes the log
	for _, want := range []string{"panic while answering", "msg=request"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
}
