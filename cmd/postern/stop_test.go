package main

import (
	"errors"
	"io"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func statusOf(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// TestSIGTERMTurnsReadinessRedThenDrains asks over connections that are kept
// and over new ones.
func TestSIGTERMTurnsReadinessRedThenDrains(t *testing.T) {
	s := startServer(t, t.TempDir(), "--drain-delay", "5s")
	base := "http://" + s.address
	if status := statusOf(t, base+"/-/ready"); status != http.StatusOK {
		t.Fatalf("ready before: %d", status)
	}
	s.signal(syscall.SIGTERM)
	for patience := time.Now().Add(10 * time.Second); statusOf(t, base+"/-/ready") != http.StatusServiceUnavailable; time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("readiness stays green")
		}
	}
	if status := statusOf(t, base+"/api/user/"); status != http.StatusForbidden {
		t.Errorf("the API answers %d while readiness is red, want 403", status)
	}
	http.DefaultClient.CloseIdleConnections()
	if status := statusOf(t, base+"/-/live"); status != http.StatusOK {
		t.Errorf("a new connection is answered with %d while readiness is red, want 200", status)
	}
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}

func TestASecondSignalDoesNotWaitForTheDelay(t *testing.T) {
	s := startServer(t, t.TempDir(), "--drain-delay", "1h")
	s.signal(syscall.SIGTERM)
	for patience := time.Now().Add(10 * time.Second); statusOf(t, "http://"+s.address+"/-/ready") != http.StatusServiceUnavailable; time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("readiness stays green")
		}
	}
	s.signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := s.end(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("after a second SIGTERM: %v, want exit code 1", err)
	}
}
