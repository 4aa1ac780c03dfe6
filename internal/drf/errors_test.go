package drf

import (
	"testing"
	"time"
)

func TestErrorsAreInTheModelsWords(t *testing.T) {
	tests := []struct {
		name   string
		err    *Error
		status int
		body   string
	}{
		{"not authenticated", NotAuthenticated, 403, `{"detail":"Authentication credentials were not provided."}`},
		{"not found", NotFound, 404, `{"detail":"Not found."}`},
		{"not acceptable", NotAcceptable, 406, `{"detail":"Could not satisfy the request Accept header."}`},
		{"not allowed", NotAllowed("PUT"), 405, `{"detail":"Method \"PUT\" not allowed."}`},
		{"unsupported, with a header read as Latin-1", UnsupportedMediaType(`a/b; c="é"`), 415, `{"detail":"Unsupported media type \"a/b; c=\"Ã©\"\" in request."}`},
		{"does not parse", ParseError("JSON", "why"), 400, `{"detail":"JSON parse error - why"}`},
		{"CSRF", CSRFFailed("CSRF token missing."), 403, `{"detail":"CSRF Failed: CSRF token missing."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Render(tt.err.Object(), 0)); got != tt.body || tt.err.Status != tt.status {
				t.Errorf("%d %s", tt.err.Status, got)
			}
		})
	}
}

func TestThrottledTellsWholeSeconds(t *testing.T) {
	tests := []struct {
		wait   time.Duration
		detail string
		header int
	}{
		{0, "Request was throttled. Expected available in 0 seconds.", 0},
		{time.Nanosecond, "Request was throttled. Expected available in 1 second.", 1},
		{time.Second, "Request was throttled. Expected available in 1 second.", 1},
		{1001 * time.Millisecond, "Request was throttled. Expected available in 2 seconds.", 2},
		{time.Hour, "Request was throttled. Expected available in 3600 seconds.", 3600},
	}
	for _, tt := range tests {
		got := Throttled(tt.wait)
		if got.Status != 429 || got.Detail != tt.detail || got.RetryAfter != tt.header {
			t.Errorf("%v: %+v", tt.wait, *got)
		}
	}
}
