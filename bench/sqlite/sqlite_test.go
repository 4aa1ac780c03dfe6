//go:build unix

// Package sqlite_test holds the pure Go drivers for SQLite against each other
// with Postern's own schema and statements. It is a module of its own, so that
// the drivers that were not chosen are no dependencies of Postern.
package sqlite_test

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
)

var (
	rows    = flag.Int("rows", 1_000_000, "how many users and sessions are stored")
	kept    = flag.String("kept", "", "a database of that many rows to read, instead of a new one")
	pragmas = flag.String("pragmas", "", "a pragma for the reading connections, such as mmap_size=1000000000")
)

const (
	moment     = 1_700_000_000_000_000
	authHash   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	csrfSecret = "abcdefghijklmnopqrstuvwxyz012345"
	userAgent  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	password   = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func sessionID(i int) []byte {
	id := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return id[:]
}

// BenchmarkRead reads the session and user of a random id.
func BenchmarkRead(b *testing.B) {
	path := *kept
	if path == "" {
		path = newDatabase(b, *rows)
	}
	for _, d := range drivers {
		for _, goroutines := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", d.name, goroutines), func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime(b)
				inParallel(b, goroutines, func(next func() bool) error {
					c, err := d.open(path)
					if err != nil {
						return err
					}
					if *pragmas != "" {
						if err := c.exec("pragma " + *pragmas); err != nil {
							return err
						}
					}
					random := rand.New(rand.NewPCG(1, uint64(goroutines)))
					var r row
					for next() {
						if err := c.read(sessionID(random.IntN(*rows)), &r); err != nil {
							return err
						}
					}
					return c.close()
				})
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkInsert stores sessions, durably: one commit for each group.
func BenchmarkInsert(b *testing.B) {
	for _, d := range drivers {
		for _, group := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/group=%d", d.name, group), func(b *testing.B) {
				c, err := d.open(newDatabase(b, 100))
				if err != nil {
					b.Fatal(err)
				}
				if err := c.exec("pragma synchronous=full"); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i += group {
					if err := insertGroup(c, 1_000_000+i, min(group, b.N-i)); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				if err := c.close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// insertGroup stores n sessions in one commit.
func insertGroup(c conn, first, n int) error {
	if n > 1 {
		if err := c.exec("begin immediate"); err != nil {
			return err
		}
	}
	for i := range n {
		if err := c.insert(sessionID(first+i), int64(first+i)); err != nil {
			return err
		}
	}
	if n > 1 {
		return c.exec("commit")
	}
	return nil
}

// inParallel runs b.N acts in all; each goroutine acts as long as next says so.
func inParallel(b *testing.B, goroutines int, act func(next func() bool) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, goroutines)
	for range goroutines {
		go func() { done <- act(func() bool { return left.Add(-1) >= 0 }) }()
	}
	for range goroutines {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// cpuTime returns the nanoseconds of processor time that the process has used,
// which a busy machine stretches less than those of the clock.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// newDatabase makes a database with Postern's schema, n users and a session
// for each of them, in the order of the sessions' ids, which is the quickest.
func newDatabase(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bench.sqlite3")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=cache_size(-200000)")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if err := fill(db, n); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.Exec("pragma wal_checkpoint(truncate)"); err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func fill(db *sql.DB, n int) error {
	schema, err := filepath.Glob("../../internal/sqlstore/migrations/sqlite/*.sql")
	if err != nil || len(schema) == 0 {
		return cmp.Or(err, os.ErrNotExist)
	}
	for _, name := range schema {
		statements, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := db.Exec(string(statements)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range n {
		_, err := tx.Exec(`insert into auth_user (id, username, email, first_name, last_name, password,
			is_active, is_staff, is_superuser, last_login, date_joined)
			values ($1, $2, $3, '', '', '`+password+`', 1, 0, 0, null, '2023-11-14 22:13:20.000001')`,
			i, fmt.Sprintf("user%d", i), fmt.Sprintf("user%d@example.com", i))
		if err != nil {
			return err
		}
	}
	users := make(map[string]int, n)
	for i := range n {
		users[string(sessionID(i))] = i
	}
	insert, err := tx.Prepare(insertSession)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(users)) {
		if _, err := insert.Exec([]byte(id), users[id], moment+users[id]); err != nil {
			return err
		}
	}
	return tx.Commit()
}
