package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

// authority is a certificate authority of a test.
type authority struct {
	file        string // its certificate
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem"), certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	a.key = newKey(t)
	a.sign(t, a.certificate, a.key, a.file)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes a certificate of the owner of a key.
func (a *authority) sign(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey, file string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, file, "CERTIFICATE", der)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts a server with a certificate of the authority for an address,
// and returns its URL.
func (a *authority) start(t *testing.T, address string) string {
	t.Helper()
	dir := t.TempDir()
	certificate, keyFile := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	key := newKey(t)
	a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a server"}, IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, key, certificate)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, keyFile, "PRIVATE KEY", der)
	port := redistest.FreePort(t)
	redistest.Start(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", certificate, "--tls-key-file", keyFile,
		"--tls-ca-cert-file", a.file, "--tls-auth-clients", "no", "--requirepass", rightsPassword)
	return "rediss://:" + rightsPassword + "@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	url := a.start(t, "127.0.0.1")
	n := new(node)
	s := openAt(t, url+"?ca_file="+a.file, openUsers(t, nil), n.options())
	n.awaitBeat(t)
	session := person(t, s, "somebody")
	if _, err := s.Identity(t.Context(), session.ID); err != nil {
		t.Error(err)
	}
}

// TestAServerThatCannotBeTrusted is refused, by an error that tells the way
// out and holds no password.
func TestAServerThatCannotBeTrusted(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	url, elsewhere := a.start(t, "127.0.0.1"), a.start(t, "192.0.2.1")
	plain := redistest.Start(t)
	for name, test := range map[string]struct {
		url  string
		says []string
	}{
		"another authority's":          {url + "?ca_file=" + other.file, []string{"ca_file", "certificate"}},
		"an unknown authority's":       {url, []string{"ca_file", "certificate"}},
		"the certificate of another":   {elsewhere + "?ca_file=" + a.file, []string{"for that host", "192.0.2.1"}},
		"no TLS there":                 {strings.Replace(plain.URL(), "redis:", "rediss:", 1) + "?ca_file=" + a.file, []string{"check host and port, TLS"}},
		"TLS there":                    {strings.Replace(url, "rediss:", "redis:", 1), []string{"check host and port, TLS"}},
		"a file that is not there":     {url + "?ca_file=/nowhere.pem", []string{"ca_file", "/nowhere.pem"}},
		"a wrong password":             {strings.Replace(url, rightsPassword, "wr0ng-"+rightsPassword, 1) + "?ca_file=" + a.file, []string{"user and password"}},
		"a file without a certificate": {url + "?ca_file=" + os.DevNull, []string{"ca_file", "without a certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), test.url, openUsers(t, nil), Options{})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			for _, word := range test.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v: does not say %q", err, word)
				}
			}
			if strings.Contains(err.Error(), rightsPassword) {
				t.Errorf("%v: holds the password", err)
			}
		})
	}
}
