package clock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func boottime(t *testing.T) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// What the kernel says has passed since the boot, sleep included, is what Age
// says, unless the wall clock is set meanwhile.
func TestAge_IsThatOfCLOCK_BOOTTIME(t *testing.T) {
	for range 1000 {
		outer := boottime(t)
		then := time.Now()
		inner := boottime(t)
		for boottime(t)-inner < 100*time.Microsecond {
		}
		least := boottime(t) - inner
		age := Age(then, time.Now())
		most := boottime(t) - outer
		// A clock that is slewed meanwhile is some percent off.
		if age < least-least/5 || age > most+most/5 && age != Unknown {
			t.Fatalf("age %s, by CLOCK_BOOTTIME between %s and %s", age, least, most)
		}
	}
}

func BenchmarkAge(b *testing.B) {
	start := time.Now()
	then := Read(start, start)
	for b.Loop() {
		then.Age(Read(start, start))
	}
}

// BenchmarkBoottime is what a reading of CLOCK_BOOTTIME costs.
func BenchmarkBoottime(b *testing.B) {
	var ts unix.Timespec
	for b.Loop() {
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	}
}
