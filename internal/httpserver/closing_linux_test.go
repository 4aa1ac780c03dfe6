package httpserver

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestWhoWaitsToBeTakenIsSeen, so that a listener does not close on them.
func TestWhoWaitsToBeTakenIsSeen(t *testing.T) {
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if waiting(l) {
			t.Errorf("%s: somebody waits before anybody came", network)
		}
		client, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for patience := time.Now().Add(10 * time.Second); !waiting(l); time.Sleep(time.Millisecond) {
			if time.Now().After(patience) {
				t.Fatalf("%s: who waits is not seen", network)
			}
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if waiting(l) {
			t.Errorf("%s: who was taken still waits", network)
		}
	}
}
