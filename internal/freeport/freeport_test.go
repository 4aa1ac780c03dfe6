package freeport

import (
	"net"
	"testing"
)

func TestTCP(t *testing.T) {
	held := map[uint16]bool{}
	for range 50 {
		address, err := TCP()
		if err != nil {
			t.Fatal(err)
		}
		port := address.Port()
		if held[port] || port < first || port > last || !address.Addr().IsLoopback() {
			t.Fatalf("%s", address)
		}
		l, err := net.Listen("tcp4", address.String())
		if err != nil {
			t.Fatalf("it is not free: %v", err)
		}
		t.Cleanup(func() { l.Close() })
		held[port] = true
	}
}
