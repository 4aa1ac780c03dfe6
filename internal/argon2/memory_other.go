//go:build !linux

package argon2

func allocate(blocks int) *piece { return &piece{blocks: make([]block, blocks)} }

func (p *piece) free() { p.blocks = nil }
