package guard

import (
	"errors"
	"io"
	"net/http"
)

// ErrBodyTooLarge says that a request body is over Settings.MaxBody.
var ErrBodyTooLarge = errors.New("request body too large")

// drainFactor is how many times the limit is read away before the refusal, so
// that an ordinary client gets to read the answer instead of a reset.
const drainFactor = 16

// Body reads the whole request body; ErrBodyTooLarge if it is over the limit,
// another error if the client broke off.
func (x *Exchange) Body() ([]byte, error) {
	limit := x.guard.set.MaxBody
	r := x.Request
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		x.refuseBody(limit)
		return nil, ErrBodyTooLarge
	}
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	body, err := readAll(io.LimitReader(r.Body, limit+1), int(size)+1)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		x.refuseBody(limit)
		return nil, ErrBodyTooLarge
	}
	return body, nil
}

// refuseBody reads some of the rest away and has the connection closed.
func (x *Exchange) refuseBody(limit int64) {
	_, _ = io.CopyN(io.Discard, x.Request.Body, drainFactor*limit)
	x.Header().Set("Connection", "close")
}

// readAll is io.ReadAll with the size known beforehand.
func readAll(r io.Reader, size int) ([]byte, error) {
	b := make([]byte, 0, size)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// IsUnsafe reports whether a method may change something (RFC 9110, 9.2.1).
func IsUnsafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}
