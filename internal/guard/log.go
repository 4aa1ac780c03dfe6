package guard

import (
	"log/slog"
	"net/http"
	"unicode/utf8"
)

// logRequest writes the line of a request: what was asked and what came of
// it, never a header, a cookie, a query or a body.
func (g *Guard) logRequest(x *Exchange) {
	level := slog.LevelInfo
	switch {
	case x.probe:
		level = slog.LevelDebug
	case x.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case x.Quiet && x.status < http.StatusBadRequest:
		level = slog.LevelDebug
	}
	ctx := x.Request.Context()
	if !g.set.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.ID()),
		slog.String("method", clip(x.Request.Method, 16)),
		slog.String("path", clip(x.Request.URL.Path, 128)),
		slog.Int("status", x.status),
		slog.Duration("duration", g.set.Now().Sub(x.started)),
		slog.Int64("bytes", x.written),
	}
	if x.Address.IsValid() {
		attrs = append(attrs, slog.String("address", x.Address.String()))
	}
	if x.UserID != 0 {
		attrs = append(attrs, slog.Int64("user_id", x.UserID))
	}
	g.set.Log.LogAttrs(ctx, level, "request", attrs...)
}

// clip shortens what a client sent to at most n bytes of whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
