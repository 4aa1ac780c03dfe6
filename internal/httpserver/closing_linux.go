package httpserver

import (
	"net"

	"golang.org/x/sys/unix"
)

// onlyBegun is a filter of packets, which meets them from TCP's header on: one
// that begins a connection (SYN without ACK) is dropped, all others pass. A
// client sends it again after a second, and is refused by then, or taken by the
// server's successor.
var onlyBegun = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13}, // flags
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jt: 0, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

// dropBeginnings has the system take no new connections for a listener, and
// reports whether it does.
func dropBeginnings(l *net.TCPListener) bool {
	done := false
	control(l, func(fd int) {
		filter := unix.SockFprog{Len: uint16(len(onlyBegun)), Filter: &onlyBegun[0]}
		done = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter) == nil
	})
	return done
}

// waiting is how many connections wait to be taken, as far as the system says.
func waiting(l net.Listener) (n int) {
	if tcp, ok := l.(*net.TCPListener); ok {
		control(tcp, func(fd int) {
			if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n = int(info.Unacked) // of a listener, the length of its queue
			}
		})
	}
	return n
}

func control(l *net.TCPListener, f func(fd int)) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
