package argon2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate takes memory from the system, past Go's heap, which the collector
// would let grow by as much again. Large pages spare look-ups of addresses,
// which are random here; and what may be made of a password stays out of core
// dumps.
func allocate(blocks int) *piece {
	mapped, err := unix.Mmap(-1, 0, blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return &piece{blocks: make([]block, blocks)}
	}
	// Both are wishes only.
	_ = unix.Madvise(mapped, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(mapped, unix.MADV_DONTDUMP)
	first := (*block)(unsafe.Pointer(unsafe.SliceData(mapped)))
	return &piece{blocks: unsafe.Slice(first, blocks), mapped: mapped}
}

// free gives the memory back; nobody may touch it any more.
func (p *piece) free() {
	if p.mapped != nil {
		_ = unix.Munmap(p.mapped) // fails only for what was not mapped
	}
	p.blocks, p.mapped = nil, nil
}
