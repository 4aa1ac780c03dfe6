package httpserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
)

// net/http answers 400 by itself to a control character in a header and to a
// malformed escape in a path, before any handler is asked. Django does not: a
// visitor whose firewall or extension puts such a byte into a cookie gets in,
// and "/%" is a page that is not found. So the connections of headListener
// replace, while the head of a request is read, what net/http would refuse:
//
//   - in the value of a header, a control character becomes a space where
//     Python takes it for white space, else an underscore, which no list,
//     quoted text, URL or key of ours treats specially;
//   - in a target that begins with a slash, a control character is escaped,
//     and so is a percent sign of the path without two hexadecimal digits.
//
// A byte of a body is never changed, and what says how a request is framed and
// whom it is for neither: NUL, HTAB, CR, LF, names of headers, folded lines, and
// the headers in framingHeaders stay as they are, for net/http to judge. When
// it is not certain that the next byte read begins a request, nothing is changed
// on that connection any more. TLS connections are not touched.
type headListener struct{ net.Listener }

func (l headListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if lazy, ok := conn.(*lazyConn); ok {
		return &headConn{lazyConn: lazy, body: unknownLength}, nil
	}
	return conn, nil
}

// place is where in a request the next byte of a connection is.
type place uint8

const (
	requestStart place = iota
	requestLine        // not whole in the bytes that began it
	headers
	pastHead // body, or the next request of a client that does not wait
	lost     // unknown: nothing is changed any more
)

const unknownLength = -1

// headConn is a connection over which HTTP/1 is spoken in the clear.
type headConn struct {
	*lazyConn
	at    place
	line  headerLine
	after int64  // bytes read since the head's end
	body  int64  // Content-Length of the request that is answered
	rest  []byte // read and looked at, but too long for the reader's buffer
}

// headerLine is what is known of a line whose end was not read yet.
type headerLine struct {
	length int
	name   [len("transfer-encoding")]byte // in lower case, as far as it fits
	value  bool                           // after the colon
	keep   bool                           // the value stays as it is
}

// framingHeaders say how a request is framed and which host it is for.
var framingHeaders = []string{"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "trailer", "te"}

func (c *headConn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	n, err := c.lazyConn.Read(p)
	if c.at >= pastHead {
		c.after += int64(n)
		return n, err
	}
	return c.filter(p, n), err
}

// filter looks at the n bytes read into p and returns how many there are now.
func (c *headConn) filter(p []byte, n int) int {
	b := p[:n]
	if c.at == requestStart && n > 0 {
		c.at = requestLine
		if end := bytes.IndexByte(b, '\n') + 1; end > 0 {
			if isBlank(b[:end]) { // net/http passes over some
				c.at = lost
			} else if escaped := escapeTarget(b[:end]); escaped != nil {
				b = append(escaped, b[end:]...)
			}
		}
	}
	c.filterHead(b)
	if len(b) > n {
		copied := copy(p, b)
		c.rest = b[copied:]
		return copied
	}
	return n
}

// filterHead changes b in place up to the head's end.
func (c *headConn) filterHead(b []byte) {
	for len(b) > 0 && c.at < pastHead {
		end := bytes.IndexByte(b, '\n') + 1
		whole := end > 0
		if !whole {
			end = len(b)
		}
		line := b[:end]
		b = b[end:]
		switch {
		case c.at == requestLine:
			if whole {
				c.at = headers
			}
		case !whole || c.line.length > 0 || hasControl(line):
			c.filterLine(line)
		case isBlank(line):
			c.endHead()
		}
	}
	if c.at >= pastHead {
		c.after += int64(len(b))
	}
}

// filterLine goes on with a line of a header, byte by byte.
func (c *headConn) filterLine(line []byte) {
	l := &c.line
	for i, b := range line {
		switch {
		case b == '\n':
			if l.length == 0 || l.length == 1 && l.name[0] == '\r' {
				c.endHead()
			}
			*l = headerLine{}
			return
		case l.value:
			if !l.keep && isControl[b] {
				line[i] = harmless(b)
			}
		case b == ':':
			l.value = true
			l.keep = l.keep || l.frames()
		case l.length < len(l.name):
			l.name[l.length] = lower(b)
			l.keep = l.length == 0 && (b == ' ' || b == '\t') || l.keep // folded
		}
		l.length++
	}
}

// frames reports whether the name, whose colon comes next, is one of
// framingHeaders.
func (l *headerLine) frames() bool {
	if l.length > len(l.name) {
		return false
	}
	for _, name := range framingHeaders {
		if string(l.name[:l.length]) == name {
			return true
		}
	}
	return false
}

func (c *headConn) endHead() { c.at, c.after, c.line = pastHead, 0, headerLine{} }

// nextRequest is called when net/http has answered a request and waits for the
// next. It begins with the next byte only if all that was read is the request's:
// its head and a body of a length that was told. One byte more may have been
// read, as net/http does to find out whether the client has hung up.
func (c *headConn) nextRequest() {
	more := c.after - c.body
	if c.at == pastHead && c.body >= 0 && (more == 0 || more == 1) {
		c.at = requestStart
	} else {
		c.at = lost
	}
	c.body = unknownLength
}

// harmless is what stands for a control character in a header.
func harmless(b byte) byte {
	if b == '\v' || b == '\f' || 0x1C <= b && b <= 0x1F {
		return ' '
	}
	return '_'
}

// isControl has the control characters that may be replaced.
var isControl = func() (is [256]bool) {
	for b := range 0x20 {
		is[b] = b != 0 && b != '\t' && b != '\r' && b != '\n'
	}
	is[0x7F] = true
	return is
}()

// hasControl looks at eight bytes at once, until some of them may be one: Anderson,
// "Bit Twiddling Hacks", hasless and haszero.
func hasControl(line []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(line) >= 8; line = line[8:] {
		x := binary.LittleEndian.Uint64(line)
		del := x ^ ones*0x7F
		if ((x-ones*0x20)&^x|(del-ones)&^del)&tops != 0 {
			break
		}
	}
	for _, b := range line {
		if isControl[b] {
			return true
		}
	}
	return false
}

func isBlank(line []byte) bool {
	return len(line) == 1 || len(line) == 2 && line[0] == '\r'
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// escapeTarget returns a request line with its target escaped, at most three
// times as long, or nil if it is fine as it is.
func escapeTarget(line []byte) []byte {
	start := bytes.IndexByte(line, ' ') + 1
	if start == 0 || line[start] != '/' {
		return nil
	}
	end := start + bytes.IndexAny(line[start:], " \r\n")
	var escaped []byte
	copied, query := 0, false
	for i := start; i < end; i++ {
		b := line[i]
		query = query || b == '?'
		if isControl[b] || b == '%' && !query && !(i+2 < end && isHex(line[i+1]) && isHex(line[i+2])) {
			escaped = append(escaped, line[copied:i]...)
			escaped = append(escaped, '%', hexDigits[b>>4], hexDigits[b&15])
			copied = i + 1
		}
	}
	if escaped == nil {
		return nil
	}
	return append(escaped, line[copied:]...)
}

const hexDigits = "0123456789ABCDEF"

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

type headConnKey struct{}

// withHeadConn lets handlers of a connection find it.
func withHeadConn(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*headConn); ok {
		return context.WithValue(ctx, headConnKey{}, c)
	}
	return ctx
}

// tellLength tells the connection of each request how long its body is.
func tellLength(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(headConnKey{}).(*headConn); ok {
			c.body = r.ContentLength
		}
		next.ServeHTTP(w, r)
	})
}
