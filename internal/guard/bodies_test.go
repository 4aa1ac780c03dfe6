package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func clientAt(n int) netip.Prefix {
	return bodyOwner(netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)}))
}

func TestBodies_ClientHoldsItsShare(t *testing.T) {
	b := newBodies(1 << 20)
	for i := range bodiesOfClient {
		if !b.reserve(clientAt(1), 1<<20, true) {
			t.Fatalf("body %d of one client is refused", i+1)
		}
	}
	if b.reserve(clientAt(1), 1, false) {
		t.Error("a client holds more than its share")
	}
	if !b.reserve(clientAt(2), 1<<20, true) {
		t.Error("another client is refused")
	}
	b.release(clientAt(1), 1<<20)
	if !b.reserve(clientAt(1), 1<<20, true) {
		t.Error("what was released is not there again")
	}
}

func TestBodies_ManyClientsLeaveRoomForForms(t *testing.T) {
	b := newBodies(1 << 20)
	for n := range 1000 {
		for _, size := range []int64{1 << 20, 1 << 16, firstRead + 1} {
			for b.reserve(clientAt(n), size, true) {
			}
		}
	}
	if free := b.bound - b.held; free < b.share {
		t.Fatalf("large bodies leave %d bytes", free)
	}
	// One client can't take what is left.
	for b.reserve(clientAt(5000), firstRead, false) {
	}
	if !b.reserve(clientAt(5001), firstRead, false) {
		t.Error("a form finds no room")
	}
	stalled := 0
	for n := range 1000 {
		for b.reserve(clientAt(6000+n), firstRead, false) {
			stalled++
		}
	}
	if all := stalled + int(b.byClient[clientAt(5000)]/firstRead); all < 2000 || b.held > b.bound {
		t.Errorf("%d small bodies take all there is, %d of %d bytes", all, b.held, b.bound)
	}
}

func TestBodies_NothingIsKeptOfClientsThatHoldNothing(t *testing.T) {
	b := newBodies(1 << 20)
	for n := range 100 {
		b.reserve(clientAt(n), 10, false)
		b.reserve(clientAt(n), 20, false)
		b.release(clientAt(n), 30)
	}
	if b.held != 0 || len(b.byClient) != 0 {
		t.Errorf("%d bytes are held by %d clients", b.held, len(b.byClient))
	}
}

func TestBodies_WhoIsOneClient(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"198.51.100.1", "198.51.100.1", true},
		{"198.51.100.1", "198.51.100.2", false},
		{"2001:db8::1", "2001:db8::ffff:0:0:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2", true},
	} {
		if same := bodyOwner(netip.MustParseAddr(test.a)) == bodyOwner(netip.MustParseAddr(test.b)); same != test.same {
			t.Errorf("%s and %s: one client %v", test.a, test.b, same)
		}
	}
	one, other := bodyOwner(netip.Addr{}), bodyOwner(netip.Addr{})
	if one != other {
		t.Error("peers of a unix socket are not one client")
	}
}

// slow gives a byte at each read.
type slow struct {
	left int
	read func()
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	s.read()
	p[0] = 'a'
	return 1, nil
}

func TestBody_BufferGrowsWithWhatArrives(t *testing.T) {
	const size = 200 << 10
	for _, length := range []int64{size, -1} {
		x := &Exchange{guard: newGuard(func(s *Settings) { s.MaxBody = size })}
		arrived := int64(0)
		body, err := x.readBody(&slow{left: size, read: func() {
			if arrived++; x.bodyHeld > max(4*arrived, firstRead) {
				t.Fatalf("%d bytes are held, %d arrived", x.bodyHeld, arrived)
			}
		}}, length, size)
		if err != nil || len(body) != size || int64(cap(body)) > x.bodyHeld+8<<10 {
			t.Errorf("length %d: %d bytes in a buffer of %d, %d counted: %v", length, len(body), cap(body), x.bodyHeld, err)
		}
	}
}

// besieged is a server that reads bodies of up to 64 KiB and answers 200 when
// one is there, 503 when there is no room.
type besieged struct {
	*httptest.Server
	t     *testing.T
	guard *Guard
}

