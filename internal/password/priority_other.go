//go:build !linux

package password

import "runtime"

// Elsewhere a thread's priority can't be lowered on its own.
func lowerPriority() {}

func makeRoom(int) {}

func processors() int { return runtime.GOMAXPROCS(0) }
