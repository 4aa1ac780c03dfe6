package main

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// maxQueuedLog bounds the log lines that wait for a slow reader, in bytes.
	maxQueuedLog = 1 << 20
	// maxLogWrite is PIPE_BUF on Linux: a write of no more than that is not
	// mixed with the lines of other processes that write to the same pipe.
	maxLogWrite = 4096
	// logFlushTimeout is how long the end of the program waits for the reader.
	logFlushTimeout = time.Second
)

// logWriter writes log lines in the background, so that no request waits for
// whoever reads the log: not for a pipe that is full, nor for a terminal that
// is held. Lines beyond maxQueuedLog are dropped, and their number is logged
// when there is room again. Lines that can't be written, because the reader is
// gone or the disk is full, are dropped, too. Safe for concurrent use.
type logWriter struct {
	out   io.Writer
	lost  func(lines int) []byte // the line that says so
	ended chan struct{}

	mu      sync.Mutex
	wake    sync.Cond
	queue   []byte // whole lines
	dropped int    // since the queue was full
	closed  bool
}

// newLogWriter starts writing to out. lost makes the line that says how many
// lines were dropped.
func newLogWriter(out io.Writer, lost func(lines int) []byte) *logWriter {
	w := &logWriter{out: out, lost: lost, ended: make(chan struct{})}
	w.wake.L = &w.mu
	go w.run()
	return w
}

// Write queues one line. It never blocks and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.queue)+len(line) > maxQueuedLog {
		w.dropped++
		return len(line), nil
	}
	w.queue = append(w.queue, line...)
	w.wake.Signal()
	return len(line), nil
}

// close writes what is queued and returns, after logFlushTimeout at the latest.
// Later lines are dropped.
func (w *logWriter) close() {
	w.mu.Lock()
	w.closed = true
	w.wake.Signal()
	w.mu.Unlock()
	select {
	case <-w.ended:
	case <-time.After(logFlushTimeout):
	}
}

func (w *logWriter) run() {
	defer close(w.ended)
	var lines []byte
	for {
		var open bool
		if lines, open = w.next(lines[:0]); !open {
			return
		}
		for rest := lines; len(rest) > 0; {
			n := wholeLines(rest)
			_, _ = w.out.Write(rest[:n]) // there is nowhere left to say so
			rest = rest[n:]
		}
		if cap(lines) > maxQueuedLog/4 {
			lines = nil
		}
	}
}

// next waits for lines and takes all that are queued into spare.
func (w *logWriter) next(spare []byte) (lines []byte, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && w.dropped == 0 && !w.closed {
		w.wake.Wait()
	}
	if len(w.queue) == 0 && w.dropped == 0 {
		return nil, false
	}
	lines, w.queue = w.queue, spare
	if w.dropped > 0 {
		lines = append(lines, w.lost(w.dropped)...)
		w.dropped = 0
	}
	return lines, true
}

// wholeLines returns how many bytes of lines to write at once: as many lines
// as fit into maxLogWrite, at least one.
func wholeLines(lines []byte) int {
	if len(lines) <= maxLogWrite {
		return len(lines)
	}
	if last := bytes.LastIndexByte(lines[:maxLogWrite], '\n'); last >= 0 {
		return last + 1
	}
	if first := bytes.IndexByte(lines, '\n'); first >= 0 {
		return first + 1
	}
	return len(lines)
}
