package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/freeport"
)

// postgres is a PostgreSQL server of the run's own. Its superuser is
// "postgres", who needs no password.
type postgres struct {
	*process
	port uint16
}

// postgresSettings differ from PostgreSQL's presets in what the machine has
// and in that nobody else reaches the server. fsync and synchronous_commit are
// on, as they are by default: what is acknowledged is on the disk.
const postgresSettings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_wal_size = 2GB
log_min_messages = fatal
`

// modelDatabase has the tables, one user and one session, and is copied.
const modelDatabase = "model"

// startPostgres makes a cluster in dir and runs a server on it. As root it is
// the user postgres who runs it, for PostgreSQL refuses to run as root.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	attributes, err := engineProcess("postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if err := giveTo(attributes, data); err != nil {
		return nil, err
	}
	// The server's user has to pass, and no more.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("let PostgreSQL into the folder: %w", err)
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = "/", attributes
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a cluster of PostgreSQL in %s, a path that the user of the server has to be able to pass (flag -dir): %w\n%s", data, err, output)
	}
	address, err := freeport.TCP()
	if err != nil {
		return nil, err
	}
	p := &postgres{port: address.Port()}
	config, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = config.WriteString(postgresSettings)
		err = errors.Join(err, config.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("configure PostgreSQL: %w", err)
	}
	command := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(int(p.port)))
	command.Dir, command.SysProcAttr = "/", attributes
	if p.process, err = startProcess(dir, command); err != nil {
		return nil, err
	}
	if err := p.await(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// postgresPrograms is the folder of the newest PostgreSQL: Debian's, or that
// of PATH.
func postgresPrograms() (string, error) {
	const pattern = "/usr/lib/postgresql/*/bin/postgres"
	found, _ := filepath.Glob(pattern) // the pattern is well-formed
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New(`there is no PostgreSQL server: install Debian's package postgresql ("make prepare" does), or have postgres and initdb in PATH`)
	}
	return filepath.Dir(path), nil
}

func (p *postgres) await(ctx context.Context) error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := p.exec(ctx, "postgres", "select 1")
		if err == nil {
			return nil
		}
		if how, ended := p.ended(); ended {
			return fmt.Errorf("PostgreSQL ended: %w\n%s", errors.Join(how, err), p.lastWords())
		}
		if time.Since(begin) > startPatience || ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, p.lastWords())
		}
	}
}

// stop ends the server without any care for what it holds.
func (p *postgres) stop() { p.end(syscall.SIGQUIT) }

func (p *postgres) address() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), p.port)
}

// url is that of a database, for whoever reaches the server at port.
func (p *postgres) url(database string, port uint16) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", port, database)
}

// exec runs a statement on a connection of its own.
func (p *postgres) exec(ctx context.Context, database, statement string) error {
	return p.connected(ctx, database, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	})
}

func (p *postgres) connected(ctx context.Context, database string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, p.url(database, p.port))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}
