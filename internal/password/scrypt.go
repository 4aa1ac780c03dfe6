package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/crypto/scrypt"
)

// ScryptCost is the cost of scrypt (RFC 7914). The default is Django's: 16384,
// 8, 5.
type ScryptCost struct {
	N int // work factor, a power of two from 2; see MaxScryptMemory and MaxScryptWork
	R int // block size, 1 to MaxScryptBlockSize
	P int // parallelism, 1 to MaxScryptParallelism
}

func (c ScryptCost) validate() error {
	err := errors.Join(
		within("scrypt block size (r)", c.R, 1, MaxScryptBlockSize),
		within("scrypt parallelism (p)", c.P, 1, MaxScryptParallelism),
		within("scrypt work factor (n)", c.N, 2, MaxScryptWork),
	)
	if c.N >= 2 && bits.OnesCount(uint(c.N)) != 1 {
		err = errors.Join(err, fmt.Errorf("scrypt work factor (n) is %d, must be a power of two", c.N))
	}
	if err != nil {
		return err
	}
	return errors.Join(
		within("scrypt memory (128*n*r) in bytes", 128*c.N*c.R, 1, MaxScryptMemory),
		within("scrypt work (n*r*p)", c.N*c.R*c.P, 1, MaxScryptWork),
	)
}

// scryptSize is the length of the sum of Django's hasher, in bytes.
const scryptSize = 64

// scryptRecipe is Django's ScryptPasswordHasher.
type scryptRecipe struct{ cost ScryptCost }

func (r scryptRecipe) algorithm() string { return Scrypt }

func (r scryptRecipe) describe() string {
	return fmt.Sprintf("%s n=%d r=%d p=%d", Scrypt, r.cost.N, r.cost.R, r.cost.P)
}

func (r scryptRecipe) newSalt(random io.Reader) ([]byte, error) { return textSalt(random) }

func (r scryptRecipe) derive(password string, salt []byte) ([]byte, error) {
	sum, err := scrypt.Key([]byte(password), salt, r.cost.N, r.cost.R, r.cost.P, scryptSize)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, sum), nil
}

func (r scryptRecipe) encode(salt, sum []byte) string {
	return fmt.Sprintf("%s$%d$%s$%d$%d$%s", Scrypt, r.cost.N, salt, r.cost.R, r.cost.P, sum)
}

// weaker compares memory, and work in all.
func (r scryptRecipe) weaker(than recipe) bool {
	other, same := than.(scryptRecipe)
	a, b := r.cost, other.cost
	return same && (a.N*a.R < b.N*b.R || a.N*a.R*a.P < b.N*b.R*b.P)
}

func (r scryptRecipe) work() int { return r.cost.N * r.cost.R * r.cost.P }

// parseScrypt reads "16384$salt$8$5$hash".
func parseScrypt(rest string) (record, bool) {
	parts, ok := fields(rest, 5)
	if !ok || len(parts[4]) != base64.StdEncoding.EncodedLen(scryptSize) {
		return record{}, false
	}
	n, nOK := number(parts[0], MaxScryptWork)
	r, rOK := number(parts[2], MaxScryptBlockSize)
	p, pOK := number(parts[3], MaxScryptParallelism)
	cost := ScryptCost{N: n, R: r, P: p}
	if !nOK || !rOK || !pOK || cost.validate() != nil {
		return record{}, false
	}
	return record{
		recipe:    scryptRecipe{cost: cost},
		salt:      []byte(parts[1]),
		sum:       []byte(parts[4]),
		shortSalt: len(parts[1]) < saltLength,
	}, true
}
