// Hash is the baseline of logins and registrations: argon2id on every
// processor, without pause, with nothing around it; Postern's own function, or
// that of golang.org/x/crypto. It prints how many hashes there were a second.
package main

import (
	"flag"
	"fmt"
	"log"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	library "golang.org/x/crypto/argon2"

	"github.com/postern-auth/postern/internal/argon2"
)

// tagLength is that of Django's hasher, in bytes.
const tagLength = 16

func main() {
	memory := flag.Uint("memory", 19456, "memory of a hash, in `KiB`")
	passes := flag.Uint("time", 2, "`passes` over the memory")
	lanes := flag.Uint("lanes", 1, "`lanes` of a hash")
	theirs := flag.Bool("library", false, "hash with golang.org/x/crypto")
	warm := flag.Duration("warm", time.Second, "`time` before the counting begins")
	span := flag.Duration("for", 3*time.Second, "`time` to count")
	flag.Parse()
	if *memory < 8 || *passes < 1 || *lanes < 1 || *lanes > 255 || *span <= 0 {
		log.Fatal("at least 8 KiB, 1 pass, 1 to 255 lanes and some time are needed")
	}

	password, salt := []byte("a password of usual length"), []byte("a salt of 22 letters..")
	cost := argon2.Cost{Time: uint32(*passes), Memory: uint32(*memory), Threads: uint32(*lanes)}
	hash := func() { argon2.Key(argon2.Argon2id, password, salt, cost, tagLength) }
	if *theirs {
		hash = func() { library.IDKey(password, salt, cost.Time, cost.Memory, uint8(cost.Threads), tagLength) }
	}
	var done atomic.Int64
	var over atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !over.Load() {
				hash()
				done.Add(1)
			}
		})
	}
	time.Sleep(*warm)
	before, start := done.Load(), time.Now()
	time.Sleep(*span)
	count, elapsed := done.Load()-before, time.Since(start)
	over.Store(true)
	workers.Wait()
	fmt.Printf("%.2f\n", float64(count)/elapsed.Seconds())
}
