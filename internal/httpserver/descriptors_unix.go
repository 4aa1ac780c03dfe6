//go:build unix

package httpserver

import "syscall"

// DescriptorLimit returns how many file descriptors this process may have, 0
// if that is not known or without bound. Go raises the soft limit to the hard
// one at the start of a program.
func DescriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) >= 1<<62 {
		return 0
	}
	return uint64(limit.Cur)
}
