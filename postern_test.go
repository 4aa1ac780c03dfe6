package postern_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/postern-auth/postern"
)

func TestSixtyFourRegistrationsOfOneNameGiveOneUser(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	var created, refused atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		c := newClient(t, base)
		wg.Go(func() {
			status, body := c.do("POST", "/api/register/", map[string]string{
				"username": "same", "password": goodPassword, "password2": goodPassword,
			})
			switch {
			case status == http.StatusCreated:
				created.Add(1)
			case status == http.StatusBadRequest && body == `{"username":["A user with that username already exists."]}`:
				refused.Add(1)
			default:
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 || refused.Load() != 63 {
		t.Errorf("%d created, %d refused", created.Load(), refused.Load())
	}
}

func TestASessionEndsAtOnceOnARunningServer(t *testing.T) {
	config := testConfig(t)
	srv, base := startServer(t, config)
	// another process, such as the command line
	other, err := postern.OpenDirectory(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx := t.Context()
	for _, test := range []struct {
		name string
		act  func(by *postern.Directory, user string) error
	}{
		{"new password", func(by *postern.Directory, u string) error { return by.SetPassword(ctx, u, "an0ther-passw0rd") }},
		{"the same password set again", func(by *postern.Directory, u string) error { return by.SetPassword(ctx, u, goodPassword) }},
		{"deactivated", func(by *postern.Directory, u string) error { return by.SetActive(ctx, u, false) }},
		{"deleted", func(by *postern.Directory, u string) error { return by.DeleteUser(ctx, u) }},
		{"sessions revoked", func(by *postern.Directory, u string) error {
			n, err := by.RevokeSessions(ctx, u)
			if n != 1 {
				return fmt.Errorf("%d sessions revoked", n)
			}
			return err
		}},
		{"session revoked by the start of its id", func(by *postern.Directory, u string) error {
			sessions, err := by.Sessions(ctx, postern.SessionQuery{Username: u})
			if err != nil || len(sessions) != 1 {
				return fmt.Errorf("%d sessions, %w", len(sessions), err)
			}
			return by.RevokeSession(ctx, sessions[0].ID[:12])
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, d, bystander := newClient(t, base), newClient(t, base), newClient(t, base)
			user := strings.ReplaceAll(test.name, " ", "_")
			c.register(user)
			d.register(user + "_2")
			bystander.register(user + "_bystander")
			srv.AwaitRecall(t)
			for range 2 { // the second time it is remembered
				c.isIn(true)
				d.isIn(true)
			}
			if err := test.act(srv.Directory, user); err != nil {
				t.Fatal(err)
			}
			c.isIn(false) // at once
			if err := test.act(other, user+"_2"); err != nil {
				t.Fatal(err)
			}
			d.isOutSoon()
			bystander.isIn(true)
		})
	}
}

func TestASessionEndsWhenAnotherProgramWritesToTheUserTable(t *testing.T) {
	config := testConfig(t)
	srv, base := startServer(t, config)
	db, err := sql.Open("sqlite", strings.TrimPrefix(config.Database, "sqlite:")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`update auth_user set password = 'md5$somesalt$00000000000000000000000000000000' where username = ?`,
		`update auth_user set is_active = 0 where username = ?`,
		`delete from auth_user where username = ?`,
	} {
		c := newClient(t, base)
		c.register("victim")
		srv.AwaitRecall(t)
		for range 2 {
			c.isIn(true)
		}
		if _, err := db.Exec(statement, "victim"); err != nil {
			t.Fatal(err)
		}
		c.isOutSoon()
		if _, err := db.Exec(`delete from auth_user where username = ?`, "victim"); err != nil {
			t.Fatal(err)
		}
	}
}

// clock is a time that tests move on.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) pass(d time.Duration) { c.offset.Add(int64(d)) }

func TestSessionsLiveAsLongAsTheSettingsSay(t *testing.T) {
	type step struct {
		pass  time.Duration
		alive bool
	}
	for _, test := range []struct {
		name   string
		policy postern.SessionPolicy
		steps  []step
	}{
		{"a fixed age, whatever the use", postern.SessionPolicy{Age: time.Hour},
			[]step{{30 * time.Minute, true}, {29 * time.Minute, true}, {time.Minute, false}}},
		{"sliding renewal", postern.SessionPolicy{Age: time.Hour, SaveEveryRequest: true},
			[]step{{50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {61 * time.Minute, false}}},
		{"an idle timeout", postern.SessionPolicy{Age: 24 * time.Hour, IdleTimeout: 30 * time.Minute},
			[]step{{29 * time.Minute, true}, {29 * time.Minute, true}, {33 * time.Minute, false}}},
		{"an absolute lifetime, however it slides", postern.SessionPolicy{Age: time.Hour, SaveEveryRequest: true, AbsoluteAge: 2 * time.Hour},
			[]step{{50 * time.Minute, true}, {50 * time.Minute, true}, {19 * time.Minute, true}, {2 * time.Minute, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var clock clock
			config := testConfig(t)
			config.Session, config.Now = test.policy, clock.now
			srv, base := startServer(t, config)
			c := newClient(t, base)
			c.register("user")
			c.isIn(true)
			// the jar would drop the cookie by the real time: keep the key by hand
			for _, s := range test.steps {
				clock.pass(s.pass)
				c.isIn(s.alive)
				if err := srv.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestARenewedSessionSendsItsCookieAgain(t *testing.T) {
	var clock clock
	config := testConfig(t)
	config.Session, config.Now = postern.SessionPolicy{Age: time.Hour, SaveEveryRequest: true}, clock.now
	_, base := startServer(t, config)
	c := newClient(t, base)
	c.register("user")
	if _, h, _ := c.full("GET", "/api/user/", nil); h.Get("Set-Cookie") != "" {
		t.Errorf("the cookie was sent at once: %s", h.Get("Set-Cookie"))
	}
	clock.pass(10 * time.Minute)
	if _, h, _ := c.full("GET", "/api/user/", nil); !strings.Contains(h.Get("Set-Cookie"), "Max-Age=3600") {
		t.Errorf("Set-Cookie is %q", h.Get("Set-Cookie"))
	}
}

func TestTheOldestSessionLeavesForANewOne(t *testing.T) {
	config := testConfig(t)
	config.Session.Limit = 2
	_, base := startServer(t, config)
	var clients []*client
	for i := range 4 {
		c := newClient(t, base)
		if i == 0 {
			c.register("user")
		} else if status, body := c.login("user", goodPassword); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		clients = append(clients, c)
	}
	for i, c := range clients {
		c.isIn(i >= 2)
	}
}

func TestASecretKeyIsRotatedWithoutLoggingAnyoneOut(t *testing.T) {
	config := testConfig(t)
	jar := func(base string, from *client) *client {
		c := newClient(t, base)
		c.http.Jar = from.http.Jar
		return c
	}
	srv, base := startServer(t, config)
	c := newClient(t, base)
	c.register("user")
	_ = srv

	config.SecretKey, config.SecretKeyFallbacks = "another "+testSecret, []string{testSecret}
	_, base = startServer(t, config)
	jar(base, c).isIn(true)

	config.SecretKeyFallbacks = nil
	_, base = startServer(t, config)
	jar(base, c).isIn(false)
}

func TestWhatIsTooLargeIsRefusedBeforeAnyWork(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	big := strings.Repeat("a", 1<<20)
	for _, test := range []struct {
		name   string
		body   any
		status int
		want   string
	}{
		{"a body over 1 MiB", map[string]string{"username": big}, 413, `{"detail":"Request body too large."}`},
		{"a body far over 1 MiB", map[string]string{"username": big + big + big}, 413, `{"detail":"Request body too large."}`},
		{"a password over 4096 bytes", map[string]string{"username": "u", "password": strings.Repeat("a", 4097)}, 400, `{"password":["Ensure this field has no more than 4096 `},
		{"a password of 4096 bytes", map[string]string{"username": "u", "password": strings.Repeat("a", 4096)}, 401, `{"detail":"Invalid credentials"}`},
	} {
		if status, body := c.do("POST", "/api/login/", test.body); status != test.status || !strings.HasPrefix(body, test.want) {
			t.Errorf("%s: %d %.200s", test.name, status, body)
		}
	}
	for _, deep := range []string{strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat(`{"a":`, 100_000)} {
		response, err := http.Post(base+"/api/login/", "application/json", strings.NewReader(deep))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 400 || !strings.HasPrefix(string(text), `{"detail":"JSON parse error - `) {
			t.Errorf("deep JSON: %d %s", response.StatusCode, text)
		}
	}
	// of unknown length
	response, err := http.Post(base+"/api/login/", "application/json", io.MultiReader(strings.NewReader(`{"username":"`), strings.NewReader(big), strings.NewReader(`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a chunked body over 1 MiB: %d", response.StatusCode)
	}
	if status, _ := newClient(t, base).do("GET", "/api/user/", nil, "X-Big", strings.Repeat("a", 17<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers over 16 KiB: %d", status)
	}
	if status, _ := newClient(t, base).do("GET", "/api/user/", nil, "X-Big", strings.Repeat("a", 15<<10)); status != http.StatusForbidden {
		t.Errorf("headers of 15 KiB: %d", status)
	}
}

func TestTooManySignInsAtOnceAreToldToComeBack(t *testing.T) {
	config := testConfig(t)
	config.Passwords = postern.Passwords{Argon2MemoryKiB: 32 << 10, Argon2Time: 4, Workers: 1, Queue: 1}
	_, base := startServer(t, config)
	var busy, answered atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		c := newClient(t, base)
		wg.Go(func() {
			status, h, body := c.full("POST", "/api/login/", map[string]string{"username": "nobody", "password": "x"})
			switch {
			case status == http.StatusServiceUnavailable && h.Get("Retry-After") != "":
				busy.Add(1)
			case status == http.StatusUnauthorized:
				answered.Add(1)
			default:
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	if busy.Load() == 0 || answered.Load() == 0 {
		t.Errorf("%d busy, %d answered", busy.Load(), answered.Load())
	}
}

// One address that keeps the queue full does not keep others out: its own
// sign-ins make room.
func TestAFlooderDoesNotShutOthersOut(t *testing.T) {
	config := testConfig(t)
	config.Passwords = postern.Passwords{Argon2MemoryKiB: 32 << 10, Argon2Time: 4, Workers: 1, Queue: 8, QueueWait: time.Minute}
	_, base := startServer(t, config) // it trusts 127.0.0.1 about who asks
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	from := func(address string) int {
		c := newClient(t, base)
		c.http.Transport = transport
		status, _ := c.do("POST", "/api/login/", map[string]string{"username": "nobody", "password": "x"}, "X-Forwarded-For", address)
		return status
	}
	var over atomic.Bool
	var busy atomic.Int32
	var flood sync.WaitGroup
	for range 24 {
		flood.Go(func() {
			for !over.Load() {
				if from("203.0.113.9") == http.StatusServiceUnavailable {
					busy.Add(1)
				}
			}
		})
	}
	for patience := time.Now().Add(20 * time.Second); busy.Load() == 0 && time.Now().Before(patience); {
		time.Sleep(time.Millisecond)
	}
	for i := range 5 {
		if status := from(fmt.Sprintf("198.51.100.%d", i+1)); status != http.StatusUnauthorized {
			t.Errorf("amid the flood: %d", status)
		}
	}
	over.Store(true)
	flood.Wait()
	if busy.Load() == 0 {
		t.Error("the queue was never full: the test has tested nothing")
	}
}

func TestUnknownWrongAndInactiveLookTheSame(t *testing.T) {
	srv, base := startServer(t, testConfig(t))
	newClient(t, base).register("known")
	newClient(t, base).register("inactive")
	if err := srv.SetActive(t.Context(), "inactive", false); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, attempt := range [][2]string{{"unknown", goodPassword}, {"known", "wrong-password"}, {"inactive", goodPassword}, {"inactive", "wrong"}} {
		status, h, body := newClient(t, base).full("POST", "/api/login/", map[string]string{"username": attempt[0], "password": attempt[1]})
		h.Del("Date")
		got := fmt.Sprint(status, h, body)
		if first == "" {
			first = got
		}
		if status != http.StatusUnauthorized || got != first {
			t.Errorf("%s: %s", attempt[0], got)
		}
	}
}

func TestWeakPasswordsAreRefusedUnlessTheServerOnlyWarns(t *testing.T) {
	weak := map[string]string{"username": "testuser", "password": "password123", "password2": "password123"}
	config := testConfig(t)
	srv, base := startServer(t, config)
	status, body := newClient(t, base).do("POST", "/api/register/", weak)
	if status != http.StatusBadRequest || body != `{"password":["This password is too common."]}` {
		t.Errorf("%d %s", status, body)
	}
	if _, err := srv.User(t.Context(), "testuser"); !errors.Is(err, postern.ErrNoUser) {
		t.Errorf("the user was made: %v", err)
	}
	var log bytes.Buffer
	config = testConfig(t)
	config.Passwords.WarnOnly, config.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	srv = openServer(t, config)
	w := newRecorder(srv.Handler(), "POST", "/api/register/", `{"username":"testuser","password":"password123","password2":"password123"}`)
	if w.Code != http.StatusCreated || !strings.Contains(log.String(), "This password is too common.") || strings.Contains(log.String(), "password123") {
		t.Errorf("%d %s, log %s", w.Code, w.Body, log.String())
	}
}

func TestUnauthenticatedStatusCanBe401(t *testing.T) {
	config := testConfig(t)
	config.UnauthenticatedStatus = http.StatusUnauthorized
	srv := openServer(t, config)
	w := newRecorder(srv.Handler(), "GET", "/api/user/", "")
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestAuthenticatedAnswersAreNotStored(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	if _, h, _ := c.full("GET", "/api/user/", nil); h.Get("Cache-Control") != "" {
		t.Errorf("an anonymous answer has Cache-Control %q", h.Get("Cache-Control"))
	}
	c.register("user")
	for _, r := range [][2]string{{"GET", "/api/user/"}, {"GET", "/api/protected/"}, {"POST", "/api/user/"}, {"OPTIONS", "/api/user/"}, {"POST", "/api/logout/"}} {
		if status, h, _ := c.full(r[0], r[1], nil); h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d, Cache-Control %q", r[0], r[1], status, h.Get("Cache-Control"))
		}
	}
}

func TestNoSecretReachesTheLog(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	config := testConfig(t)
	config.Log = slog.New(slog.NewJSONHandler(lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, base := startServer(t, config)
	c := newClient(t, base)
	c.register("user")
	_, h, body := c.full("POST", "/api/login/", map[string]string{"username": "user", "password": goodPassword})
	c.isIn(true)
	c.login("user", "wr0ng-secret")
	c.do("POST", "/api/login/", "password=wr0ng-secret")
	c.do("POST", "/api/logout/", nil)

	secrets := []string{goodPassword, "wr0ng-secret", testSecret, "argon2id"}
	for _, line := range h.Values("Set-Cookie") {
		_, value, _ := strings.Cut(line, "=")
		value, _, _ = strings.Cut(value, ";")
		secrets = append(secrets, value)
	}
	_, token, _ := strings.Cut(body, `"csrf_token":"`)
	secrets = append(secrets, strings.TrimSuffix(token, `"}`))
	mu.Lock()
	defer mu.Unlock()
	if len(secrets) != 7 || !strings.Contains(log.String(), "/api/login/") {
		t.Fatalf("%d secrets, log %s", len(secrets), log.String())
	}
	for _, s := range secrets {
		if strings.Contains(log.String(), s) {
			t.Errorf("the log holds %q", s)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestAStopLetsRequestsUnderWayFinish(t *testing.T) {
	config := testConfig(t)
	config.Passwords = postern.Passwords{Argon2MemoryKiB: 128 << 10, Argon2Time: 4}
	var armed atomic.Bool
	entered := make(chan struct{})
	config.Now = func() time.Time { // the guard takes the time when a request comes in
		if armed.CompareAndSwap(true, false) {
			close(entered)
		}
		return time.Now()
	}
	srv := openServer(t, config)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	addrs := make(chan []net.Addr, 1)
	done := make(chan error, 1)
	go func() {
		done <- srv.Serve(ctx, postern.Listen{Addr: "127.0.0.1:0", Ready: func(a []net.Addr) { addrs <- a }})
	}()
	base := "http://" + (<-addrs)[0].String()

	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	armed.Store(true)
	body := `{"username":"late","password":"` + goodPassword + `","password2":"` + goodPassword + `"}`
	fmt.Fprintf(conn, "POST /api/register/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	<-entered
	stop()
	answer := make([]byte, 64)
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := io.ReadFull(conn, answer)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 201") {
		t.Errorf("answer %q, %v", answer[:n], err)
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := srv.User(context.Background(), "late"); err != nil {
		t.Errorf("the acknowledged user: %v", err)
	}
}

func TestAUnixSocketIsServed(t *testing.T) {
	srv := openServer(t, testConfig(t))
	dir, err := os.MkdirTemp("", "p") // a short path: socket names are limited
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	stale, err := net.Listen("unix", path) // what a crashed server leaves behind
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()

	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan []net.Addr, 1), make(chan error, 1)
	go func() {
		done <- srv.Serve(ctx, postern.Listen{UnixSocket: path, Ready: func(a []net.Addr) { ready <- a }})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	if err := srv.Serve(ctx, postern.Listen{UnixSocket: path}); err == nil || !strings.Contains(err.Error(), "another server listens") {
		t.Errorf("a second server on the socket: %v", err)
	}
	c := newClient(t, "http://localhost")
	c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	c.register("user")
	c.isIn(true)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(t.Context(), postern.Listen{UnixSocket: file}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in place of the socket: %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Error("the file was touched")
	}
}
