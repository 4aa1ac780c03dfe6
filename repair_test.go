package postern

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A user whose row can't be read is shown, repaired and then like any other.
func TestDirectory_RepairsWhatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sqlite3")
	var log bytes.Buffer
	c := Config{Database: "sqlite:" + path, SecretKey: strings.Repeat("k3y-", 12), Log: slog.New(slog.NewTextHandler(&log, nil))}
	if _, err := Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`insert into auth_user (id, password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name, last_login)
		values (7, x'736563726574', 0, x'ff', x'00', cast(x'ff' as text), 0, 1, '2020-02-30 00:00:00', '', '2020-13-01 00:00:00')`)
	if err != nil {
		t.Fatal(err)
	}
	d, err := OpenDirectory(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	u, err := d.UserByID(t.Context(), 7)
	want := []string{"password", "last_login", "username", "last_name", "email", "date_joined"}
	if err != nil || !slices.Equal(u.Unreadable, want) || u.PasswordHasher != "unknown" {
		t.Fatalf("%+v, %v", u, err)
	}
	if text := log.String(); strings.Count(text, "table=auth_user id=7") != len(want) || strings.Contains(text, "secret") {
		t.Errorf("log: %s", text)
	}
	if _, err := d.RepairUser(t.Context(), 7, Repair{}); !errors.Is(err, ErrNeedsUsername) {
		t.Errorf("without a name: %v", err)
	}
	if _, err := d.RepairUser(t.Context(), 8, Repair{}); !errors.Is(err, ErrNoUser) {
		t.Errorf("nobody: %v", err)
	}
	joined := time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC)
	repaired, err := d.RepairUser(t.Context(), 7, Repair{Username: "ann", Email: "ann@example.org", DateJoined: joined})
	if err != nil || !slices.Equal(repaired, want) {
		t.Fatalf("%v, %v", repaired, err)
	}
	u, err = d.User(t.Context(), "ann")
	if err != nil || u.Unreadable != nil || u.Email != "ann@example.org" || !u.DateJoined.Equal(joined) || !u.LastLogin.IsZero() || u.PasswordHasher != "unusable" {
		t.Errorf("%+v, %v", u, err)
	}
	if repaired, err := d.RepairUser(t.Context(), 7, Repair{}); err != nil || repaired != nil {
		t.Errorf("again: %v, %v", repaired, err)
	}
	if err := d.DeleteUserByID(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

// Who can't log in should not be the first to find out.
func TestOpen_WarnsOfUnreadableUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sqlite3")
	var log syncBuffer
	c := Config{
		Database: "sqlite:" + path, SecretKey: "r7Qz-mK2x_Wd9Lp4Tn8Vb3Ys6Hc1Fg5Ja0Ue", AllowedHosts: []string{"x"},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	if _, err := Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`insert into auth_user (id, password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
		values (-3, '!', 0, 'ann', '', '', 0, 1, '2020-02-30 00:00:00', ''), (4, '!', 0, 'bob', '', '', 0, 1, '2020-02-03', '')`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := CheckDatabase(t.Context(), c)
	if err != nil || len(found.Warnings) != 1 || !strings.HasPrefix(found.Warnings[0], "auth_user, id -3: unreadable date_joined") {
		t.Errorf("check: %+v, %v", found, err)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := "table=auth_user id=-3 column=date_joined"
	for end := time.Now().Add(30 * time.Second); !strings.Contains(log.text(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no warning in %q", log.text())
		}
	}
	if strings.Contains(log.text(), "id=4") {
		t.Errorf("a warning of a user who can be read: %s", log.text())
	}
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