func besiege(t *testing.T, answer Handler) *besieged {
	g := newGuard(func(s *Settings) {
		s.MaxBody, s.AllowedHosts = 64<<10, []string{"*"}
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	b := &besieged{t: t, guard: g}
	b.Server = httptest.NewServer(g.Wrap(func(x *Exchange) {
		_, err := x.Body()
		switch {
		case errors.Is(err, ErrTooManyBodies):
			x.Answer(http.StatusServiceUnavailable, "", nil)
		case errors.Is(err, ErrBodyTooLarge):
			x.Answer(http.StatusRequestEntityTooLarge, "", nil)
		case err != nil:
			x.Answer(http.StatusBadRequest, "", nil)
		default:
			answer(x)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func ok(x *Exchange) { x.Answer(http.StatusOK, "", nil) }

const stalled = 60 << 10 // of a body of 64 KiB

// send begins a request with a body of 64 KiB, of which so much arrives.
func (b *besieged) send(from string, arrives int) net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", from, 64<<10, strings.Repeat("a", arrives))
	return conn
}

func (b *besieged) status(conn net.Conn) int {
	b.t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode
}

// awaitHeld waits until the bodies in flight take so many bytes.
func (b *besieged) awaitHeld(want int64) {
	b.t.Helper()
	var held int64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b.guard.bodies.mu.Lock()
		held = b.guard.bodies.held
		b.guard.bodies.mu.Unlock()
		if held == want {
			return
		}
	}
	b.t.Fatalf("%d bytes are held, want %d", held, want)
}

func TestBody_StalledBodiesOfOneClientLeaveOthersAlone(t *testing.T) {
	b := besiege(t, ok)
	var conns []net.Conn
	for range bodiesOfClient {
		conns = append(conns, b.send("198.51.100.1", stalled))
	}
	b.awaitHeld(bodiesOfClient * 64 << 10)
	if status := b.status(b.send("198.51.100.1", 64<<10)); status != http.StatusServiceUnavailable {
		t.Errorf("one body too many: %d", status)
	}
	if status := b.status(b.send("198.51.100.2", 64<<10)); status != http.StatusOK {
		t.Errorf("another client: %d", status)
	}
	for _, conn := range conns {
		fmt.Fprint(conn, strings.Repeat("a", 64<<10-stalled))
		if status := b.status(conn); status != http.StatusOK {
			t.Errorf("a body that goes on: %d", status)
		}
	}
	b.awaitHeld(0)
}

func TestBody_StalledBodiesOfManyClientsLeaveOthersAlone(t *testing.T) {
	b := besiege(t, ok)
	for n := range 2 * bodiesHeld {
		b.send(fmt.Sprintf("198.51.100.%d", n), stalled)
	}
	request, err := http.NewRequest("POST", b.URL+"/x", strings.NewReader("username=ada"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", "203.0.113.1")
	response, err := b.Client().Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	response.Body.Close()
}

func TestBody_MemoryIsReleasedOnEveryPath(t *testing.T) {
	for _, test := range []struct {
		name    string
		answer  Handler
		arrives int
		then    func(b *besieged, conn net.Conn)
	}{
		{"answered", ok, 64 << 10, func(b *besieged, conn net.Conn) { b.status(conn) }},
		{"a panic", func(*Exchange) { panic("x") }, 64 << 10, func(b *besieged, conn net.Conn) { b.status(conn) }},
		{"an answer that is broken off", func(*Exchange) { panic(http.ErrAbortHandler) }, 64 << 10, func(*besieged, net.Conn) {}},
		{"the client is gone", ok, stalled, func(b *besieged, conn net.Conn) {
			b.awaitHeld(64 << 10)
			conn.Close()
		}},
		{"the client is gone before the answer", func(x *Exchange) { <-x.Request.Context().Done() }, 64 << 10, func(b *besieged, conn net.Conn) {
			b.awaitHeld(64 << 10)
			conn.Close()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := besiege(t, test.answer)
			test.then(b, b.send("198.51.100.1", test.arrives))
			b.awaitHeld(0)
		})
	}
}

func TestBody_TooSlow(t *testing.T) {
	b := besiege(t, ok)
	b.guard.bodyTimeout = 50 * time.Millisecond
	if status := b.status(b.send("198.51.100.1", stalled)); status != http.StatusBadRequest {
		t.Errorf("a body that stalls: %d", status)
	}
	b.awaitHeld(0)
}

func TestBody_DeadlineEndsWithTheBody(t *testing.T) {
	b := besiege(t, func(x *Exchange) {
		select {
		case <-x.Request.Context().Done():
			x.Answer(http.StatusGone, "", nil)
		case <-time.After(4 * x.guard.bodyTimeout):
			ok(x)
		}
	})
	b.guard.bodyTimeout = 500 * time.Millisecond
	if status := b.status(b.send("198.51.100.1", 64<<10)); status != http.StatusOK {
		t.Errorf("a request whose body was there in time: %d", status)
	}
}

// An answer that does not depend on the body must not wait for it.
func TestBody_RefusedWithoutBeingRead(t *testing.T) {
	g := newGuard(func(s *Settings) { s.AllowedHosts = []string{"*"} })
	server := httptest.NewServer(g.Wrap(func(x *Exchange) {
		x.LeaveBody()
		x.Answer(http.StatusTooManyRequests, "", []byte("{}"))
	}))
	defer server.Close()
	for _, head := range []string{"Content-Length: 100", "Content-Length: 1000000", "Transfer-Encoding: chunked", "Expect: 100-continue\r\nContent-Length: 100"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(bodyTimeout / 2))
		fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", head)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		if response.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: %d", head, response.StatusCode)
		}
		conn.Close()
	}
}

// The rest of a body that was left must never be taken for a request.
func TestBody_RestOfALeftBodyIsNoRequest(t *testing.T) {
	for _, timeout := range []time.Duration{time.Millisecond, bodyTimeout} {
		g := newGuard(func(s *Settings) { s.AllowedHosts = []string{"*"} })
		g.bodyTimeout = timeout
		server := httptest.NewServer(g.Wrap(func(x *Exchange) {
			x.LeaveBody()
			x.Answer(http.StatusTooManyRequests, "", []byte("{}"))
		}))
		defer server.Close()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		rest := "GET /other HTTP/1.1\r\nHost: a\r\n\r\n"
		fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(rest))
		in := bufio.NewReader(conn)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(response.Body); err != nil || !response.Close {
			t.Errorf("the connection stays open: %v", err)
		}
		if timeout < bodyTimeout {
			// The server gives up, and closes.
			if _, err := in.ReadByte(); err == nil {
				t.Error("something follows the answer")
			}
		}
		_, _ = io.WriteString(conn, rest)
		if more, _ := io.ReadAll(in); len(more) > 0 {
			t.Errorf("the rest was answered: %q", more)
		}
	}
}

// Streams of one HTTP/2 connection count as connections do.
func TestBody_StreamsOfHTTP2(t *testing.T) {
	g := newGuard(func(s *Settings) { s.MaxBody, s.AllowedHosts = 64<<10, []string{"*"} })
	server := httptest.NewUnstartedServer(g.Wrap(func(x *Exchange) {
		if _, err := x.Body(); err != nil {
			x.Answer(http.StatusServiceUnavailable, "", nil)
			return
		}
		ok(x)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	b := &besieged{Server: server, t: t, guard: g}
	statuses := make(chan int, 2*bodiesOfClient)
	send := func(body io.Reader) {
		request, err := http.NewRequest("POST", server.URL+"/x", body)
		if err != nil {
			t.Error(err)
			return
		}
		request.ContentLength = 64 << 10
		response, err := server.Client().Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		if response.ProtoMajor != 2 {
			t.Errorf("spoke %s", response.Proto)
		}
		statuses <- response.StatusCode
	}
	var rests []*io.PipeWriter
	for range bodiesOfClient {
		rest, more := io.Pipe()
		rests = append(rests, more)
		go send(io.MultiReader(strings.NewReader(strings.Repeat("a", stalled)), rest))
	}
	b.awaitHeld(bodiesOfClient * 64 << 10)
	go send(strings.NewReader(strings.Repeat("a", 64<<10)))
	if status := <-statuses; status != http.StatusServiceUnavailable {
		t.Errorf("a stream too many: %d", status)
	}
	for _, rest := range rests {
		go func() {
			_, _ = io.WriteString(rest, strings.Repeat("a", 64<<10-stalled))
			rest.Close()
		}()
	}
	for range rests {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a stream whose body goes on: %d", status)
		}
	}
	b.awaitHeld(0)
}
