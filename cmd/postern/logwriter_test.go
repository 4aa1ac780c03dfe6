package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// gatedWriter takes writes only while its gate is open.
type gatedWriter struct {
	gate   chan struct{}
	mu     sync.Mutex
	writes []string
	err    error
}

func (g *gatedWriter) Write(p []byte) (int, error) {
	<-g.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes = append(g.writes, string(p))
	return len(p), g.err
}

func lostLines(n int) []byte { return fmt.Appendf(nil, "lost %d\n", n) }

func TestLogWriter_DropsAndCountsWhatAStalledReaderDoesNotTake(t *testing.T) {
	out := &gatedWriter{gate: make(chan struct{})}
	w := newLogWriter(out, lostLines)
	line := []byte(strings.Repeat("x", 1023) + "\n")
	const lines = 3 * maxQueuedLog / 1024
	for range lines {
		if n, err := w.Write(line); n != len(line) || err != nil { // must not block
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	close(out.gate)
	w.close()
	all := strings.Join(out.writes, "")
	written := strings.Count(all, string(line))
	_, told, found := strings.Cut(all, "lost ")
	if !found || told != fmt.Sprintf("%d\n", lines-written) {
		t.Errorf("%d of %d lines written, and then %q", written, lines, told)
	}
	if written < maxQueuedLog/1024 || written > 2*maxQueuedLog/1024 {
		t.Errorf("%d lines were kept for the reader, want about %d", written, maxQueuedLog/1024)
	}
}

func TestLogWriter_WritesWholeLinesInOrder(t *testing.T) {
	out := &gatedWriter{gate: make(chan struct{})}
	w := newLogWriter(out, lostLines)
	var want bytes.Buffer
	for i := range 2000 {
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("y", i%3*3000))
		want.WriteString(line)
		_, _ = w.Write([]byte(line))
		if i == 100 {
			close(out.gate)
		}
		if i%50 == 0 && i > 100 { // keep below the bound
			for empty := false; !empty; {
				w.mu.Lock()
				empty = len(w.queue) == 0
				w.mu.Unlock()
				runtime.Gosched()
			}
		}
	}
	w.close()
	if got := strings.Join(out.writes, ""); got != want.String() {
		t.Errorf("%d bytes were written, want the %d that were logged", len(got), want.Len())
	}
	for _, write := range out.writes {
		if !strings.HasSuffix(write, "\n") || len(write) > maxLogWrite && strings.Count(write, "\n") > 1 {
			t.Errorf("a write of %d bytes that ends in %q", len(write), write[len(write)-1:])
		}
	}
}

func TestLogWriter_GoesOnAfterErrors(t *testing.T) {
	out := &gatedWriter{gate: make(chan struct{}), err: errors.New("no space left on device")}
	close(out.gate)
	w := newLogWriter(out, lostLines)
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "%d\n", i); err != nil {
			t.Error(err)
		}
	}
	w.close()
	if got := strings.Join(out.writes, ""); got != "0\n1\n2\n" {
		t.Errorf("tried to write %q", got)
	}
}

func TestLogWriter_CloseDoesNotWaitForAStalledReader(t *testing.T) {
	out := &gatedWriter{gate: make(chan struct{})}
	w := newLogWriter(out, lostLines)
	_, _ = w.Write([]byte("a\n"))
	w.close() // returns: the test would time out
	_, _ = w.Write([]byte("b\n"))
	close(out.gate)
	<-w.ended
	if got := strings.Join(out.writes, ""); strings.Contains(got, "b") {
		t.Errorf("%q was written after the end", got)
	}
}
