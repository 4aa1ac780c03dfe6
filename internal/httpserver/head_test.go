package httpserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// echo answers with what a request looks like to a handler.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %q cookie=%q agent=%q body=%q %v", r.Method, r.URL.RequestURI(), r.Header.Get("Cookie"), r.UserAgent(), body, err)
})

// ask writes parts of requests one after the other, each in a packet of its own
// as far as that can be had, and returns the status and body of each answer.
func ask(t *testing.T, address net.Addr, answers int, parts ...string) []string {
	t.Helper()
	conn, err := net.Dial(address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	var got []string
	for i, part := range parts {
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
		// An answer is due when what is left belongs to later requests.
		for left := len(parts) - i - 1; len(got) < answers && answers-len(got) > left; {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				return append(got, err.Error())
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d %s", response.StatusCode, body))
		}
	}
	return got
}

func TestHead_ControlCharactersAndEscapesReachTheHandler(t *testing.T) {
	address := serveHandler(t, Options{Addr: "127.0.0.1:0"}, echo)
	const get = "GET /api/user/ HTTP/1.1\r\nHost: x\r\n"
	answered := func(method, target, cookie, agent, body string) string {
		return fmt.Sprintf("200 %s %q cookie=%q agent=%q body=%q <nil>", method, target, cookie, agent, body)
	}
	plain := answered("GET", "/api/user/", "", "", "")
	for _, test := range []struct {
		name  string
		parts []string
		want  []string
	}{
		{"nothing to change", []string{get + "Cookie: a=b\r\n\r\n"}, []string{answered("GET", "/api/user/", "a=b", "", "")}},
		{"a cookie", []string{get + "Cookie: a=b\x01c; d=e\r\n\r\n"}, []string{answered("GET", "/api/user/", "a=b_c; d=e", "", "")}},
		{"white space of Python", []string{get + "User-Agent: a\vb\fc\x1cd\x1f\r\nCookie: \x7f\x08\x1b\r\n\r\n"}, []string{answered("GET", "/api/user/", "___", "a b c d", "")}},
		{"line feeds alone", []string{"GET / HTTP/1.1\nHost: x\nCookie: \x01\n\n"}, []string{answered("GET", "/", "_", "", "")}},
		{"colons in the value", []string{get + "Cookie: a:\x01:\x01\r\n\r\n"}, []string{answered("GET", "/api/user/", "a:_:_", "", "")}},
		{"the next request on the connection", []string{get + "Cookie: \x01\r\n\r\n", get + "Cookie: \x02\r\n\r\n", get + "\r\n"},
			[]string{answered("GET", "/api/user/", "_", "", ""), answered("GET", "/api/user/", "_", "", ""), plain}},
		{"after a body", []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n\x01: %\r\n\r\n\x02", get + "Cookie: \x02\r\n\r\n"},
			[]string{answered("POST", "/", "", "", "\x01: %\r\n\r\n\x02"), answered("GET", "/api/user/", "_", "", "")}},
		{"a path", []string{"GET /% HTTP/1.1\r\nHost: x\r\n\r\n"}, []string{answered("GET", "/%25", "", "", "")}},
		{"escapes that are none", []string{"GET /%zz/%u0041/%4/%41?%zz HTTP/1.1\r\nHost: x\r\n\r\n"}, []string{answered("GET", "/%25zz/%25u0041/%254/%41?%zz", "", "", "")}},
		{"control characters in a target", []string{"GET /\x01?\x7f HTTP/1.1\r\nHost: x\r\n\r\n"}, []string{answered("GET", "/%01?%7F", "", "", "")}},
		{"a path that outgrows the buffer", []string{"GET /" + strings.Repeat("%", 2000) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nCookie: \x01\r\n\r\n%\x01%"},
			[]string{answered("GET", "/"+strings.Repeat("%25", 2000), "_", "", "%\x01%")}},
		{"a long head", []string{get + "User-Agent: " + strings.Repeat("\x01", 6000) + "\r\nCookie: \x01\r\n\r\n"}, []string{answered("GET", "/api/user/", "_", strings.Repeat("_", 6000), "")}},

		{"NUL", []string{get + "Cookie: \x00\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"a bare CR", []string{get + "Cookie: a\rb\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"a name", []string{get + "Coo\x01kie: a\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"a length", []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\x1c\r\n\r\na"}, []string{"400 400 Bad Request"}},
		{"a coding", []string{"POST / HTTP/1.1\r\nHost: x\r\nTRANSFER-encoding: \x1cchunked\r\n\r\n0\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"a host", []string{"GET / HTTP/1.1\r\nHost: x\x1c\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"a folded line", []string{get + "Cookie: a\r\n \x01b\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"another form of target", []string{"GET http://x/% HTTP/1.1\r\nHost: x\r\n\r\n"}, []string{"400 400 Bad Request"}},
		{"requests that came together", []string{get + "\r\n" + get + "Cookie: \x01\r\n\r\n"}, []string{plain, "400 400 Bad Request"}},
		{"a body behind requests that came together", []string{get + "\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", "a: \x01\r\n\r\n\x02%"},
			[]string{plain, answered("POST", "/", "", "", "a: \x01\r\n\r\n\x02%")}},
		{"after a chunked body", []string{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\x01\r\n0\r\n\r\n", get + "\r\n", get + "Cookie: \x01\r\n\r\n"},
			[]string{answered("POST", "/", "", "", "\x01"), plain, "400 400 Bad Request"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, address, len(test.want), test.parts...)
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %.400q\nwant %.400q", got, test.want)
			}
		})
	}
}

// pieces is a connection whose reads return the pieces in order.
type pieces struct {
	net.Conn
	left [][]byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; len(p.left[0]) == 0 {
		p.left = p.left[1:]
	}
	return n, nil
}

// throughHead reads a request that arrives in pieces of so many bytes, into
// buffers of another size.
func throughHead(request []byte, piece, buffer int) ([]byte, error) {
	p := &pieces{}
	for rest := request; len(rest) > 0; {
		n := min(piece, len(rest))
		p.left = append(p.left, bytes.Clone(rest[:n]))
		rest = rest[n:]
	}
	c := &headConn{lazyConn: &lazyConn{Conn: p}}
	var read []byte
	b := make([]byte, buffer)
	for {
		n, err := c.Read(b)
		read = append(read, b[:n]...)
		switch {
		case errors.Is(err, io.EOF) && len(c.rest) == 0:
			return read, nil
		case err != nil && !errors.Is(err, io.EOF), n == 0 && err == nil:
			return read, fmt.Errorf("read %d bytes, %w", n, err)
		}
	}
}

// FuzzHead: what the body holds and what net/http reads is never changed, and
// what is changed keeps its meaning, however the request arrives.
func FuzzHead(f *testing.F) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\nCookie: a\x01b\r\n\r\n", "GET /%?%\x01 HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\nHost: x\nContent-Length: 9\n\n\x01: %\r\n\r\n\x02",
		"\r\nGET /% HTTP/1.1\r\n\r\n", "POST /%zz HTTP/1.1\r\nContent-Length: \x015\r\n \x01\r\nA:\x01\r\n\r\n\r\n\x01", "GET\x01", "", " /%", "A /\n\r\n\x01",
	} {
		for _, piece := range []uint8{1, 2, 7, 200} {
			f.Add([]byte(request), piece, piece*3)
		}
	}
	f.Fuzz(func(t *testing.T, request []byte, piece, buffer uint8) {
		got, err := throughHead(request, int(piece)+1, int(buffer)+1)
		if err != nil {
			t.Fatal(err)
		}
		sameBut(t, request, got)
		if head, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request))); err == nil && plainHeaders(head) && !bytes.Equal(request, got) {
			t.Fatalf("%q became %q", request, got)
		}
	})
}

