package sqlstore

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// listener collects what a store tells.
type listener struct {
	mu    sync.Mutex
	news  []auth.News
	beats []time.Time
}

func (l *listener) hear(n auth.News) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news = append(l.news, n)
}

func (l *listener) beat(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beats = append(l.beats, began)
}

// everythings counts the news that anything may have changed.
func (l *listener) everythings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, told := range l.news {
		if told.IsEverything() {
			n++
		}
	}
	return n
}

func (l *listener) lastBeat() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.beats) == 0 {
		return time.Time{}
	}
	return l.beats[len(l.beats)-1]
}

// listening opens a store that tells a listener, and waits for the first heartbeat.
func listening(t *testing.T) (*Store, *listener) {
	t.Helper()
	l := new(listener)
	s := openAt(t, filepath.Join(t.TempDir(), "postern.sqlite3"), Options{News: l.hear, Heartbeat: l.beat})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.awaitBeat(t)
	return s, l
}

// awaitBeat waits for a heartbeat that began after now.
func (l *listener) awaitBeat(t *testing.T) {
	t.Helper()
	now := time.Now()
	await(t, "a heartbeat", func() bool { return l.lastBeat().After(now) })
}

func TestAWriteOfAnotherProcessIsToldBeforeTheNextHeartbeat(t *testing.T) {
	s, l := listening(t)
	db := outside(t, s.path)
	mustExec(t, db, "create table elsewhere (x)")
	l.awaitBeat(t)
	for i := range 3 {
		before := l.everythings()
		mustExec(t, db, "insert into elsewhere values (1)")
		l.awaitBeat(t)
		if l.everythings() == before {
			t.Errorf("write %d: a heartbeat came, the news did not", i)
		}
	}
}

func TestOwnWritesAreNotTakenForAnotherProcesss(t *testing.T) {
	s, l := listening(t)
	before := l.everythings()
	for i := range 20 {
		u := benchUser(i)
		if err := s.CreateUser(t.Context(), &u); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			l.awaitBeat(t)
		}
	}
	l.awaitBeat(t)
	if n := l.everythings() - before; n != 0 {
		t.Errorf("%d times told that anything may have changed", n)
	}
}

func TestTheHeartGoesOnBeatingWhileAnotherProcessKeepsTheWriterWaiting(t *testing.T) {
	s, l := listening(t)
	held := lock(t, s)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // not the store's own limit
		defer cancel()
		u := benchUser(1)
		done <- s.CreateUser(ctx, &u)
	}()
	for range 3 {
		l.awaitBeat(t)
	}
	select {
	case err := <-done:
		t.Fatalf("the write did not wait: %v", err)
	default:
	}
	mustExec(t, held, "commit")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
