// Package pgtest starts throw-away PostgreSQL servers for tests, from the
// binaries that the machine has, on free ports of the loopback interface, and
// stops them by their own process.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/freeport"
)

// Server is a cluster and the server that runs on it. Its superuser is
// "postgres", who needs no password.
type Server struct {
	Port int
	dir  string // of the cluster
	bin  string // folder of PostgreSQL's programs
	run  *exec.Cmd
	made int
	mu   sync.Mutex
}

// patience bounds every wait for a server.
const patience = 60 * time.Second

// settings are those of every server; durability is switched off unless a
// test asks for it.
const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 200
wal_level = replica
max_wal_senders = 8
log_min_messages = fatal
log_min_error_statement = fatal
max_wal_size = 256MB
`

// Start starts a server for the test, with more lines of postgresql.conf, and
// stops it at the test's end.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	s := newServer(t)
	args := []string{"-D", s.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions"}
	s.tool(t, "initdb", args...)
	s.append(t, "postgresql.conf", settings+strings.Join(lines, "\n")+"\n")
	s.append(t, "pg_hba.conf", "host replication all 127.0.0.1/32 trust\n")
	s.Run(t)
	return s
}

// Fast is for Start: nothing needs to outlive the server.
const Fast = "fsync = off\nfull_page_writes = off"

var (
	shared   *Server
	sharedMu sync.Mutex
)

// Shared is a server that the tests of a process share. Main must run them.
func Shared(t testing.TB) *Server {
	t.Helper()
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if shared == nil {
		shared = Start(keep{t}, Fast)
	}
	return shared
}

// Database makes an empty database on the shared server and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

// Main runs the tests of a package and stops the server that they shared.
func Main(m *testing.M) int {
	code := m.Run()
	if shared != nil {
		_ = shared.stop(syscall.SIGQUIT)
		_ = os.RemoveAll(shared.dir)
	}
	return code
}

// keep is a test whose end ends nothing.
type keep struct{ testing.TB }

func (keep) Cleanup(func()) {}

// Database makes an empty database and returns its URL. It goes with the
// server.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	s.made++
	name := fmt.Sprintf("test%d", s.made)
	s.mu.Unlock()
	s.Exec(t, "postgres", "create database "+name)
	return s.URL(name)
}

// URL is that of a database.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// Exec runs a statement as another program would.
func (s *Server) Exec(t testing.TB, database, statement string, args ...any) {
	t.Helper()
	Exec(t, s.URL(database), statement, args...)
}

// Exec runs a statement on a connection of its own.
func Exec(t testing.TB, url, statement string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func newServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{Port: FreePort(t), bin: programs(t)}
	var err error
	// The server's own user must be able to reach it, which a test's folder
	// does not allow.
	if s.dir, err = os.MkdirTemp("", "postern-pg-"); err != nil {
		t.Fatal(err)
	}
	if who := serverUser(t); who != nil {
		if err := os.Chown(s.dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_ = s.stop(syscall.SIGQUIT)
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// StartReplica starts a standby that follows the server by streaming.
func (s *Server) StartReplica(t testing.TB, lines ...string) *Server {
	t.Helper()
	r := newServer(t)
	s.tool(t, "pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-U", "postgres", "-D", r.dir, "-R", "-X", "stream", "-c", "fast")
	r.append(t, "postgresql.conf", strings.Join(lines, "\n")+"\n")
	r.Run(t)
	return r
}

// Run starts the server, again after Stop or Kill, and waits until it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.run = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.dir, "-p", strconv.Itoa(s.Port))
	s.run.SysProcAttr = &syscall.SysProcAttr{Credential: serverUser(t), Pdeathsig: syscall.SIGQUIT}
	s.run.Dir = s.dir
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.run.Stdout, s.run.Stderr = log, log
	if err := s.run.Start(); err != nil {
		t.Fatal(err)
	}
	s.await(t)
}

func (s *Server) await(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		cancel()
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
			t.Fatalf("PostgreSQL did not start: %v\n%s", err, log)
		}
	}
}

// Stop shuts the server down at once, as an operator would.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server without any care.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.stop(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) stop(how syscall.Signal) error {
	if s.run == nil || s.run.Process == nil {
		return nil
	}
	if err := s.run.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = s.run.Wait() // its exit code says how it was stopped
	s.run = nil
	return nil
}

// Promote makes a standby a primary.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Exec(t, "postgres", "select pg_promote(true, 60)")
}

func (s *Server) append(t testing.TB, file, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// tool runs one of PostgreSQL's programs as the server's user.
func (s *Server) tool(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: serverUser(t)}
	cmd.Dir = os.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// programs is the folder of the newest PostgreSQL: Debian's, or that of PATH.
func programs(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0])
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		t.Fatal("the tests need a PostgreSQL server: install Debian's package postgresql, or have postgres and initdb in PATH")
	}
	return filepath.Dir(path)
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// serverUser is who runs the server: PostgreSQL refuses to run as root. Nil:
// the user of the test.
func serverUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("as root the tests need a user postgres, which Debian's package postgresql makes: %v", err)
	}
	uid, _ := strconv.ParseUint(who.Uid, 10, 32)
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// FreePort returns a TCP port of the loopback interface that nobody listens
// on.
func FreePort(t testing.TB) int {
	t.Helper()
	address, err := freeport.TCP()
	if err != nil {
		t.Fatal(err)
	}
	return int(address.Port())
}
