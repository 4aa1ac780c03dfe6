package postern_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/postern-auth/postern"
)

// djangoProcess is a real Django, as Debian's python3-django has it, or the
// one that PYTHONPATH names.
type djangoProcess struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startDjango(t *testing.T, file string, environ ...string) *djangoProcess {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/django/beside.py")
	cmd.Env = append(os.Environ(), append(environ, "DB="+file, "PYTHONDONTWRITEBYTECODE=1")...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: this test needs Debian's python3-django and python3-argon2; make prepare installs them", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the Django: %v", err)
		}
	})
	return &djangoProcess{t, in, bufio.NewScanner(out)}
}

// ask returns the answer to a command, "" for null.
func (d *djangoProcess) ask(command ...string) string {
	d.t.Helper()
	line, err := json.Marshal(command)
	if err == nil {
		_, err = fmt.Fprintf(d.in, "%s\n", line)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	if !d.out.Scan() {
		d.t.Fatalf("the Django ended at %s: is python3-django installed? make prepare installs it", command[0])
	}
	var answer any
	if err := json.Unmarshal(d.out.Bytes(), &answer); err != nil {
		d.t.Fatal(err)
	}
	if answer == nil {
		return ""
	}
	return fmt.Sprint(answer)
}

// besideLogins is how many logins each case has; POSTERN_TEST_LOGINS overrides
// it, for figures.
func besideLogins(t *testing.T) int {
	text := os.Getenv("POSTERN_TEST_LOGINS")
	if text == "" {
		return 12
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBesideDjango_HashesAndSessionsStay: users log in here and there by turns.
// Each user's hash changes once at most, and no session ends but by that.
func TestBesideDjango_HashesAndSessionsStay(t *testing.T) {
	t.Parallel()
	const users = 3
	for _, tt := range []struct {
		name    string
		environ []string // of the Django
		before  []string // of the Django that made the users
		old     bool     // all users but one have hashes of an older Django
	}{
		{name: "Django's hashers without argon2-cffi", environ: []string{"NO_ARGON2=1"}},
		{name: "Django's hashers with argon2-cffi"},
		{name: "argon2 first", environ: []string{"HASHERS=Argon2PasswordHasher,PBKDF2PasswordHasher"}},
		{name: "users of an older Django", environ: []string{"NO_ARGON2=1"}, old: true},
		{name: "users of a Django that preferred another hasher", environ: []string{"NO_ARGON2=1"}, before: []string{"HASHERS=PBKDF2SHA1PasswordHasher"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "both.sqlite3")
			maker := startDjango(t, file, append(tt.environ, tt.before...)...)
			maker.ask("migrate")
			db, err := sql.Open("sqlite", file+"?_busy_timeout=30000")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var names []string
			for i := range users {
				names = append(names, fmt.Sprintf("user%d", i))
				maker.ask("create", names[i], goodPassword)
				if tt.old && i > 0 {
					change(t, db, `delete from auth_user where username = ?`, names[i])
					userOf(t, db, names[i], goodPassword, pbkdf2(36_000))
				}
			}
			django := startDjango(t, file, tt.environ...)
			config := testConfig(t)
			config.Database, config.Passwords = "sqlite:"+file, postern.Passwords{}
			srv, base := startServer(t, config)

			here, there := map[string]*client{}, map[string]string{}
			changes := map[string]int{}
			lost := 0
			for i := range besideLogins(t) {
				name := names[i/2%users]
				before := storedHash(t, db, name)
				if i%2 == 0 {
					if there[name] = django.ask("login", name, goodPassword); there[name] == "" {
						t.Fatalf("login %d: the Django refuses %s", i, name)
					}
				} else {
					here[name] = newClient(t, base)
					if status, body := here[name].login(name, goodPassword); status != http.StatusOK {
						t.Fatalf("login %d: %s: %d %s", i, name, status, body)
					}
				}
				srv.LookForDjango(t)
				changed := storedHash(t, db, name) != before
				if changed {
					changes[name]++
					if i%2 == 0 {
						delete(here, name)
					} else {
						delete(there, name)
					}
				}
				for other := range there {
					if django.ask("user", there[other]) != other {
						t.Errorf("login %d of %s ended the Django's session of %s", i, name, other)
						lost++
					}
				}
				for other, c := range here {
					if status, _ := c.do("GET", "/api/user/", nil); status != http.StatusOK {
						t.Errorf("login %d of %s ended the session of %s", i, name, other)
						lost++
					}
				}
			}
			total := 0
			for name, n := range changes {
				if total += n; n > 1 {
					t.Errorf("the hash of %s was changed %d times", name, n)
				}
			}
			t.Logf("Django %s: %d logins of %d users, %d hashes changed, %d sessions lost without a change", django.ask("version"), besideLogins(t), users, total, lost)
		})
	}
}
