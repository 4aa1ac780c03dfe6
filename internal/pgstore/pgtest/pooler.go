package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler is a PgBouncer in front of a server, which gives a connection to a
// transaction, not to a client.
type Pooler struct {
	Port int
	dir  string
	run  *exec.Cmd
}

// poolerSettings has clients share few connections, and give back soon those
// to a database that nobody uses any more.
const poolerSettings = `[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
server_idle_timeout = 2
`

// StartPooler starts a PgBouncer in front of the server, and stops it at the
// test's end.
func (s *Server) StartPooler(t testing.TB) *Pooler {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Fatal("the tests need PgBouncer: install Debian's package pgbouncer, or have pgbouncer in PATH")
		}
	}
	p := &Pooler{Port: FreePort(t)}
	if p.dir, err = os.MkdirTemp("", "postern-pooler-"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "pgbouncer.ini")
	if err := os.WriteFile(file, fmt.Appendf(nil, poolerSettings, s.Port, p.Port), 0o644); err != nil {
		t.Fatal(err)
	}
	// It refuses to run as root, as the server does.
	if err := os.Chmod(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(p.dir, "pooler.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.run = exec.Command(program, "-q", file)
	p.run.SysProcAttr = &syscall.SysProcAttr{Credential: serverUser(t), Pdeathsig: syscall.SIGQUIT}
	p.run.Dir, p.run.Stdout, p.run.Stderr = p.dir, log, log
	if err := p.run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.run.Process.Kill()
		_ = p.run.Wait() // killed
		_ = os.RemoveAll(p.dir)
	})
	p.await(t)
	return p
}

func (p *Pooler) await(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.Port))
		cancel()
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(filepath.Join(p.dir, "pooler.log"))
			t.Fatalf("PgBouncer did not start: %v\n%s", err, log)
		}
	}
}

// Through is the URL of a database of the server by way of the pooler.
func (p *Pooler) Through(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable&pooler=transaction", p.Port, database)
}
