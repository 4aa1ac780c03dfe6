package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// TestReady_DiskIsFull limits the size of the files that the server may write,
// which the write-ahead log reaches as it would the end of a disk.
func TestReady_DiskIsFull(t *testing.T) {
	dir := t.TempDir()
	plain := serveCommand(t, dir, "--addr", "127.0.0.1:0", "--drain-delay", "0")
	if out, err := migrateAt(t, plain); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	// In units of 512 bytes: 1 MiB.
	command := exec.Command("sh", append([]string{"-c", `ulimit -f 2048; exec "$@"`, "sh"}, plain.Args...)...)
	command.Dir, command.Env = plain.Dir, plain.Env
	s := startCommand(t, command)
	base := "http://" + s.address
	if status := statusOf(t, base+"/-/ready"); status != http.StatusOK {
		t.Fatalf("ready before: %d", status)
	}
	status := 0
	for i := 0; status != http.StatusServiceUnavailable; i++ {
		if i == 2000 {
			t.Fatal("the log does not reach its limit")
		}
		status = registerOnce(t, base, fmt.Sprintf("user%d", i))
		if status != http.StatusCreated && status != http.StatusServiceUnavailable {
			t.Fatalf("register: %d", status)
		}
	}
	var body string
	for patience := time.Now().Add(30 * time.Second); status != http.StatusServiceUnavailable || body == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatalf("readiness stays green: %s", body)
		}
		answer, err := http.Get(base + "/-/ready")
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		status, body = answer.StatusCode, string(content)
	}
	// Nothing else is wrong: a session check is answered.
	if status := statusOf(t, base+"/api/user/"); status != http.StatusForbidden {
		t.Errorf("a session check is answered with %d, want 403", status)
	}
}

func migrateAt(t *testing.T, serve *exec.Cmd) ([]byte, error) {
	t.Helper()
	migrate := exec.Command(serve.Path, "migrate", "--database", serve.Args[3])
	migrate.Dir, migrate.Env = serve.Dir, serve.Env
	return migrate.CombinedOutput()
}

func registerOnce(t *testing.T, base, name string) int {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "email": "", "password": "tr0ub4dor-x9", "password2": "tr0ub4dor-x9"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(base+"/api/register/", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