// plainHeaders reports whether net/http's server takes the headers.
func plainHeaders(r *http.Request) bool {
	for _, values := range r.Header {
		for _, v := range values {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }) {
				return false
			}
		}
	}
	return true
}

// sameBut walks a request line by line and allows what may differ only there.
func sameBut(t *testing.T, before, after []byte) {
	t.Helper()
	fail := func() { t.Helper(); t.Fatalf("%q became %q", before, after) }
	b, a := before, after
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	escaped, others, _ := bytes.Cut(a, []byte("\n"))
	for len(line) > 0 {
		switch {
		case len(escaped) > 0 && line[0] == escaped[0] && (line[0] != '%' || len(escaped) < 3 || !bytes.HasPrefix(escaped, []byte("%25")) || bytes.HasPrefix(line, []byte("%25"))):
			line, escaped = line[1:], escaped[1:]
		case bytes.HasPrefix(escaped, fmt.Appendf(nil, "%%%02X", line[0])) && (line[0] == '%' || isControl[line[0]]):
			line, escaped = line[1:], escaped[3:]
		default:
			fail()
		}
	}
	if len(escaped) > 0 {
		fail()
	}
	for b, a = rest, others; len(b) > 0; {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		if len(bytes.TrimSuffix(line, []byte("\r"))) == 0 { // the head's end
			break
		}
		name, _, _ := bytes.Cut(line, []byte(":"))
		for i, c := range line {
			if len(a) <= i || c != a[i] && (i <= len(name) || !isControl[c] || a[i] != harmless(c) || isFraming(name)) {
				fail()
			}
		}
		if len(b) == len(line) {
			b, a = nil, a[len(line):]
			break
		}
		if len(a) <= len(line) || a[len(line)] != '\n' {
			fail()
		}
		b, a = rest, a[len(line)+1:]
	}
	if !bytes.Equal(b, a) {
		fail()
	}
}

func isFraming(name []byte) bool {
	for _, framing := range framingHeaders {
		if strings.EqualFold(framing, string(name)) {
			return true
		}
	}
	return len(name) > 0 && (name[0] == ' ' || name[0] == '\t')
}

func BenchmarkHead(b *testing.B) {
	request := []byte("GET /api/user/ HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
		"Accept: application/json\r\nAccept-Language: en-GB,en;q=0.5\r\nReferer: https://app.example.com/\r\nCookie: csrftoken=" + strings.Repeat("a", 32) + "; sessionid=" + strings.Repeat("b", 32) + "\r\n\r\n")
	c := &headConn{}
	b.ReportAllocs()
	b.SetBytes(int64(len(request)))
	for b.Loop() {
		c.at = requestStart
		c.filter(request, len(request))
	}
}
