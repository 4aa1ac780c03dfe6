package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

var benchSessions = flag.Int("sessions", 100_000, "how many sessions BenchmarkIdentity reads from")

func BenchmarkIdentity(b *testing.B) {
	sessions := *benchSessions
	s := openBench(b)
	fill(b, s, sessions)
	var next atomic.Int64
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustFind(b, s, int(next.Add(7919))%sessions)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				mustFind(b, s, int(next.Add(7919))%sessions)
			}
		})
	})
}

func mustFind(b *testing.B, s *Store, i int) {
	if _, err := s.Identity(b.Context(), benchID(i)); err != nil {
		b.Error(err)
	}
}

func BenchmarkStart(b *testing.B) {
	for _, parallel := range []int{1, 64} {
		for _, stored := range []int{0, 100_000} {
			b.Run(fmt.Sprintf("parallel=%d/stored=%d", parallel, stored), func(b *testing.B) {
				s := openBench(b)
				fill(b, s, max(stored, 100))
				var next atomic.Int64
				next.Store(10_000_000)
				inParallel(b, parallel, func() error {
					i := next.Add(1)
					user := i%100 + 1
					session := benchSession(int(i))
					session.UserID = user
					return s.Start(context.Background(), &auth.Start{
						Session: session,
						Login:   &auth.LoginStamp{At: session.Created, Verified: benchPassword},
					})
				})
			})
		}
	}
}

func BenchmarkCreateUser(b *testing.B) {
	for _, parallel := range []int{1, 64} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			s := openBench(b)
			var next atomic.Int64
			inParallel(b, parallel, func() error {
				u := benchUser(int(next.Add(1)))
				return s.CreateUser(context.Background(), &u)
			})
		})
	}
}

func BenchmarkTouch(b *testing.B) {
	const sessions = 100_000
	s := openBench(b)
	fill(b, s, sessions)
	batch := make([]auth.Touch, 1000)
	at := time.Now()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Minute)
		for i := range batch {
			n = (n + 7919) % sessions
			batch[i] = auth.Touch{ID: benchID(n), LastSeen: at, Expires: at}
		}
		if err := s.Touch(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// inParallel runs act b.N times from that many goroutines.
func inParallel(b *testing.B, goroutines int, act func() error) {
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, goroutines)
	for range goroutines {
		go func() {
			for left.Add(-1) >= 0 {
				if err := act(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range goroutines {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

const benchPassword = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func benchUser(i int) auth.User {
	return auth.User{
		Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("user%d@example.com", i), Password: benchPassword,
		IsActive: true, DateJoined: time.UnixMicro(1_700_000_000_000_001),
	}
}

func benchID(i int) auth.SessionID {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func benchSession(i int) auth.Session {
	at := time.UnixMicro(1_700_000_000_000_000 + int64(i))
	return auth.Session{
		ID: benchID(i), UserID: int64(i + 1), CSRFSecret: "abcdefghijklmnopqrstuvwxyz012345",
		AuthHash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		Created:  at, LastSeen: at, Expires: at.Add(14 * 24 * time.Hour),
		Address:   netip.MustParseAddr("2001:db8::1"),
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	}
}

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "bench.sqlite3"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// fill stores n users with a session each.
func fill(b *testing.B, s *Store, n int) {
	b.Helper()
	err := s.write.do(context.Background(), func(t *tx) error {
		users := make(map[string]int, n)
		for i := range n {
			u := benchUser(i)
			if _, err := t.createUser(&u); err != nil {
				return err
			}
			id := benchID(i)
			users[string(id[:])] = i
		}
		// In the order of their ids, a million are stored in seconds.
		for _, id := range slices.Sorted(maps.Keys(users)) {
			session := benchSession(users[id])
			if err := t.insertSession(&session); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
