package guard

import (
	"errors"
	"io"
	"net/http"
	"time"
)

var (
	// ErrBodyTooLarge says that a request body is over Settings.MaxBody.
	ErrBodyTooLarge = errors.New("request body too large")
	// ErrTooManyBodies says that there is no memory left for a request body: its
	// client, or all clients together, send too many at once. Answer 503.
	ErrTooManyBodies = errors.New("too many request bodies at once")
)

const (
	// discardFactor is how many times Settings.MaxBody is read away after an
	// answer that does not wait for the body, so that an ordinary client gets to
	// read the answer instead of a reset.
	discardFactor = 16
	// bodyTimeout is how long a body may take to arrive. A form has arrived with
	// its headers; 1 MiB needs 100 KiB a second.
	bodyTimeout = 10 * time.Second
	// firstRead is the buffer, in bytes, that a body of more begins with.
	firstRead = 4 << 10
)

// Body reads the whole request body, which counts among the bodies in flight
// until the request is answered. Its errors are ErrBodyTooLarge,
// ErrTooManyBodies, or another one if the client broke off or was too slow.
func (x *Exchange) Body() ([]byte, error) {
	limit := x.guard.set.MaxBody
	r := x.Request
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		x.LeaveBody()
		return nil, ErrBodyTooLarge
	}
	connection := http.NewResponseController(x.ResponseWriter)
	// Both fail where the server sees to time-outs in another way.
	_ = connection.SetReadDeadline(time.Now().Add(x.guard.bodyTimeout))
	body, err := x.readBody(r.Body, r.ContentLength, limit)
	if err != nil {
		if errors.Is(err, ErrBodyTooLarge) || errors.Is(err, ErrTooManyBodies) {
			x.LeaveBody()
		}
		if errors.Is(err, ErrTooManyBodies) {
			x.refuse(x.refusedBody())
		}
		return nil, err
	}
	// The deadline would end the request, too: net/http goes on to read, to
	// notice that the client hangs up.
	_ = connection.SetReadDeadline(time.Time{})
	return body, nil
}

// readBody reads size bytes, or if that is negative all there are up to limit.
// The buffer grows with what arrives: a client has to send a quarter of what
// it makes the server hold.
func (x *Exchange) readBody(r io.Reader, size, limit int64) ([]byte, error) {
	end := size
	if size < 0 {
		end = limit + 1
	}
	var body []byte
	for {
		if len(body) == cap(body) {
			grown := min(max(4*int64(cap(body)), firstRead), end)
			if !x.holdBody(min(grown, limit)) {
				return nil, ErrTooManyBodies
			}
			body = append(make([]byte, 0, grown), body...)
		}
		n, err := r.Read(body[len(body):min(int64(cap(body)), end)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, ErrBodyTooLarge
		case errors.Is(err, io.EOF), err == nil && int64(len(body)) == size:
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}

// LeaveBody says that the answer does not depend on the body: it goes out at
// once, what still arrives of the body is read away after it, and then the
// connection is closed. On an open one, a rest that arrives later would be
// taken for the next request. In HTTP/2 the server ends the one stream.
func (x *Exchange) LeaveBody() {
	if x.Request.ContentLength == 0 || x.Request.Body == nil || x.Request.ProtoMajor != 1 {
		return
	}
	x.bodyLeft = true
	x.Header().Set("Connection", "close")
	_ = http.NewResponseController(x.ResponseWriter).EnableFullDuplex()
}

// discardBody reads the rest of the body away, for a while. A client that still
// sends when its connection closes is shown a reset, and not the answer. One
// that waits for "100 Continue" sends nothing after the answer.
func (x *Exchange) discardBody() {
	r := x.Request
	if !x.bodyLeft || r.Header.Get("Expect") != "" {
		return
	}
	connection := http.NewResponseController(x.ResponseWriter)
	if connection.Flush() != nil || connection.SetReadDeadline(time.Now().Add(x.guard.bodyTimeout)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, discardFactor*x.guard.set.MaxBody)
}

// IsUnsafe reports whether a method may change something (RFC 9110, 9.2.1).
func IsUnsafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}
