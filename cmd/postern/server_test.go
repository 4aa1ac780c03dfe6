package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a running "postern serve".
type server struct {
	t       *testing.T
	command *exec.Cmd
	address string
	log     lockedBuffer
	exited  chan error
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) add(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buffer.Write(append(line, '\n'))
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// startServer starts the program on a free port, on the database in dir, and
// waits until it listens.
func startServer(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	args = append([]string{"--addr", "127.0.0.1:0", "--drain-delay", "0"}, args...)
	return startCommand(t, serveCommand(t, dir, args...))
}

// serveCommand is "postern serve" on the database in dir, not yet started.
func serveCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("postern")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, append([]string{"serve", "--database", "sqlite:" + filepath.Join(dir, "db"),
		"--allowed-hosts", "127.0.0.1", "--throttle", "off", "--log-format", "json"}, args...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), append([]string{"POSTERN_SECRET_KEY=" + testSecret}, cheapHashing...)...)
	return command
}

// startCommand starts a server and waits until it listens.
func startCommand(t *testing.T, command *exec.Cmd) *server {
	t.Helper()
	s := &server{t: t, command: command, exited: make(chan error, 1)}
	stderr, err := s.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go s.read(stderr, listening)
	t.Cleanup(func() {
		_ = s.command.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log.String())
		}
	})
	select {
	case s.address = <-listening:
	case err := <-s.exited:
		s.exited <- err
		t.Fatalf("the server ended: %v\n%s", err, s.log.String())
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not listen")
	}
	return s
}

// read follows the log to its end, then reaps the process.
func (s *server) read(stderr io.Reader, listening chan<- string) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		s.log.add(lines.Bytes())
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			listening <- line.Address
		}
	}
	s.exited <- s.command.Wait()
}

// end waits for the process and returns how it ended.
func (s *server) end() error {
	s.t.Helper()
	select {
	case err := <-s.exited:
		s.exited <- err
		return err
	case <-time.After(30 * time.Second):
		s.t.Fatal("the server does not end")
		return nil
	}
}

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func TestServeLogsTheAddressOfAFreePort(t *testing.T) {
	s := startServer(t, t.TempDir())
	answer, err := http.Get("http://" + s.address + "/api/user/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", answer.StatusCode)
	}
	s.signal(syscall.SIGTERM)
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}

// TestASignalLetsARequestFinishAndASecondDoesNot holds a request open with
// half a body.
func TestASignalLetsARequestFinishAndASecondDoesNot(t *testing.T) {
	s := startServer(t, t.TempDir())
	body := `{"username":"ann","email":"ann@example.com","password":"tr0ub4dor-x9","password2":"tr0ub4dor-x9"}`
	slow := halfRequest(t, s.address, body)
	s.signal(syscall.SIGTERM)
	awaitClosed(t, s.address)
	if _, err := io.WriteString(slow, body[len(body)/2:]); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Errorf("the request under way was answered with %d, want 201", answer.StatusCode)
	}
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}

	s = startServer(t, t.TempDir())
	halfRequest(t, s.address, body)
	s.signal(syscall.SIGTERM)
	awaitClosed(t, s.address)
	s.signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := s.end(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("after a second SIGTERM: %v, want exit code 1", err)
	}
}

// halfRequest sends a registration without the second half of its body, and
// returns when the server has it in hand.
func halfRequest(t *testing.T, address, body string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	head := "POST /api/register/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
	if _, err := fmt.Fprintf(conn, head, len(body)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, line); err != nil || !strings.Contains(string(line), "100 Continue") {
		t.Fatalf("%q, %v; want 100 Continue", line, err)
	}
	if _, err := io.WriteString(conn, body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	return conn
}

// awaitClosed returns when nobody listens at the address any more.
func awaitClosed(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server listens on")
		}
	}
}

func TestServeSpeaksTLS(t *testing.T) {
	dir := t.TempDir()
	pool := writeCertificate(t, dir)
	s := startServer(t, dir, "--tls-cert", "cert.pem", "--tls-key", "key.pem")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	answer, err := client.Get("https://" + s.address + "/api/user/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", answer.StatusCode)
	}
}

func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", cert)
	writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", private)
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func writePEM(t *testing.T, path, kind string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstOfTwoStartsMakesTheSecretForBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.secret")
	const starts = 8
	secrets := make(chan string, starts)
	for range starts {
		go func() {
			secret, err := devSecret(path)
			if err != nil {
				t.Error(err)
			}
			secrets <- secret
		}()
	}
	first := <-secrets
	for range starts - 1 {
		if secret := <-secrets; secret != first {
			t.Errorf("two starts have two secrets, %q and %q", first, secret)
		}
	}
	if len(first) < 50 {
		t.Errorf("the secret has %d characters", len(first))
	}
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestALineIsReadWithoutWhatComesAfter(t *testing.T) {
	in := strings.NewReader("first\r\nsecond\n" + strings.Repeat("x", maxAnswer+1))
	for _, want := range []string{"first", "second"} {
		if line, err := readLine(in); line != want || err != nil {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
	if _, err := readLine(in); err == nil {
		t.Error("a line of any length is read")
	}
	if _, err := readLine(strings.NewReader("no end")); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want io.EOF", err)
	}
}

func TestAPromptEndsWithTheContext(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (terminal{in: in, out: io.Discard}).ask(ctx, "? "); !errors.Is(err, errCancelled) {
		t.Errorf("%v, want errCancelled", err)
	}
}
