//go:build !unix

package httpserver

// DescriptorLimit returns how many file descriptors this process may have, 0
// if that is not known.
func DescriptorLimit() uint64 { return 0 }
