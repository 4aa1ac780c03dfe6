package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-auth/postern/internal/pgstore/pgtest"
	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// TestMain makes this test binary answer to the name postern as well.
func TestMain(m *testing.M) {
	// The race detector would sleep for a second at the end of each run.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	testscript.Main(m, map[string]func(){"postern": main})
}

// cheapHashing lets tests log in thousands of times.
var cheapHashing = []string{"POSTERN_ARGON2_MEMORY_KIB=64", "POSTERN_ARGON2_TIME=1"}

const testSecret = "test-secret-key-of-at-least-32-characters"

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			sockets, err := os.MkdirTemp("", "postern") // a socket's path must be short
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(sockets) })
			env.Vars = append(env.Vars, cheapHashing...)
			env.Setenv("SOCKET", filepath.Join(sockets, "s"))
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("SECRET", testSecret)
			env.Values[browsersKey{}] = map[string]*http.Client{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"http":      visit,
			"postgres":  func(ts *testscript.TestScript, _ bool, args []string) { startPostgres(t, ts, args) },
			"redis":     func(ts *testscript.TestScript, _ bool, args []string) { startRedis(t, ts, args) },
			"soon":      visitSoon,
			"sqlite":    runSQL,
			"terminate": terminate,
		},
		Deadline:            time.Now().Add(10 * time.Minute),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// exits runs a program that must end with that code: exits 2 postern serve.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// runSQL runs the statements of a file in an SQLite database:
//
//	sqlite DATABASE FILE
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite DATABASE FILE")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(ts.ReadFile(args[1]))
	ts.Check(err)
}

// startRedis starts a server, which is at $REDIS then, HOST:PORT:
//
//	redis [ARGUMENT…]
func startRedis(t *testing.T, ts *testscript.TestScript, args []string) {
	ts.Setenv("REDIS", redistest.Start(t, args...).Address())
}

// startPostgres starts a server with more lines of postgresql.conf, with a
// standby; their databases postgres are at the URLs $POSTGRES and $STANDBY
// then:
//
//	postgres [SETTING=VALUE…]
func startPostgres(t *testing.T, ts *testscript.TestScript, args []string) {
	server := pgtest.Start(t, args...)
	ts.Setenv("POSTGRES", server.URL("postgres"))
	ts.Setenv("STANDBY", server.StartReplica(t).URL("postgres"))
}

// terminate sends SIGTERM to what runs in the background.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

type browsersKey struct{}

// visit sends a request to the server at the unix socket $SOCKET, once it is
// there, with the cookies of one of several browsers, and checks the status:
//
//	http BROWSER STATUS METHOD PATH [JSON]
//
// The body of the answer is left in the file answer.
func visit(ts *testscript.TestScript, neg bool, args []string) {
	if got, content := ask(ts, neg, args); got != args[1] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[2], args[3], got, args[1], content)
	}
}

// visitSoon is visit for what another process has just changed, which the
// server notices within a second: it asks again until the status is right.
func visitSoon(ts *testscript.TestScript, neg bool, args []string) {
	patience := time.Now().Add(10 * time.Second)
	for {
		got, content := ask(ts, neg, args)
		if got == args[1] {
			return
		}
		if time.Now().After(patience) {
			ts.Fatalf("%s %s: the status stays %s, want %s: %s", args[2], args[3], got, args[1], content)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func ask(ts *testscript.TestScript, neg bool, args []string) (status string, content []byte) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: http BROWSER STATUS METHOD PATH [JSON]")
	}
	name, method, path := args[0], args[2], args[3]
	body := ""
	if len(args) > 4 {
		body = args[4]
	}
	browsers := ts.Value(browsersKey{}).(map[string]*http.Client)
	if browsers[name] == nil {
		browsers[name] = browser(ts.Getenv("SOCKET"))
	}
	answer, err := send(browsers[name], method, path, body)
	ts.Check(err)
	defer answer.Body.Close()
	content, err = io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), content, 0o600))
	return strconv.Itoa(answer.StatusCode), content
}

// browser is a client with its own cookies that waits for the server to come
// up.
func browser(socket string) *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{
		Jar:     jar,
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				for {
					var dialer net.Dialer
					conn, err := dialer.DialContext(ctx, "unix", socket)
					if err == nil || ctx.Err() != nil {
						return conn, err
					}
					select {
					case <-time.After(10 * time.Millisecond):
					case <-ctx.Done():
					}
				}
			},
		},
	}
}

func send(client *http.Client, method, path, body string) (*http.Response, error) {
	site := &url.URL{Scheme: "http", Host: "localhost", Path: path}
	r, err := http.NewRequest(method, site.String(), bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for _, cookie := range client.Jar.Cookies(site) {
		if cookie.Name == "csrftoken" {
			r.Header.Set("X-CSRFToken", cookie.Value)
		}
	}
	return client.Do(r)
}
