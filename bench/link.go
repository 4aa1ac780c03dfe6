package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// link is a TCP proxy between a node and an engine, on which the connections
// that hear news can be cut: what they carry is dropped, and neither end is told.
type link struct {
	listener net.Listener
	to       netip.AddrPort
	// word is what a client says on a connection in order to hear news, in
	// upper case.
	word []byte

	mu    sync.Mutex
	cut   bool
	open  map[net.Conn]bool // both ends of all connections
	ended bool
}

func newLink(to netip.AddrPort, word string) (*link, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("make a link: %w", err)
	}
	k := &link{listener: listener, to: to, word: []byte(word), open: make(map[net.Conn]bool)}
	go k.serve()
	return k, nil
}

func (k *link) port() uint16 { return k.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// setCut cuts the link or mends it. A connection that lost something stays
// deaf when the link is mended.
func (k *link) setCut(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
}

func (k *link) close() {
	k.listener.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	for conn := range k.open {
		conn.Close()
	}
}

func (k *link) serve() {
	for {
		client, err := k.listener.Accept()
		if err != nil {
			return // closed
		}
		engine, err := net.DialTimeout("tcp", k.to.String(), patience)
		if err != nil {
			client.Close()
			continue
		}
		w := &wire{link: k}
		if !k.keep(client, engine) {
			return
		}
		go k.carry(engine, client, w.asked)
		go k.carry(client, engine, w.passes)
	}
}

// keep notes the ends of a connection, for close.
func (k *link) keep(ends ...net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, conn := range ends {
		if k.ended {
			conn.Close()
		} else {
			k.open[conn] = true
		}
	}
	return !k.ended
}

func (k *link) carry(to, from net.Conn, passes func([]byte) bool) {
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		to.Close()
		from.Close()
		delete(k.open, to)
		delete(k.open, from)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && passes(buffer[:n]) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil { // io.EOF among them
			return
		}
	}
}

// wire is one connection through a link.
type wire struct {
	link       *link
	news, deaf bool // guarded by link.mu
}

// asked is passes for what the client sends.
func (w *wire) asked(chunk []byte) bool {
	if bytes.Contains(bytes.ToUpper(chunk), w.link.word) {
		w.link.mu.Lock()
		w.news = true
		w.link.mu.Unlock()
	}
	return w.passes(chunk)
}

// passes reports whether what came on the wire goes on.
func (w *wire) passes([]byte) bool {
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	if w.news && w.link.cut {
		w.deaf = true
	}
	return !w.deaf
}
