package freeport

import (
	"net"
	"sync"
	"testing"
)

func TestTCP(t *testing.T) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		held = map[uint16]bool{}
	)
	// So many of 20,000 that some are drawn more than once.
	for range 8 {
		wg.Go(func() {
			for range 100 {
				address, err := TCP()
				if err != nil {
					t.Error(err)
					return
				}
				l, err := net.Listen("tcp4", address.String())
				if err != nil {
					t.Errorf("it is not free: %v", err)
					return
				}
				defer l.Close()
				port := address.Port()
				mu.Lock()
				if held[port] || port < first || port > last || !address.Addr().IsLoopback() {
					t.Errorf("%s, given before: %t", address, held[port])
				}
				held[port] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestAPortIsNotGivenTwice, even if its server does not listen yet, or does
// not listen now.
func TestAPortIsNotGivenTwice(t *testing.T) {
	address, err := TCP()
	if err != nil {
		t.Fatal(err)
	}
	if reserve(address) == nil {
		t.Fatalf("%s was given twice", address)
	}
}
