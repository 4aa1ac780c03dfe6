package postern_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/password"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

// djangoProject is a copy of the database in testdata/django, without its users.
func djangoProject(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	content, err := os.ReadFile("testdata/django/django-5.2.sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "django.sqlite3")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err = sql.Open("sqlite", path+"?_busy_timeout=10000"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	change(t, db, `delete from auth_user`)
	return path, db
}

func change(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// userOf adds a user whose password is hashed so; it logged in a moment ago.
func userOf(t *testing.T, db *sql.DB, name, plain string, o password.Options) {
	t.Helper()
	h, err := password.New(o)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := h.Hash(plain)
	if err != nil {
		t.Fatal(err)
	}
	change(t, db, `insert into auth_user (username, password, last_login, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
		values (?, ?, '2026-01-02 03:04:05', 0, '', '', '', 0, 1, '2026-01-02 03:04:05')`, name, encoded)
}

func storedHash(t *testing.T, db *sql.DB, name string) (encoded string) {
	t.Helper()
	if err := db.QueryRow(`select password from auth_user where username = ?`, name).Scan(&encoded); err != nil {
		t.Fatal(err)
	}
	return encoded
}

// logText is a log that a test reads.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns what was logged since it was last called.
func (l *logText) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

func pbkdf2(iterations int) password.Options {
	return password.Options{Algorithm: password.PBKDF2SHA256, PBKDF2Iterations: iterations}
}

func TestNeighbour_HashesAreThoseOfTheDjango(t *testing.T) {
	path, db := djangoProject(t)
	userOf(t, db, "ada", goodPassword, pbkdf2(1200))
	userOf(t, db, "bob", goodPassword, pbkdf2(1200))
	userOf(t, db, "low", goodPassword, pbkdf2(900))
	userOf(t, db, "odd", goodPassword, password.Options{Algorithm: password.Argon2, Argon2: password.Argon2Cost{MemoryKiB: 64, Time: 1, Parallelism: 1}})
	ada, odd := storedHash(t, db, "ada"), storedHash(t, db, "odd")
	config := testConfig(t)
	var log logText
	config.Database, config.Passwords, config.Log = "sqlite:"+path, postern.Passwords{}, slog.New(slog.NewTextHandler(&log, nil))
	srv, base := startServer(t, config)
	if text := log.take(); !strings.Contains(text, `hasher="pbkdf2_sha256 1200 iterations"`) || !strings.Contains(text, "3 of the 4 hashes") ||
		!strings.Contains(text, "POSTERN_SESSION_COOKIE_NAME and POSTERN_CSRF_COOKIE_NAME") || strings.Count(text, "level=WARN") != 1 {
		t.Errorf("the start says: %s", text)
	}
	hasher := func(name, want string) {
		t.Helper()
		if u, err := srv.User(t.Context(), name); err != nil || u.PasswordHasher != want {
			t.Errorf("%s: %+v, %v; want %s", name, u, err, want)
		}
	}
	const chosen = "pbkdf2_sha256 1200 iterations"
	for _, name := range []string{"ada", "low", "odd", "ada"} {
		c := newClient(t, base)
		if status, body := c.login(name, goodPassword); status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		hasher(name, chosen)
		c.isIn(true)
	}
	if now := storedHash(t, db, "ada"); now != ada {
		t.Errorf("a hash of the Django's was changed: %s", now)
	}
	newClient(t, base).register("neo")
	hasher("neo", chosen)
	if _, err := srv.CreateUser(t.Context(), postern.NewUser{Username: "root", Password: goodPassword, IsSuperuser: true}); err != nil {
		t.Fatal(err)
	}
	hasher("root", chosen)
	if err := srv.SetPassword(t.Context(), "bob", goodPassword+"!"); err != nil {
		t.Fatal(err)
	}
	hasher("bob", chosen)
	log.take()

	// The Django is upgraded, and has logged somebody in.
	userOf(t, db, "new", goodPassword, pbkdf2(1500))
	srv.LookForDjango(t)
	if text := log.take(); !strings.Contains(text, `hasher="pbkdf2_sha256 1500 iterations"`) {
		t.Errorf("the log says: %s", text)
	}
	srv.LookForDjango(t)
	if text := log.take(); text != "" {
		t.Errorf("the log says of no change: %s", text)
	}
	// Who logged in lately has the hash that the Django left, or has made.
	logInAsAda := func() {
		t.Helper()
		if status, _ := newClient(t, base).login("ada", goodPassword); status != http.StatusOK {
			t.Error(status)
		}
	}
	logInAsAda()
	hasher("ada", chosen)
	change(t, db, `update auth_user set last_login = '2020-01-01 00:00:00' where username = 'ada'`)
	logInAsAda()
	hasher("ada", "pbkdf2_sha256 1500 iterations")

	// Most users have an argon2 hash now.
	change(t, db, `update auth_user set password = ? where username in ('ada', 'low', 'bob', 'neo', 'root')`, odd)
	srv.LookForDjango(t)
	newClient(t, base).register("trinity")
	hasher("trinity", "argon2id m=64 t=1 p=1")

	// A command that opens the database chooses as the server does.
	d, err := postern.OpenDirectory(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.CreateUser(t.Context(), postern.NewUser{Username: "oracle", Password: goodPassword}); err != nil {
		t.Fatal(err)
	}
	hasher("oracle", "argon2id m=64 t=1 p=1")
}

func TestNeighbour_SettingsOverride(t *testing.T) {
	path, db := djangoProject(t)
	userOf(t, db, "ada", goodPassword, pbkdf2(1200))
	for _, tt := range []struct {
		passwords postern.Passwords
		want      string
	}{
		{postern.Passwords{PBKDF2Iterations: 1300}, "pbkdf2_sha256 1300 iterations"},
		{postern.Passwords{Hasher: "pbkdf2_sha256"}, "pbkdf2_sha256 1200 iterations"},
		{postern.Passwords{Hasher: "scrypt", ScryptN: 16}, "scrypt n=16 r=8 p=5"},
	} {
		config := testConfig(t)
		config.Database, config.Passwords = "sqlite:"+path, tt.passwords
		config.Cookie.Name, config.CSRF.Cookie.Name = "postern_session", "postern_csrf"
		found, err := postern.CheckDatabase(t.Context(), config)
		if err != nil || !strings.HasPrefix(found.Hashes, tt.want+" (") || len(found.Warnings) > 0 {
			t.Errorf("%+v: %+v, %v; want %s", tt.passwords, found, err, tt.want)
		}
	}
}

// TestNeighbour_BeginsAndEnds: a Django is pointed at a running Postern's
// database.
func TestNeighbour_BeginsAndEnds(t *testing.T) {
	config := testConfig(t)
	var log logText
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	srv, base := startServer(t, config)
	if text := log.take(); strings.Contains(text, "Django") {
		t.Errorf("a database of our own: %s", text)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(config.Database, "sqlite:")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	userOf(t, db, "ada", goodPassword, pbkdf2(1200))
	for _, step := range []struct{ statement, want string }{
		{`insert into django_migrations (app, name, applied) values ('admin', '0001_initial', '2026-01-02 03:04:05')`, "pbkdf2_sha256 1200 iterations"},
		{`delete from django_migrations where app = 'admin'`, "argon2id m=64 t=1 p=1"},
	} {
		change(t, db, step.statement)
		srv.LookForDjango(t)
		change(t, db, `delete from auth_user where username = 'neo'`)
		newClient(t, base).register("neo")
		if u, err := srv.User(t.Context(), "neo"); err != nil || u.PasswordHasher != step.want {
			t.Errorf("%+v, %v; want %s", u, err, step.want)
		}
		if text := log.take(); !strings.Contains(text, "Django project") {
			t.Errorf("the log says: %s", text)
		}
	}
}

// TestNeighbour_UsersOfAnotherModelAreRefused by everything that opens the
// database, and nothing is made in it.
func TestNeighbour_UsersOfAnotherModelAreRefused(t *testing.T) {
	const tables = `create table django_migrations (id integer primary key, app varchar(255) not null, name varchar(255) not null, applied %[1]s not null);
		insert into django_migrations values (1, 'auth', '0001_initial', '2024-01-01 00:00:00'), (2, 'accounts', '0001_initial', '2024-01-01 00:00:00');
		create table accounts_user (id integer primary key, password varchar(128) not null, last_login %[1]s, username varchar(150) not null unique);
		insert into accounts_user (id, password, username) values (1, '!', 'ada')`
	path := filepath.Join(t.TempDir(), "custom.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	change(t, db, fmt.Sprintf(tables, "datetime"))
	url := pgtest.Database(t)
	for statement := range strings.SplitSeq(fmt.Sprintf(tables, "timestamp with time zone"), ";\n") {
		pgtest.Exec(t, url, statement)
	}
	for _, database := range []string{"sqlite:" + path, url} {
		config := testConfig(t)
		config.Database = database
		for name, act := range map[string]func() error{
			"Open":          func() error { _, err := postern.Open(t.Context(), config); return err },
			"OpenDirectory": func() error { _, err := postern.OpenDirectory(t.Context(), config); return err },
			"Migrate":       func() error { _, err := postern.Migrate(t.Context(), config); return err },
			"Migrations":    func() error { _, err := postern.Migrations(t.Context(), config); return err },
			"CheckDatabase": func() error { _, err := postern.CheckDatabase(t.Context(), config); return err },
		} {
			err := act()
			refused, ok := errors.AsType[*postern.ConfigError](err)
			if !ok || refused.Setting != "POSTERN_DATABASE_URL" || !strings.Contains(refused.Problem, "table accounts_user") || !strings.Contains(refused.Problem, "database of its own") {
				t.Errorf("%s: %s = %v", database, name, err)
			}
		}
	}
	var n int
	if err := db.QueryRow(`select count(*) from sqlite_master where type = 'table'`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d tables, %v", n, err)
	}
}

// TestRegister_ARuleOfTheDatabaseIsAFieldsError, not a failure of the server.
func TestRegister_ARuleOfTheDatabaseIsAFieldsError(t *testing.T) {
	config := testConfig(t)
	var log logText
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	srv, base := startServer(t, config)
	db, err := sql.Open("sqlite", strings.TrimPrefix(config.Database, "sqlite:")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	register := func(name, email string) (int, string) {
		return newClient(t, base).do("POST", "/api/register/", map[string]string{"username": name, "email": email, "password": goodPassword, "password2": goodPassword})
	}
	if status, body := register("ada", "ada@example.com"); status != http.StatusCreated {
		t.Fatal(status, body)
	}
	change(t, db, `create unique index one_address on auth_user (lower(email))`)
	if status, body := register("bob", "ADA@example.com"); status != http.StatusBadRequest || body != `{"email":["user with this email address already exists."]}` {
		t.Errorf("an address that another has: %d %s", status, body)
	}
	_, err = srv.CreateUser(t.Context(), postern.NewUser{Username: "bob", Email: "ada@example.com", Password: goodPassword})
	if invalid, ok := errors.AsType[*postern.InvalidFieldError](err); !ok || invalid.Field != "email" {
		t.Errorf("CreateUser = %v", err)
	}
	log.take()
	change(t, db, `create trigger "no_more" before insert on auth_user begin select raise(abort, 'no more'); end`)
	for range 2 {
		if status, body := register("eve", "eve@example.com"); status != http.StatusBadRequest || !strings.HasPrefix(body, `{"non_field_errors":["`) {
			t.Errorf("a trigger: %d %s", status, body)
		}
	}
	if text := log.take(); strings.Count(text, "a rule that was added to auth_user refuses") != 1 || !strings.Contains(text, "a trigger") {
		t.Errorf("the log says: %s", text)
	}
}
