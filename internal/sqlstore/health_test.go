package sqlstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// adjustable is a clock that a test puts forward.
type adjustable struct{ ahead atomic.Int64 }

func (a *adjustable) now() time.Time          { return time.Now().Add(time.Duration(a.ahead.Load())) }
func (a *adjustable) forward(d time.Duration) { a.ahead.Add(int64(d)) }

// report is a small write.
func report(s *Store) func(t *testing.T) error {
	return func(t *testing.T) error {
		return s.ReportNode(t.Context(), auth.Node{ID: "n", Name: "n", Started: time.Now(), Seen: time.Now()}, time.Now().Add(-time.Hour))
	}
}

func TestHealth_FileIsMovedDeletedOrReplaced(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, dir, path string){
		"moved":   func(t *testing.T, _, path string) { must(t, os.Rename(path, path+".old")) },
		"deleted": func(t *testing.T, _, path string) { must(t, os.Remove(path)) },
		"replaced": func(t *testing.T, _, path string) {
			must(t, os.Rename(path, path+".old"))
			content, err := os.ReadFile(path + ".old")
			must(t, err)
			must(t, os.WriteFile(path, content, 0o600))
		},
		"folder moved": func(t *testing.T, dir, _ string) { must(t, os.Rename(dir, dir+".old")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "db")
			s := openMigrated(t, path)
			write := report(s)
			must(t, write(t))
			must(t, s.Ping(t.Context()))
			act(t, dir, path)
			// SQLite itself would go on in the file that is no longer there.
			if err := write(t); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("a write: %v, want ErrUnavailable", err)
			}
			if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) || !strings.Contains(err.Error(), "moved") {
				t.Errorf("Ping: %v", err)
			}
			if _, err := s.Identity(t.Context(), auth.SessionID{1}); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("a session check: %v, want ErrUnavailable", err)
			}
			if _, err := s.UserByID(t.Context(), 1); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("a read: %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestHealth_FileIsPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openMigrated(t, path)
	must(t, os.Rename(path, path+".old"))
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping finds nothing while the file is away")
	}
	must(t, os.Rename(path+".old", path))
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := report(s)(t); err != nil {
		t.Errorf("a write: %v", err)
	}
}

// TestHealth_NoHeartbeatWhileTheFileIsAway: commits of other processes to the
// file that is there now are not heard.
func TestHealth_NoHeartbeatWhileTheFileIsAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	beats := make(chan time.Time, 1)
	s := openAt(t, path, Options{News: func(auth.News) {}, Heartbeat: func(began time.Time) {
		select {
		case beats <- began:
		default:
		}
	}})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-beats
	must(t, os.Rename(path, path+".old"))
	moved := time.Now()
	for end := time.After(5 * lookEvery); ; {
		select {
		case began := <-beats:
			if began.After(moved.Add(lookEvery)) {
				t.Fatalf("a heartbeat %s after the file was moved", began.Sub(moved))
			}
			continue
		case <-end:
		}
		break
	}
}

// grow makes a file larger than size bytes and moves all of it out of the log.
func grow(t *testing.T, path string, size int64) {
	t.Helper()
	db := outside(t, path)
	mustExec(t, db, `begin`)
	for i := 0; ; i++ {
		mustExec(t, db, `insert into auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
			values (?, 0, ?, '', '', '', 0, 1, '2024-01-01 00:00:00')`, strings.Repeat("x", 120), fmt.Sprintf("user%d", i))
		if i%2000 == 1999 {
			mustExec(t, db, `commit`)
			mustExec(t, db, `pragma wal_checkpoint(truncate)`)
			if file, err := os.Stat(path); err != nil || file.Size() > size {
				must(t, err)
				return
			}
			mustExec(t, db, `begin`)
		}
	}
}

