package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

const (
	crashRounds  = 6
	crashClients = 8
	// crashAcks bounds how many answers a round waits for before the kill.
	crashAcks = 300
	crashTime = 20 * time.Second
)

// ledger is what the server has acknowledged.
type ledger struct {
	mu    sync.Mutex
	users []string
	live  map[string]string // session key to CSRF token
	ended []string          // session keys
	acks  int
	kill  chan struct{} // closed when there are enough answers in a round
	limit int
}

// newRound makes the ledger close kill after some more answers.
func (l *ledger) newRound(answers int) {
	l.acks, l.limit, l.kill = 0, answers, make(chan struct{})
}

// note records an answer.
func (l *ledger) note(record func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	record()
	if l.acks++; l.acks == l.limit {
		close(l.kill)
	}
}

// forget takes a session out before its end is asked for: until the answer it
// may be either.
func (l *ledger) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, key)
}

// answered is one answer of the API.
type answered struct {
	status        int
	session, csrf string // of the cookies it sets
}

const crashPassword = "tr0ub4dor-x9"

func call(client *http.Client, address, method, path, session, csrf string, body map[string]string) (answered, error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return answered{}, err
		}
	}
	r, err := http.NewRequest(method, "http://"+address+path, &content)
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "sessionid", Value: session})
		r.AddCookie(&http.Cookie{Name: "csrftoken", Value: csrf})
		r.Header.Set("X-CSRFToken", csrf)
	}
	response, err := client.Do(r)
	if err != nil {
		return answered{}, err
	}
	response.Body.Close()
	a := answered{status: response.StatusCode}
	for _, cookie := range response.Cookies() {
		switch cookie.Name {
		case "sessionid":
			a.session = cookie.Value
		case "csrftoken":
			a.csrf = cookie.Value
		}
	}
	return a, nil
}

// live registers, logs in and logs out until the server is gone.
func live(t *testing.T, client *http.Client, address, name string, l *ledger) {
	for i := 0; ; i++ {
		user := fmt.Sprintf("%s-%d", name, i)
		if !oneLife(t, client, address, user, l, i%2 == 0) {
			return
		}
	}
}

// oneLife is a registration, a second login, and maybe the end of the first
// session. It is false when the server does not answer any more.
func oneLife(t *testing.T, client *http.Client, address, user string, l *ledger, leave bool) bool {
	first, err := call(client, address, "POST", "/api/register/", "", "", map[string]string{
		"username": user, "email": user + "@example.com", "password": crashPassword, "password2": crashPassword,
	})
	if err != nil {
		return false
	}
	if first.status != http.StatusCreated {
		t.Errorf("register %s: status %d", user, first.status)
		return false
	}
	l.note(func() { l.users = append(l.users, user); l.live[first.session] = first.csrf })

	second, err := call(client, address, "POST", "/api/login/", "", "", map[string]string{"username": user, "password": crashPassword})
	if err != nil {
		return false
	}
	if second.status != http.StatusOK {
		t.Errorf("login %s: status %d", user, second.status)
		return false
	}
	l.note(func() { l.live[second.session] = second.csrf })
	if !leave {
		return true
	}

	l.forget(first.session)
	out, err := call(client, address, "POST", "/api/logout/", first.session, first.csrf, nil)
	if err != nil {
		return false
	}
	if out.status != http.StatusOK {
		t.Errorf("logout %s: status %d", user, out.status)
		return false
	}
	l.note(func() { l.ended = append(l.ended, first.session) })
	return true
}

// TestWhatWasAcknowledgedOutlivesKill9 kills a busy server several times. After
// each restart on the same database every user can log in, every session
// opens, and no session that was ended does.
func TestWhatWasAcknowledgedOutlivesKill9(t *testing.T) {
	dir := t.TempDir()
	l := &ledger{live: map[string]string{}}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: crashClients}}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	checked := 0
	for start, round := time.Now(), 0; round < crashRounds && time.Since(start) < crashTime; round++ {
		s := startServer(t, dir)
		l.newRound(1 + random.IntN(crashAcks))
		var clients sync.WaitGroup
		for c := range crashClients {
			clients.Go(func() { live(t, client, s.address, fmt.Sprintf("u%d-%d", round, c), l) })
		}
		select {
		case <-l.kill:
		case <-time.After(2 * time.Minute):
			t.Error("the server is too slow to be killed in time")
		}
		s.signal(os.Kill)
		clients.Wait()
		if s.end() == nil {
			t.Error("the server ended by itself")
		}
		checkLedger(t, client, dir, l, &checked)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d users, %d live sessions, %d ended", len(l.users), len(l.live), len(l.ended))
	if len(l.users) == 0 {
		t.Error("nothing was acknowledged: the test tests nothing")
	}
}

// checkLedger restarts the server and holds it to its word. Users of former
// rounds have shown already that they can log in.
func checkLedger(t *testing.T, client *http.Client, dir string, l *ledger, checked *int) {
	t.Helper()
	s := startServer(t, dir)
	for key := range l.live {
		if a, err := call(client, s.address, "GET", "/api/user/", key, "", nil); err != nil || a.status != http.StatusOK {
			t.Errorf("a session that was acknowledged: status %d, %v", a.status, err)
		}
	}
	for _, key := range l.ended {
		if a, err := call(client, s.address, "GET", "/api/user/", key, "", nil); err != nil || a.status != http.StatusForbidden {
			t.Errorf("a session whose end was acknowledged: status %d, %v", a.status, err)
		}
	}
	for _, user := range l.users[*checked:] {
		a, err := call(client, s.address, "POST", "/api/login/", "", "", map[string]string{"username": user, "password": crashPassword})
		if err != nil || a.status != http.StatusOK {
			t.Errorf("log in as %s, who was acknowledged: status %d, %v", user, a.status, err)
		}
	}
	*checked = len(l.users)
	s.signal(os.Interrupt)
	if err := s.end(); err != nil {
		t.Errorf("stop the restarted server: %v", err)
	}
}
