package drf

import (
	"fmt"
	"math"
	"time"
)

// Error is an answer that is not the one asked for, in the model's words. Its body is {"detail": Detail}.
type Error struct {
	Status     int    // HTTP status, 400 to 503
	Detail     string // for the client: holds nothing secret
	RetryAfter int    // seconds for the header Retry-After; 0 means no header
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Object returns the body of the answer.
func (e *Error) Object() Object { return Object{{"detail", e.Detail}} }

// The errors of rest_framework.exceptions that need no more words.
var (
	// NotAuthenticated is 403, not 401: session authentication has no challenge to put into
	// WWW-Authenticate, and DRF then turns the 401 into a 403.
	NotAuthenticated = &Error{Status: 403, Detail: "Authentication credentials were not provided."}
	NotFound         = &Error{Status: 404, Detail: "Not found."}
	NotAcceptable    = &Error{Status: 406, Detail: "Could not satisfy the request Accept header."}
)

// NotAllowed answers 405 to a method the endpoint does not have.
func NotAllowed(method string) *Error {
	return &Error{Status: 405, Detail: fmt.Sprintf("Method \"%s\" not allowed.", method)}
}

// UnsupportedMediaType answers 415 to a body of a Content-Type that no parser takes. The text is shown as
// sent; bytes beyond ASCII are read as ISO 8859-1, as the model reads headers.
func UnsupportedMediaType(contentType string) *Error {
	return &Error{Status: 415, Detail: fmt.Sprintf("Unsupported media type \"%s\" in request.", latin1(contentType))}
}

// ParseError answers 400 to a body that is not what its Content-Type says. The parser is "JSON" or
// "Multipart form"; why is our own text, the model's being Python's.
func ParseError(parser, why string) *Error {
	return &Error{Status: 400, Detail: parser + " parse error - " + why}
}

// CSRFFailed answers 403 to a request with a session whose CSRF check failed for the reason given.
func CSRFFailed(reason string) *Error {
	return &Error{Status: 403, Detail: "CSRF Failed: " + reason}
}

// Throttled answers 429 to a client that has to wait, which is told in whole seconds, rounded up.
func Throttled(wait time.Duration) *Error {
	seconds, unit := int(math.Ceil(wait.Seconds())), "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return &Error{
		Status:     429,
		Detail:     fmt.Sprintf("Request was throttled. Expected available in %d %s.", seconds, unit),
		RetryAfter: seconds,
	}
}

// tooMany answers 400 to a form with more than max of something. The model answers with a page of
// Django's here, without a detail.
func tooMany(what string, max int) *Error {
	return &Error{Status: 400, Detail: fmt.Sprintf("The form has more than %d %s.", max, what)}
}
