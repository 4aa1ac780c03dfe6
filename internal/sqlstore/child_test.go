package sqlstore

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
)

// Some promises can be tested only across processes: the test binary runs
// itself again with one of these acts.
const (
	childAct  = "POSTERN_TEST_CHILD"
	childPath = "POSTERN_TEST_DATABASE"
)

func TestMain(m *testing.M) {
	act := map[string]func(path string) error{"migrate": migrateChild, "register": registerChild, "lock": lockChild}[os.Getenv(childAct)]
	if act == nil {
		os.Exit(m.Run())
	}
	if err := act(os.Getenv(childPath)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child returns a process that will do an act of this file.
func child(t *testing.T, act, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childAct+"="+act, childPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// migrateChild prints the steps that it took.
func migrateChild(path string) error {
	s, err := OpenSQLite(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	steps, err := s.Migrate(context.Background())
	for _, step := range steps {
		fmt.Println(step.Name)
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// registerChild registers users without end and prints the name of each that
// is stored.
func registerChild(path string) error {
	s, err := OpenSQLite(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	if _, err := s.Migrate(context.Background()); err != nil {
		return err
	}
	var next atomic.Int64
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				i := int(next.Add(1))
				u := benchUser(i)
				if err := s.Start(context.Background(), &auth.Start{Session: benchSession(i), NewUser: &u}); err != nil {
					failed <- err
					return
				}
				fmt.Println(u.Username)
			}
		}()
	}
	return <-failed
}

// lockChild fails if the database is locked.
func lockChild(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("begin immediate; rollback")
	return err
}

func TestProcessesThatMigrateAtOnceShareTheWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	outputs := make(chan string)
	const processes = 4
	for range processes {
		go func() {
			out, err := child(t, "migrate", path).Output()
			if err != nil {
				t.Errorf("a process that migrates: %v", err)
			}
			outputs <- string(out)
		}()
	}
	var took []string
	for range processes {
		took = append(took, strings.Fields(<-outputs)...)
	}
	if got, want := strings.Join(took, " "), everyStep; got != want {
		t.Errorf("the processes took the steps %q, want %q", got, want)
	}
	if err := openAt(t, path, Options{}).Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatWasAnsweredOutlivesAKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.sqlite3")
	cmd := child(t, "register", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var answered []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		answered = append(answered, lines.Text())
		if len(answered) == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(answered) < 300 {
		t.Fatalf("the process ended by itself after %d users: %v", len(answered), err)
	}

	s := openAt(t, path, Options{})
	for _, name := range answered {
		u, err := s.UserByName(t.Context(), name)
		if err != nil {
			t.Fatalf("%s, of %d that were answered: %v", name, len(answered), err)
		}
		sessions, err := s.Sessions(t.Context(), auth.SessionFilter{UserID: u.ID})
		if err != nil || len(sessions) != 1 {
			t.Fatalf("%s has %d sessions, %v", name, len(sessions), err)
		}
	}
}
