package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startOnPipe starts a server whose log goes into a pipe, and returns the
// pipe's reading end and the server's address when the server listens.
func startOnPipe(t *testing.T, args ...string) (command *exec.Cmd, log *os.File, address string) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	command = serveCommand(t, t.TempDir(), append([]string{"--addr", "127.0.0.1:0", "--drain-delay", "0"}, args...)...)
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	if err := reader.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			return command, reader, line.Address
		}
	}
	t.Fatal("the server does not listen")
	return nil, nil, ""
}

// stopsCleanly asks the server to stop and demands exit code 0.
func stopsCleanly(t *testing.T, command *exec.Cmd, sig syscall.Signal) {
	t.Helper()
	if err := command.Process.Signal(sig); err != nil {
		t.Fatalf("%s: %v", sig, err)
	}
	timeout := time.AfterFunc(30*time.Second, func() { _ = command.Process.Kill() })
	defer timeout.Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("after %s: %v, want exit code 0", sig, err)
	}
}

func TestServe_LogReaderGoesAway(t *testing.T) {
	command, log, address := startOnPipe(t)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each is logged into the broken pipe
		if status := statusOf(t, "http://"+address+"/api/user/"); status != http.StatusForbidden {
			t.Errorf("status %d, want 403", status)
		}
	}
	stopsCleanly(t, command, syscall.SIGTERM)
}

func TestServe_LogReaderStalls(t *testing.T) {
	command, log, address := startOnPipe(t)
	// A pipe holds 64 KiB.
	path := "http://" + address + "/" + strings.Repeat("a", 100)
	for range 1000 {
		if status := statusOf(t, path); status != http.StatusNotFound {
			t.Fatalf("status %d, want 404", status)
		}
	}
	// Whoever reads at last has all of it: less was waiting than is kept.
	end := make(chan int)
	go func() {
		all, _ := io.ReadAll(log)
		end <- strings.Count(string(all), `"msg":"request"`)
	}()
	stopsCleanly(t, command, syscall.SIGTERM)
	// The first lines may have been read together with the last of the start.
	if lines := <-end; lines < 980 {
		t.Errorf("%d requests were logged, want about 1000", lines)
	}
}

func TestServe_SignalsDrainOrAreIgnored(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		command, _, _ := startOnPipe(t)
		stopsCleanly(t, command, sig)
	}
	command, _, address := startOnPipe(t)
	for _, sig := range []syscall.Signal{
		syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPROF,
		syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR, syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGCONT,
	} {
		if err := command.Process.Signal(sig); err != nil {
			t.Fatalf("%s: %v", sig, err)
		}
		if status := statusOf(t, "http://"+address+"/api/user/"); status != http.StatusForbidden {
			t.Errorf("after %s: status %d, want 403", sig, status)
		}
	}
	stopsCleanly(t, command, syscall.SIGTERM)
}

// TestServe_HangupIsLeftAloneUnderNohup starts the server from a shell that
// ignores SIGHUP, as nohup does.
func TestServe_HangupIsLeftAloneUnderNohup(t *testing.T) {
	path, err := exec.LookPath("postern")
	if err != nil {
		t.Fatal(err)
	}
	plain := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--drain-delay", "0")
	command := exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$@"`, "sh", path}, plain.Args[1:]...)...)
	command.Dir, command.Env = plain.Dir, plain.Env
	s := startCommand(t, command)
	s.signal(syscall.SIGHUP)
	if status := statusOf(t, "http://"+s.address+"/api/user/"); status != http.StatusForbidden {
		t.Errorf("after SIGHUP: status %d, want 403", status)
	}
	s.signal(syscall.SIGTERM)
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}
