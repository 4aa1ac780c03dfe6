package httpserver

import (
	"net"
	"syscall"

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

// waiting reports whether connections wait to be taken, as far as the system
// says.
func waiting(l net.Listener) (some bool) {
	switch l := l.(type) {
	case *net.TCPListener:
		control(l, func(fd int) {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			some = err == nil && info.Unacked > 0 // of a listener, the length of its queue
		})
	case *net.UnixListener:
		control(l, func(fd int) {
			of := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(of, 0)
			some = err == nil && n > 0
		})
	}
	return some
}

func control(l syscall.Conn, f func(fd int)) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
