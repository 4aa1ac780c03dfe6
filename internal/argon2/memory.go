package argon2

import (
	"sync"
	"time"
)

const (
	// maxSpare is how many pieces of memory are kept for the next hashes, and
	// maxSpareBlocks how large each is at most (128 MiB).
	maxSpare       = 64
	maxSpareBlocks = 128 << 10
	// spareFor is how long they are kept when nobody hashes.
	spareFor = 10 * time.Second
)

// piece is the memory of one hash at a time.
type piece struct {
	blocks []block
	mapped []byte // the same, if it came from the system past Go's heap
}

// spare is memory between two hashes. Its content is not cleared: it is
// overwritten before it is read.
var spare struct {
	mu     sync.Mutex
	pieces []*piece // the one used last is at the end
	end    *time.Timer
}

// take returns memory of just so many blocks, with any content.
func take(blocks int) *piece {
	spare.mu.Lock()
	for last := len(spare.pieces) - 1; last >= 0; last-- {
		p := spare.pieces[last]
		spare.pieces = spare.pieces[:last]
		if len(p.blocks) == blocks {
			spare.mu.Unlock()
			return p
		}
		p.free() // hashes of another cost are rare, or from now on the rule
	}
	spare.mu.Unlock()
	return allocate(blocks)
}

// give keeps memory for the next hash, for a while.
func give(p *piece) {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	if len(p.blocks) > maxSpareBlocks || len(spare.pieces) >= maxSpare {
		p.free()
		return
	}
	spare.pieces = append(spare.pieces, p)
	if spare.end == nil {
		spare.end = time.AfterFunc(spareFor, giveBack)
		return
	}
	spare.end.Reset(spareFor)
}

// giveBack gives back what nobody has used lately.
func giveBack() {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	for _, p := range spare.pieces {
		p.free()
	}
	spare.pieces = nil
}
