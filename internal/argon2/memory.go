package argon2

import "sync"

// spare holds memory between hashes until the garbage collector comes by
// twice. Its content is not cleared: it is overwritten before it is read.
var spare sync.Pool

// maxSpare is the most memory, in blocks, that is kept: enough for common
// parameters. More is made anew for each hash.
const maxSpare = 128 << 10

func take(blocks int) []block {
	if kept, ok := spare.Get().(*[]block); ok && cap(*kept) >= blocks {
		return (*kept)[:blocks]
	}
	return make([]block, blocks)
}

func give(memory []block) {
	if cap(memory) <= maxSpare {
		spare.Put(&memory)
	}
}
