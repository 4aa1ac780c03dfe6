package storetest

import (
	"log/slog"
	"sync/atomic"
)

// Warnings counts those of a log.
type Warnings struct{ n atomic.Int32 }

// Log returns the log.
func (w *Warnings) Log() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Write implements io.Writer; slog calls it once for each.
func (w *Warnings) Write(p []byte) (int, error) {
	w.n.Add(1)
	return len(p), nil
}

// Take returns whether there was one since the last call.
func (w *Warnings) Take() bool { return w.n.Swap(0) > 0 }
