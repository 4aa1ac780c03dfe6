package password

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lowPriorityChild says that this process is the one in which GOMAXPROCS may
// be changed.
const lowPriorityChild = "POSTERN_TEST_LOW_PRIORITY"

// maxNiceness is where the kernel stops: a process that is nice already can
// become no nicer than that.
const maxNiceness = 19

// TestLowPriorityWorkers_HaveThreadsOfTheirOwn runs as it was started, and in
// processes so nice that the workers' threads meet the kernel's bound.
func TestLowPriorityWorkers_HaveThreadsOfTheirOwn(t *testing.T) {
	if os.Getenv(lowPriorityChild) == "" {
		for _, nicer := range []string{"0", "12", "19"} {
			child := exec.Command("nice", "-n", nicer, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
			child.Env = append(os.Environ(), lowPriorityChild+"=1")
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
				t.Errorf("nice -n %s: %v\n%s", nicer, err, out)
			}
		}
		return
	}
	before := runtime.GOMAXPROCS(0)
	g := NewGate(GateOptions{Workers: 3, LowPriority: true})
	NewGate(GateOptions{Workers: 3, LowPriority: true}) // a second one changes nothing
	if got := runtime.GOMAXPROCS(0); got != before+3 {
		t.Errorf("GOMAXPROCS is %d, was %d", got, before)
	}
	if got := NewGate(GateOptions{}).workers; got != before {
		t.Errorf("a gate has %d workers by default, want %d", got, before)
	}
	own := threadNiceness(t, unix.Gettid())
	for range 20 {
		var tid, nice int
		if err := g.Do(t.Context(), netip.Addr{}, func() { tid = unix.Gettid(); nice = threadNiceness(t, tid) }); err != nil {
			t.Fatal(err)
		}
		if nice != min(own+niceness, maxNiceness) {
			t.Errorf("thread %d: niceness %d, want %d more than %d, at most %d", tid, nice, niceness, own, maxNiceness)
		}
	}
	// Threads that went on after a worker must not be slow ones.
	for range 100 {
		done := make(chan int)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			done <- threadNiceness(t, unix.Gettid())
		}()
		if nice := <-done; nice != own {
			t.Fatalf("a thread outside the gate has niceness %d", nice)
		}
	}
}

// threadNiceness is the niceness of a thread. The system call returns 20 minus it.
func threadNiceness(t *testing.T, tid int) int {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		t.Error(err)
	}
	return 20 - raw
}
