package httpserver

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate for localhost and its key as PEM files.
func selfSigned(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	write := func(path, kind string, der []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(cert, "CERTIFICATE", der)
	write(key, "EC PRIVATE KEY", keyDER)
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, pool
}

// serve answers "hello" until the test ends.
func serve(t *testing.T, o Options) net.Addr {
	t.Helper()
	return serveHandler(t, o, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
}

func serveHandler(t *testing.T, o Options, handler http.Handler) net.Addr {
	t.Helper()
	listeners, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, listeners, handler, Patience{Drain: DrainTimeout}, NewTroubles(slog.New(slog.DiscardHandler), nil, nil))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listeners[0].Addr()
}

func TestTLSIsServedWithTheCertificate(t *testing.T) {
	cert, key, pool := selfSigned(t)
	addr := serve(t, Options{Addr: "127.0.0.1:0", TLSCert: cert, TLSKey: key})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Errorf("spoke %s", response.Proto)
	}
	_, err = tls.Dial("tcp", addr.String(), &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestWhatCantBeListenedOnIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Addr: taken.Addr().String()}, taken.Addr().String()},
		{Options{Addr: "127.0.0.1:99999"}, "127.0.0.1:99999"},
		{Options{UnixSocket: "/nowhere/at/all"}, "/nowhere/at/all"},
		{Options{Addr: "127.0.0.1:0", TLSCert: "/nowhere/cert.pem", TLSKey: "/nowhere/key.pem"}, "/nowhere/cert.pem"},
	} {
		listeners, err := Listen(t.Context(), test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %d listeners, %v", test.o, len(listeners), err)
		}
	}
}

func TestAHeaderWithoutEndIsCutOff(t *testing.T) {
	addr := serve(t, Options{Addr: "127.0.0.1:0"})
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	for range 64 { // 64 KiB in all: the server stops reading at a quarter of it
		if _, err := io.WriteString(conn, "X-A: "+strings.Repeat("a", 1017)+"\r\n"); err != nil {
			break
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}
