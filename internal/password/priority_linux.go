package password

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// niceness is by how much the priority of the workers' threads is lower
// (setpriority(2)); docs/performance.md has the figures for others.
const niceness = 10

// lowerPriority lowers the priority of the calling thread, which the caller
// must have locked and must not unlock. Lowering is always allowed; if it
// fails all the same, hashing goes on as it would without.
func lowerPriority() {
	thread := unix.Gettid()
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, thread) // 20 minus the niceness
	if err == nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, thread, min(20-raw+niceness, 19))
	}
}

var (
	roomMade sync.Once
	before   int
)

// makeRoom raises GOMAXPROCS by the number of workers, once in a process: a
// worker of low priority holds one of Go's processors also while the
// operating system lets it wait.
func makeRoom(workers int) {
	roomMade.Do(func() {
		before = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(before + workers)
	})
}

// processors is GOMAXPROCS as it was before makeRoom.
func processors() int {
	if before > 0 {
		return before
	}
	return runtime.GOMAXPROCS(0)
}
