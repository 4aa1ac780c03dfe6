package argon2

import "golang.org/x/sys/cpu"

// mixAVX2 is mixGeneric; see mix_amd64.s.
//
//go:noescape
func mixAVX2(out, x, y *block, xor bool)

func mix(out, x, y *block, xor bool) {
	if cpu.X86.HasAVX2 {
		mixAVX2(out, x, y, xor)
		return
	}
	mixGeneric(out, x, y, xor)
}
