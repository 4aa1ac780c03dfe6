//go:build !amd64

package argon2

func mix(out, x, y *block, xor bool) { mixGeneric(out, x, y, xor) }
