package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that fills the databases
)

const (
	// firstID is the id of user 0. The ids of up to a million users are equally
	// long, so that all answers are.
	firstID = 1_000_001
	// csrfSecret is that of every session.
	csrfSecret = "abcdefghijklmnopqrstuvwxyzABCDEF"
	// secretKey is of no worth outside of the run's databases.
	secretKey = "a secret key of the benchmarks, of no worth elsewhere"
	// ahead is how far in the future the last use is set of sessions whose signs
	// of life are not to be written during the run.
	ahead = time.Hour
)

// home is where users and sessions live.
type home interface {
	// environment is that of a server whose home it is.
	environment() []string
}

// settings are those of a server with the database at url. hashKiB is the
// memory of a password's hash; 0 for the program's default.
func settings(url string, hashKiB int) []string {
	settings := []string{
		"POSTERN_SECRET_KEY=" + secretKey,
		"POSTERN_DATABASE_URL=" + url,
		"POSTERN_ALLOWED_HOSTS=127.0.0.1",
		"POSTERN_THROTTLE=off",
		"POSTERN_DRAIN_DELAY=0", // nothing balances the load
	}
	if hashKiB > 0 {
		settings = append(settings, "POSTERN_ARGON2_MEMORY_KIB="+strconv.Itoa(hashKiB))
	}
	return settings
}

// crowd is who is in a database: users 0 to users-1, and sessions 0 to
// sessions-1, each that of the user of its number modulo users. The sessions
// from fresh on count as just used until the run is over: reading them writes
// no sign of life.
type crowd struct{ users, sessions, fresh int }

// userID is the id of the user of session n.
func (c crowd) userID(n int) int { return firstID + n%c.users }

// database is a file of SQLite.
type database struct {
	path string
	crowd
	agent   string // what the browsers call themselves, if not as in the session that is copied
	hashKiB int
}

func (d database) environment() []string { return settings("sqlite:"+d.path, d.hashKiB) }

// create lets the program make the database and register a user, and then
// copies that user and the session. So the password's hash is made once, and
// the formats of both are the program's own.
func (d database) create(ctx context.Context, dir, program string) error {
	if err := migrate(ctx, dir, program, d); err != nil {
		return err
	}
	return d.fill(ctx)
}

// migrate lets the program make the tables and register a user.
func migrate(ctx context.Context, dir, program string, h home) error {
	migrate := exec.CommandContext(ctx, program, "migrate")
	migrate.Env = h.environment()
	if output, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, output)
	}
	s, err := startServer(dir, program, []string{"serve"}, h.environment(), registrations("model")(nil))
	if err != nil {
		return fmt.Errorf("register the first user: %w", err)
	}
	s.stop()
	return nil
}

// fill copies the only user and the only session.
func (d database) fill(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", "file:"+d.path+"?mode=rw")
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() {
		if closed := db.Close(); err == nil && closed != nil {
			err = fmt.Errorf("close the database: %w", closed)
		}
	}()
	db.SetMaxOpenConns(1)
	// Nothing is lost when the machine stops amid this: the run is over, too.
	for _, step := range []func() error{
		statement(ctx, db, `pragma journal_mode = off`),
		statement(ctx, db, `pragma synchronous = off`),
		statement(ctx, db, copyUser, d.users, firstID),
		statement(ctx, db, makeSuperuser, firstID),
		func() error { return d.copySessions(ctx, db) },
		statement(ctx, db, `pragma journal_mode = wal`),
	} {
		if err := step(); err != nil {
			return fmt.Errorf("fill the database: %w", err)
		}
	}
	return syncFile(d.path)
}

func statement(ctx context.Context, db *sql.DB, text string, args ...any) func() error {
	return func() error {
		_, err := db.ExecContext(ctx, text, args...)
		return err
	}
}

const (
	copyUser = `
		with recursive n(i) as (select 0 where $1 > 0 union all select i + 1 from n where i + 1 < $1)
		insert into auth_user (id, password, last_login, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
		select $2 + i, u.password, u.last_login, u.is_superuser, 'user' || ($2 + i), u.last_name,
			'user' || ($2 + i) || '@example.com', u.is_staff, u.is_active, u.date_joined, u.first_name
		from n, (select * from auth_user limit 1) u`
	selectSession  = `select auth_hash, created, expires, address, user_agent from postern_session limit 1`
	insertSessions = `insert into postern_session (id, user_id, auth_hash, csrf_secret, created, last_seen, expires, address, user_agent) values `
)

// copyBatch is how many sessions share a statement.
const copyBatch = 100

func (d database) copySessions(ctx context.Context, db *sql.DB) error {
	var authHash, address, userAgent string
	var created, expires int64
	if err := db.QueryRowContext(ctx, selectSession).Scan(&authHash, &created, &expires, &address, &userAgent); err != nil {
		return fmt.Errorf("read the first session: %w", err)
	}
	if d.agent != "" {
		userAgent = d.agent
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for batch := range slices.Chunk(d.inOrder(), copyBatch) {
		args := make([]any, 0, 9*len(batch))
		for _, s := range batch {
			seen := created
			if s.n >= d.fresh {
				seen += ahead.Microseconds()
			}
			args = append(args, s.id[:], d.userID(s.n), authHash, csrfSecret, created, seen, expires, address, userAgent)
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?,?,?,?),", len(batch)), ",")
		if _, err := tx.ExecContext(ctx, insertSessions+values, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

type session struct {
	id [sha256.Size]byte // of the key
	n  int
}

// inOrder returns the sessions in the order of their ids, in which the table
// is filled ten times as fast.
func (d database) inOrder() []session {
	all := make([]session, d.sessions)
	var key []byte
	for i := range all {
		key = appendKey(key[:0], i)
		all[i] = session{id: sha256.Sum256(key), n: i}
	}
	slices.SortFunc(all, func(a, b session) int { return bytes.Compare(a.id[:], b.id[:]) })
	return all
}

// syncFile has the file written to the disk now, not while something is
// measured.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("sync the database: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync the database: %w", err)
	}
	return nil
}

// hashCost is the cost of the password hashes in the database, as the flags of
// the program that makes bare ones.
func (d database) hashCost(ctx context.Context) (kib int, flags []string, err error) {
	db, err := sql.Open("sqlite", "file:"+d.path+"?mode=ro")
	if err != nil {
		return 0, nil, fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	var encoded string
	if err := db.QueryRowContext(ctx, `select password from auth_user limit 1`).Scan(&encoded); err != nil {
		return 0, nil, fmt.Errorf("read a password's hash: %w", err)
	}
	return parseCost(encoded)
}

// parseCost reads "argon2$argon2id$v=19$m=19456,t=2,p=1$…".
func parseCost(encoded string) (kib int, flags []string, err error) {
	parts := strings.Split(encoded, "$")
	var passes, lanes int
	if len(parts) < 4 || parts[0] != "argon2" || parts[1] != "argon2id" {
		return 0, nil, fmt.Errorf("the passwords are not hashed with argon2id but %s", parts[0])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &kib, &passes, &lanes); err != nil {
		return 0, nil, fmt.Errorf("read the cost of a hash: %w", err)
	}
	return kib, []string{fmt.Sprintf("-memory=%d", kib), fmt.Sprintf("-time=%d", passes), fmt.Sprintf("-lanes=%d", lanes)}, nil
}
