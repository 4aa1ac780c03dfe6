package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// socket is a listener or a connection without one.
type socket interface{ File() (*os.File, error) }

// asService makes a command a service: like systemd, it passes the sockets as
// descriptors 3 and up, and sets LISTEN_PID to the server's own process.
func asService(t *testing.T, command *exec.Cmd, sockets ...socket) *exec.Cmd {
	t.Helper()
	service := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"`, "sh"}, command.Args...)...)
	service.Dir = command.Dir
	service.Env = append(command.Env, "LISTEN_FDS="+strconv.Itoa(len(sockets)))
	for _, s := range sockets {
		file, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		service.ExtraFiles = append(service.ExtraFiles, file)
	}
	return service
}

func openSocket(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// notifySocket is the end of NOTIFY_SOCKET that systemd reads.
func notifySocket(t *testing.T) (path string, conn *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "notify")
	conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, conn
}

func nextState(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 256)
	n, err := conn.Read(text)
	if err != nil {
		t.Fatalf("no word to systemd: %v", err)
	}
	return string(text[:n])
}

func TestASocketOfSystemdIsTakenAndToldAbout(t *testing.T) {
	first, second := openSocket(t), openSocket(t)
	path, told := notifySocket(t)
	command := asService(t, serveCommand(t, t.TempDir(), "--drain-delay", "0"), first, second)
	command.Env = append(command.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000")
	s := startCommand(t, command)
	for _, l := range []*net.TCPListener{first, second} {
		answer, err := http.Get("http://" + l.Addr().String() + "/-/live")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %d, want 200", answer.StatusCode)
		}
	}
	if s.address != first.Addr().String() {
		t.Errorf("listens on %s, want %s", s.address, first.Addr())
	}
	if state := nextState(t, told); state != "READY=1" {
		t.Errorf("the first word to systemd is %q, want READY=1", state)
	}
	for range 3 {
		if state := nextState(t, told); state != "WATCHDOG=1" {
			t.Errorf("systemd is told %q, want signs of life", state)
		}
	}
	s.signal(syscall.SIGTERM)
	for state := ""; state != "STOPPING=1"; {
		if state = nextState(t, told); state != "WATCHDOG=1" && state != "STOPPING=1" {
			t.Errorf("systemd is told %q at the stop", state)
		}
	}
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}

// TestAnAddressBesideSystemdsSocketIsAMistake: which one was meant?
func TestAnAddressBesideSystemdsSocketIsAMistake(t *testing.T) {
	service := asService(t, serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--unix-socket", "s"), openSocket(t))
	output, err := service.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
		t.Errorf("%v, want exit code %d", err, exitUsage)
	}
	for _, name := range []string{"--addr: is set, but systemd passes", "--unix-socket: is set, but systemd passes"} {
		if !strings.Contains(string(output), name) {
			t.Errorf("no line has %q:\n%s", name, output)
		}
	}
}

func TestASocketThatTakesNoConnectionsIsRefused(t *testing.T) {
	datagrams, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	output, err := asService(t, serveCommand(t, t.TempDir()), openSocket(t), datagrams).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(output), "takes no connections") {
		t.Errorf("%v, want exit code %d and a reason:\n%s", err, exitFailed, output)
	}
}

// TestSocketsOfAnotherProcessAreLeftAlone: the environment of a service is
// inherited by its children.
func TestSocketsOfAnotherProcessAreLeftAlone(t *testing.T) {
	command := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--drain-delay", "0")
	command.Env = append(command.Env, "LISTEN_FDS=1", "LISTEN_PID=1")
	startCommand(t, command)
}
