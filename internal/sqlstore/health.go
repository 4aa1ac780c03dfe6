package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"

	"github.com/postern-auth/postern/internal/auth"
)

const (
	// faultAge is how long Ping reports a fault after it was seen last.
	faultAge = 30 * time.Second
	// pagesEvery is how often Ping has pages of the file read and checked.
	pagesEvery = 30 * time.Second
	// maxCheckedFile is the size in bytes up to which all pages are checked, in
	// some ten milliseconds; of a larger file it is a sample.
	maxCheckedFile = 8 << 20
)

// walSuffix is what SQLite appends to a path for the write-ahead log.
const walSuffix = "-wal"

// health is what is known of the file and of the disk it is on. Safe for
// concurrent use.
type health struct {
	path string
	now  func() time.Time
	// file is what was at path when the store had opened it, and wal its
	// write-ahead log; nil before that.
	file, wal atomic.Pointer[fs.FileInfo]
	// misplaced is set while path does not name that file: what is written
	// would be lost with the last descriptor, and what is read may be old.
	misplaced atomic.Bool

	mu      sync.Mutex
	fault   error // the latest that the file or the disk is to blame for
	seen    time.Time
	checked time.Time // when pages were
}

var errMisplaced = fmt.Errorf("%w: the database file was moved, deleted or replaced since the server opened it: put it back, or stop the server and start it again to use the file that is there now", auth.ErrUnavailable)

// opened remembers the file that is at path now. It is called once the file
// is open for writing: on an overlay file system that makes another file of it.
func (h *health) opened() error {
	file, err := os.Stat(h.path)
	if err != nil {
		return err
	}
	h.checked = h.now() // the pages of a file that opens are checked after a while
	h.file.Store(&file)
	if wal, err := os.Stat(h.path + walSuffix); err == nil {
		h.wal.Store(&wal)
	}
	return nil
}

// setAside renames the write-ahead log that the store leaves behind when
// another file has taken the place of its own: SQLite would apply the log of the
// one to the other, and damage it. It is called when the store is closed, and
// returns the log's new name, "" if there was none to rename.
func (h *health) setAside() (string, error) {
	file, err := os.Stat(h.path)
	opened, left := h.file.Load(), h.wal.Load()
	if err != nil || opened == nil || left == nil || os.SameFile(file, *opened) {
		return "", nil
	}
	wal, err := os.Stat(h.path + walSuffix)
	if err != nil || !os.SameFile(wal, *left) { // it came with the other file
		return "", nil
	}
	aside := fmt.Sprintf("%s%s-former-%d", h.path, walSuffix, h.now().UnixNano())
	return aside, os.Rename(h.path+walSuffix, aside)
}

// locate looks whether the file is where it was opened. It costs one system
// call.
func (h *health) locate() error {
	opened := h.file.Load()
	if opened == nil {
		return nil
	}
	file, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrPermission) { // nothing is known of it
		return nil
	}
	moved := err != nil || !os.SameFile(file, *opened)
	h.misplaced.Store(moved)
	if moved {
		return errMisplaced
	}
	return nil
}

// note keeps an error if the file or the disk is to blame for it, and returns
// it.
func (h *health) note(err error) error {
	if isFault(err) {
		h.mu.Lock()
		h.fault, h.seen = err, h.now()
		h.mu.Unlock()
	}
	return err
}

func isFault(err error) bool {
	switch resultCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return true
	}
	return false
}

// recent returns a fault that was seen lately.
func (h *health) recent() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age := h.now().Sub(h.seen); h.fault == nil || age < 0 || age > faultAge {
		return nil
	}
	return h.fault
}

// isDue reports whether pages are to be checked, to one caller each time.
func (h *health) isDue() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if age := now.Sub(h.checked); age >= 0 && age < pagesEvery {
		return false
	}
	h.checked = now
	return true
}

// failed makes the next call check pages again: what was wrong must not be
// forgotten before it is right.
func (h *health) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checked = time.Time{}
}

// checkPages reads pages of the file over a connection of its own, which has
// none of them in memory.
func (h *health) checkPages(ctx context.Context) error {
	if !h.isDue() {
		return nil
	}
	err := h.readPages(ctx)
	if err != nil {
		h.failed()
	}
	return err
}

// sampledRows are rows next to each other that begin at a random one. Tables
// that are missing are left out: the store may not have been migrated.
const sampledRows = 200

var samples = []string{
	`select count(last_login), count(email), count(password) from (select * from auth_user
		where id >= (select abs(random() % max(1, coalesce(max(id), 1))) from auth_user) order by id limit ?)`,
	`select count(user_id), count(csrf_secret) from (select * from postern_session where id >= randomblob(32) order by id limit ?)`,
}

func (h *health) readPages(ctx context.Context) (err error) {
	conn, err := sqlite.OpenConn(h.path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	conn.SetInterrupt(ctx.Done())
	conn.SetBusyTimeout(readerWait)
	if err := command(conn, "pragma query_only = 1"); err != nil {
		return err
	}
	file, err := os.Stat(h.path)
	if err != nil {
		return err
	}
	if file.Size() <= maxCheckedFile {
		return quickCheck(conn)
	}
	for _, sample := range samples {
		if err := readSample(conn, sample); isFault(err) {
			return err
		}
	}
	return nil
}

// errCorrupt is what SQLite's own check found.
var errCorrupt = fmt.Errorf("%w: the database file is damaged: restore it from a backup", auth.ErrUnavailable)

// quickCheck has SQLite look at every page
// (https://www.sqlite.org/pragma.html#pragma_quick_check).
func quickCheck(conn *sqlite.Conn) error {
	stmt, _, err := conn.PrepareTransient("pragma quick_check(1)")
	if err != nil {
		return err
	}
	found, err := stmt.Step()
	verdict := ""
	if found {
		verdict = stmt.ColumnText(0)
	}
	if err := errors.Join(err, stmt.Finalize()); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w (%s)", errCorrupt, verdict)
	}
	return nil
}

func readSample(conn *sqlite.Conn, query string) error {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return err
	}
	stmt.BindInt64(1, sampledRows)
	_, err = stmt.Step()
	return errors.Join(err, stmt.Finalize())
}
