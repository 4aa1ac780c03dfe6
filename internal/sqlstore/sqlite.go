package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
	zombiezen "zombiezen.com/go/sqlite"
)

// OpenSQLite opens the SQLite database in the file path, which it creates,
// readable for its owner only, if there is none. It makes no tables: see
// Migrate and Ready. The error says what is wrong with the file and the way
// out; it wraps auth.ErrUnavailable when another process keeps it locked.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return nil, fmt.Errorf("open database %q: give the path of a file: users and sessions must outlive the process", path)
	}
	// Connections are opened later too, perhaps from another working directory.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	health := &health{path: path, now: o.Now}
	readers := max(4, runtime.GOMAXPROCS(0))
	reads, readsErr := openSQLite(path, readPragmas, readers)
	lists, listsErr := openSQLite(path, readPragmas, 2)
	writes, writesErr := openSQLite(path, writePragmas, 1)
	if err := errors.Join(readsErr, listsErr, writesErr); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{
		path: path, reads: newPool(reads, health), lists: newListPool(lists, health),
		identities: newIdentities(path, readers, health), write: newWriter(writes, health, o), reach: defaultReach, health: health,
		odd: auth.NewOddRows(o.Log), log: o.Log,
	}
	s.identities.odd = s.odd
	s.reads.took, s.lists.took, s.identities.took = o.Observe, o.Observe, o.Observe
	if err := s.probe(ctx, o.Wait); err != nil {
		return nil, errors.Join(explain(path, err), s.Close())
	}
	if err := health.opened(); err != nil {
		return nil, errors.Join(explain(path, err), s.Close())
	}
	return s, nil
}

const (
	// writePragmas make a commit durable: with the write-ahead log and FULL,
	// it has reached the disk when COMMIT returns. Waiting for a lock is cut
	// into short turns, so that the writer notices callers who have left.
	writePragmas = "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=250"
	readPragmas  = "_query_only=1&_busy_timeout=2000"
)

// openSQLite returns a pool of at most conns connections to a file that
// exists. Nothing is opened yet.
func openSQLite(path, pragmas string, conns int) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") { // a Windows drive
		slashed = "/" + slashed
	}
	uri := url.URL{Scheme: "file", Path: slashed, RawQuery: "mode=rw&" + pragmas}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// creating keeps a second store of this process away from a file while the
// first one creates it: closing any descriptor of a file drops the POSIX locks
// that SQLite holds on it in the same process.
var creating sync.Mutex

// createFile makes an empty file, which SQLite takes for an empty database,
// unless there is one. SQLite would make it readable for everyone. Beside a
// write-ahead log it makes none: SQLite would delete the log, whose writes belong
// to a file that was moved and may be put back.
func createFile(path string) error {
	creating.Lock()
	defer creating.Unlock()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := checkNoLog(path); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return file.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		return checkFile(path)
	}
	return explainMissing(path, err)
}

// checkNoLog returns an error if the write-ahead log of a file that is missing
// is there.
func checkNoLog(path string) error {
	if log, err := os.Stat(path + walSuffix); err != nil || log.Size() == 0 {
		return nil
	}
	return fmt.Errorf("open database %s: the file is missing, but its write-ahead log %s is there, with writes that only the file completes: put the file back, or delete the log to begin with an empty database", path, path+walSuffix)
}

// explainMissing says why a file could not be created.
func explainMissing(path string, err error) error {
	dir := filepath.Dir(path)
	if _, statErr := os.Stat(dir); errors.Is(statErr, fs.ErrNotExist) {
		return fmt.Errorf("open database %s: there is no directory %s: create it, or name another path", path, dir)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open database %s: no permission to create a file in %s: make the directory writable for this user, or name another path", path, dir)
	}
	return fmt.Errorf("open database %s: %w", path, err)
}

// checkFile looks at a file that exists, without opening it.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open database %s: it is a link to a file that does not exist: create the file, or remove the link", path)
	}
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("open database %s: it is not a file (%s): name a file", path, info.Mode().Type())
	}
	return nil
}

// errNoWAL says that SQLite keeps another kind of journal for the file.
var errNoWAL = errors.New("the file system can't hold a write-ahead log")

// probe opens the writer's connection and takes the write lock once, so that
// a file that can't serve is found out at the start.
func (s *Store) probe(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var locked error
	for {
		err := s.probeOnce(ctx)
		if isBusy(err) {
			locked = err
		}
		if !isBusy(err) && ctx.Err() == nil {
			return err
		}
		// When it turns the write-ahead log on, SQLite does not itself wait
		// for a lock.
		select {
		case <-ctx.Done():
			return unavailable(cmp.Or(locked, context.Cause(ctx)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// probeOnce asks for the write-ahead log and tries to write.
func (s *Store) probeOnce(ctx context.Context) (err error) {
	conn, err := s.write.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var mode string
	if err := conn.QueryRowContext(ctx, "pragma journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return errNoWAL
	}
	return tryWrite(ctx, conn)
}

// explain says what an error at the opening of a file means for its owner.
func explain(path string, err error) error {
	var reason string
	switch resultCode(err) {
	case sqlite3.SQLITE_NOTADB:
		reason = "it is not an SQLite database: name another file"
	case sqlite3.SQLITE_READONLY:
		reason = "it is read-only: make the file and its directory writable for this user"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		reason = "no permission: the file must be writable for this user, and so must the directory, where SQLite keeps its log beside the file"
	case sqlite3.SQLITE_BUSY:
		reason = "another process keeps it locked: end that process, or wait for it"
	default:
		if errors.Is(err, errNoWAL) {
			reason = "move it to a local disk"
		}
	}
	if reason == "" {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	return fmt.Errorf("open database %s: %s (%w)", path, reason, err)
}

// resultCode returns SQLite's primary result code, from either driver, or
// SQLITE_OK if err is not SQLite's.
func resultCode(err error) int {
	return extendedCode(err) & 0xff
}

func extendedCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	// For this driver, what is not SQLite's own error is a ResultError.
	if code := zombiezen.ErrCode(err); code != zombiezen.ResultError {
		return int(code)
	}
	return sqlite3.SQLITE_OK
}

func isBusy(err error) bool {
	code := resultCode(err)
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// isForeignKeyViolation reports whether a row still refers to one that was
// removed. ON DELETE RESTRICT works by a trigger.
func isForeignKeyViolation(err error) bool {
	code := extendedCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY ||
		code == sqlite3.SQLITE_CONSTRAINT_TRIGGER && strings.Contains(err.Error(), "FOREIGN KEY")
}

// classify wraps err in auth.ErrUnavailable if the database, the disk or the
// caller's deadline is to blame, and not the statement.
func classify(err error) error {
	switch resultCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM:
		return unavailable(err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(err)
	}
	return err
}

// unavailable wraps err in auth.ErrUnavailable, once; nil stays nil.
func unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
}
