package postern_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern"
)

// stoppedClock stands still unless the test moves it on.
type stoppedClock struct{ nanoseconds atomic.Int64 }

func (c *stoppedClock) now() time.Time       { return time.Unix(0, c.nanoseconds.Load()) }
func (c *stoppedClock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// besieged is a server with slow rates and a user named owner, who registered
// at 203.0.113.1.
type besieged struct {
	stoppedClock
	t      *testing.T
	config postern.Config
	base   string
	owner  *client
}

const ownersAddress = "203.0.113.1"

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{t: t, config: testConfig(t)}
	b.nanoseconds.Store(time.Now().UnixNano())
	b.config.Now = b.now
	b.config.Throttle = postern.Throttle{
		Login:        postern.Rate{Attempts: 20, Per: time.Hour},
		LoginAccount: postern.Rate{Attempts: 5, Per: time.Hour},
		Register:     postern.Rate{Attempts: 3, Per: time.Hour},
	}
	_, b.base = startServer(t, b.config)
	b.owner = newClient(t, b.base)
	status, body := b.owner.do("POST", "/api/register/", map[string]string{
		"username": "owner", "password": goodPassword, "password2": goodPassword,
	}, "X-Forwarded-For", ownersAddress)
	if status != http.StatusCreated {
		t.Fatalf("register: %d %s", status, body)
	}
	return b
}

// login tries from an address, in a browser of its own.
func (b *besieged) login(address, name, password string) (int, http.Header, string) {
	b.t.Helper()
	return newClient(b.t, b.base).full("POST", "/api/login/", map[string]string{"username": name, "password": password}, "X-Forwarded-For", address)
}

// mustLogin fails the test unless the answer has that status.
func (b *besieged) mustLogin(want int, address, name, password string) {
	b.t.Helper()
	if status, _, body := b.login(address, name, password); status != want {
		b.t.Fatalf("log in to %s from %s: %d %s, want %d", name, address, status, body, want)
	}
}

// guess tries a wrong password from n addresses.
func (b *besieged) guess(want int, name string, n int) {
	b.t.Helper()
	for i := range n {
		b.mustLogin(want, fmt.Sprintf("198.51.100.%d", i), name, "guess")
	}
}

func TestGuessesFromEverywhereCountForTheAccount(t *testing.T) {
	b := besiege(t)
	for _, name := range []string{"owner", "nobody"} {
		b.guess(http.StatusUnauthorized, name, 5)
		status, h, body := b.login("198.51.100.77", name, goodPassword)
		if status != http.StatusTooManyRequests || h.Get("Retry-After") != "720" ||
			body != `{"detail":"Request was throttled. Expected available in 720 seconds."}` {
			t.Errorf("the sixth for %s: %d, Retry-After %s, %s", name, status, h.Get("Retry-After"), body)
		}
	}
}

func TestTheOwnerGetsInWhileOthersGuess(t *testing.T) {
	b := besiege(t)
	b.guess(http.StatusUnauthorized, "owner", 5)
	b.guess(http.StatusTooManyRequests, "owner", 10)

	b.mustLogin(http.StatusOK, ownersAddress, "owner", goodPassword)
	status, body := b.owner.do("POST", "/api/login/", map[string]string{"username": "owner", "password": goodPassword}, "X-Forwarded-For", "192.0.2.200")
	if status != http.StatusOK {
		t.Errorf("with a live session: %d %s", status, body)
	}

	const fresh = "192.0.2.7"
	_, h, _ := b.login(fresh, "owner", goodPassword)
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		t.Fatalf("a new device is not told how long to wait: %q", h.Get("Retry-After"))
	}
	b.pass(time.Duration(seconds) * time.Second)
	for i := range 30 {
		b.login(fmt.Sprintf("198.51.100.%d", i), "owner", "guess")
	}
	b.mustLogin(http.StatusOK, fresh, "owner", goodPassword)
	b.mustLogin(http.StatusOK, fresh, "owner", goodPassword) // known by now
}

func TestStoredSessionsMakeADeviceRecognisedByANewProcess(t *testing.T) {
	b := besiege(t)
	_, b.base = startServer(t, b.config) // its memory is empty
	for i := range 30 {                  // a flood of names that nobody has
		name := fmt.Sprint("nobody", i)
		for j := range 6 {
			b.login(fmt.Sprintf("198.51.%d.%d", i, j), name, "guess")
		}
	}
	b.guess(http.StatusUnauthorized, "owner", 5)
	b.mustLogin(http.StatusTooManyRequests, "192.0.2.7", "owner", goodPassword)
	b.pass(time.Minute)
	b.mustLogin(http.StatusOK, ownersAddress, "owner", goodPassword)
}

func TestASuccessElsewhereHelpsNoGuesser(t *testing.T) {
	b := besiege(t)
	const attacker = "198.51.100.1"
	status, body := newClient(t, b.base).do("POST", "/api/register/", map[string]string{
		"username": "attacker", "password": goodPassword, "password2": goodPassword,
	}, "X-Forwarded-For", attacker)
	if status != http.StatusCreated {
		t.Fatalf("register: %d %s", status, body)
	}
	b.guess(http.StatusUnauthorized, "owner", 5)
	b.mustLogin(http.StatusOK, attacker, "attacker", goodPassword)
	b.mustLogin(http.StatusTooManyRequests, attacker, "owner", "guess")
}

func TestAnAddressIsThrottledWhateverTheAccount(t *testing.T) {
	b := besiege(t)
	for i := range 20 {
		b.mustLogin(http.StatusUnauthorized, "198.51.100.1", fmt.Sprint("name", i), "guess")
	}
	b.mustLogin(http.StatusTooManyRequests, "198.51.100.1", "yet another", "guess")

	register := func(want int) {
		t.Helper()
		if status, body := newClient(t, b.base).do("POST", "/api/register/", map[string]string{}, "X-Forwarded-For", "198.51.100.9"); status != want {
			t.Fatalf("register: %d %s, want %d", status, body, want)
		}
	}
	for range 3 {
		register(http.StatusBadRequest)
	}
	register(http.StatusTooManyRequests)
}

func TestThrottlingCanBeOff(t *testing.T) {
	config := testConfig(t)
	config.Throttle = postern.Throttle{Off: true, LoginAccount: postern.Rate{Attempts: 1, Per: time.Hour}}
	_, base := startServer(t, config)
	for i := range 20 {
		if status, body := newClient(t, base).login("owner", "guess"); status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d %s", i+1, status, body)
		}
	}
}
