package password

import (
	"errors"
	"fmt"
)

// The bounds of what is hashed and verified, at most ten seconds of one core and
// MaxArgon2MemoryKiB of memory each. Everything Django makes by default, now
// or in the past, is far inside. A stored hash beyond them verifies nothing.
const (
	MaxPBKDF2Iterations = 10_000_000

	MaxArgon2MemoryKiB   = 256 << 10
	MaxArgon2Time        = 256
	MaxArgon2Parallelism = 64
	// MaxArgon2Work bounds memory in KiB times passes.
	MaxArgon2Work = 4 << 20

	MinBcryptCost = 4
	MaxBcryptCost = 16

	// MaxScryptMemory bounds 128·N·r, in bytes.
	MaxScryptMemory = 256 << 20
	// MaxScryptWork bounds N·r·p.
	MaxScryptWork        = 8 << 20
	MaxScryptBlockSize   = 256
	MaxScryptParallelism = 256
)

// validate names everything that is out of bounds, also the costs of
// algorithms that are not the preferred one: a setting that was written down
// was meant.
func (o *Options) validate() error {
	return errors.Join(
		o.Argon2.validate(),
		within("pbkdf2 iterations", o.PBKDF2Iterations, 1, MaxPBKDF2Iterations),
		within("bcrypt cost", o.BcryptCost, MinBcryptCost, MaxBcryptCost),
		o.Scrypt.validate(),
	)
}

func within(what string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d, must be from %d to %d", what, value, least, most)
	}
	return nil
}
