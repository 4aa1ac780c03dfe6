package main

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestServe_OutOfFileDescriptors fills a server that may have 64 file
// descriptors with half requests.
func TestServe_OutOfFileDescriptors(t *testing.T) {
	command := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--drain-delay", "0", "--metrics")
	limited := exec.Command("/bin/sh", append([]string{"-c", `ulimit -n 64; exec "$@"`, "sh", command.Path}, command.Args[1:]...)...)
	limited.Dir, limited.Env = command.Dir, command.Env
	s := startCommand(t, limited)
	if log := s.log.String(); !strings.Contains(log, "few file descriptors") || !strings.Contains(log, `"limit":64`) {
		t.Errorf("the start does not warn of the limit:\n%s", log)
	}
	var held []net.Conn
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	awaitLine := func(what string) {
		t.Helper()
		await(t, "the log says "+what, func() bool { return strings.Contains(s.log.String(), what) })
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", s.address, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
		if _, err := io.WriteString(conn, "GET /api/user/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	awaitLine("few file descriptors are left")
	awaitLine("out of file descriptors")
	for _, want := range []string{"LimitNOFILE=", "ulimit -n", `"limit":64`, `"open_connections":`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, conn := range held {
		conn.Close()
	}
	held = nil
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + s.address + "/-/metrics")
	if err != nil {
		t.Fatalf("with descriptors free again: %v", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", answer.StatusCode, err)
	}
	if counted := string(text); !strings.Contains(counted, `postern_listener_errors_total{reason="descriptors"}`) ||
		strings.Contains(counted, `postern_listener_errors_total{reason="descriptors"} 0`) {
		t.Error("the metric does not count")
	}
	awaitLine("connections are accepted again")
	if n := strings.Count(s.log.String(), "out of file descriptors"); n > 3 {
		t.Errorf("logged %d times", n)
	}
}