func TestHealth_DamagedPagesAreFound(t *testing.T) {
	for name, size := range map[string]int64{"small file": 100 << 10, "large file": maxCheckedFile} {
		t.Run(name, func(t *testing.T) {
			clock := &adjustable{}
			path := filepath.Join(t.TempDir(), "db")
			s := openAt(t, path, Options{Now: clock.now})
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			grow(t, path, size)
			clock.forward(pagesEvery)
			must(t, s.Ping(t.Context()))

			file, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			info, err := file.Stat()
			must(t, err)
			garbage := []byte(strings.Repeat("garbage!", 512))
			for offset := int64(40 * 4096); offset < info.Size(); offset += 4096 { // the schema stays
				if _, err := file.WriteAt(garbage, offset); err != nil {
					t.Fatal(err)
				}
			}
			must(t, file.Close())
			clock.forward(pagesEvery)
			if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
				t.Fatalf("Ping: %v, want ErrUnavailable", err)
			}
			if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("Ping, once more: %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestHealth_FaultIsReportedAndForgotten(t *testing.T) {
	clock := &adjustable{}
	path := filepath.Join(t.TempDir(), "db")
	s := openAt(t, path, Options{Now: clock.now})
	_ = s.health.note(codeError(t, path, "damaged"))
	if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Ping after a fault: %v, want ErrUnavailable", err)
	}
	clock.forward(faultAge + time.Second)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping later: %v", err)
	}
}

// codeError is an error of SQLite's, of a file that is no database.
func codeError(t *testing.T, beside, text string) error {
	t.Helper()
	path := beside + ".not"
	must(t, os.WriteFile(path, []byte(strings.Repeat(text, 1000)), 0o600))
	_, err := outside(t, path).Exec("select * from sqlite_master")
	if err == nil {
		t.Fatal("garbage is a database")
	}
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// backupOf returns a complete copy of the database in one file.
func backupOf(t *testing.T, s *Store) string {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup")
	mustExec(t, outside(t, s.path), "vacuum into '"+backup+"'")
	return backup
}

// TestHealth_ReplacedFileIsNotDamagedByTheFormerLog: SQLite applies a
// write-ahead log to whatever file it lies beside.
func TestHealth_ReplacedFileIsNotDamagedByTheFormerLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var log bytes.Buffer
	s := openAt(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustStart(t, s, 0)
	backup := backupOf(t, s)
	for i := 1; i < 50; i++ {
		mustStart(t, s, i)
	}
	must(t, os.Rename(backup, path))
	if err := s.Ping(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
		t.Fatalf("Ping: %v", err)
	}
	must(t, s.Close())
	if kept, err := filepath.Glob(path + "-wal-former-*"); err != nil || len(kept) != 1 || !strings.Contains(log.String(), kept[0]) {
		t.Errorf("the former log is kept as %q, %v; logged: %s", kept, err, &log)
	}
	again := openAt(t, path, Options{})
	must(t, again.Ping(t.Context()))
	var users int
	var verdict string
	db := outside(t, path)
	must(t, db.QueryRow("select count(*) from auth_user").Scan(&users))
	must(t, db.QueryRow("pragma integrity_check").Scan(&verdict))
	if users != 1 || verdict != "ok" {
		t.Errorf("%d users, want the one of the backup; integrity: %s", users, verdict)
	}
}

func TestHealth_LogThatCameWithTheNewFileStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openMigrated(t, path)
	mustStart(t, s, 0)
	must(t, os.Rename(path, path+".old"))
	must(t, os.Rename(path+"-wal", path+".old-wal"))
	must(t, os.WriteFile(path, []byte("another file"), 0o600))
	must(t, os.WriteFile(path+"-wal", []byte("its log"), 0o600))
	_ = s.Close()
	if content, err := os.ReadFile(path + "-wal"); err != nil || string(content) != "its log" {
		t.Errorf("%q, %v", content, err)
	}
}

// TestOpenSQLite_NoEmptyFileBesideALog: SQLite deletes the log of an empty file.
func TestOpenSQLite_NoEmptyFileBesideALog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := openMigrated(t, path)
	mustStart(t, s, 0)
	must(t, os.Rename(path, path+".old"))
	must(t, s.Close())
	if again, err := OpenSQLite(t.Context(), path, Options{}); err == nil {
		again.Close()
		t.Fatal("an empty database was made beside the log of the one that was moved")
	} else if !strings.Contains(err.Error(), "put the file back") {
		t.Error(err)
	}
	if _, err := InspectSQLite(t.Context(), path); err == nil {
		t.Error("the check finds nothing, and the server will not start")
	}
	must(t, os.Rename(path+".old", path))
	again := openAt(t, path, Options{})
	var users int
	must(t, outside(t, path).QueryRow("select count(*) from auth_user").Scan(&users))
	if users != 1 {
		t.Errorf("%d users, want what the log holds", users)
	}
	must(t, again.Ping(t.Context()))
}
