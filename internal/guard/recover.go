package guard

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// recovered turns a panic into a log entry and a bare 500. The panic's value
// could hold anything that a request brought, so only its type and the stack
// are logged, unless it is a runtime error. It reports whether the connection
// must be broken off: an answer that has begun can't become a 500, and must
// not look whole.
func (g *Guard) recovered(x *Exchange, cause any) (abort bool) {
	if cause == http.ErrAbortHandler {
		return true
	}
	attrs := []slog.Attr{
		slog.String("type", fmt.Sprintf("%T", cause)),
		slog.String("stack", string(debug.Stack())),
	}
	if err, ok := cause.(interface{ RuntimeError() }); ok {
		attrs = append(attrs, slog.Any("panic", err))
	}
	x.Log().LogAttrs(x.Request.Context(), slog.LevelError, "panic while answering", attrs...)
	if x.status != 0 {
		return true
	}
	x.ServerError()
	return false
}

// ServerError answers a bare 500 that says nothing else.
func (x *Exchange) ServerError() {
	x.Answer(http.StatusInternalServerError, "application/json", []byte(`{"detail":"A server error occurred."}`))
}
