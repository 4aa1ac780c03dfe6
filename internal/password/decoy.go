package password

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// A population is the recipes that the hashes of the user table were made
// with, and how many of each.
type population struct {
	shares []share
	total  uint64
}

type share struct {
	recipe recipe
	count  uint64
}

// SetPopulation tells which hashes the user table holds, so that Decoy costs
// what they cost. A sample will do, the same in all processes that share the
// table; unusable and unknown hashes don't count. An empty sample makes Decoy
// cost the preferred algorithm.
func (h *Hashing) SetPopulation(encoded []string) {
	counts := map[recipe]uint64{}
	for _, e := range encoded {
		if stored, ok := parse(e); ok {
			counts[stored.recipe]++
		}
	}
	p := &population{}
	for r, n := range counts {
		p.shares = append(p.shares, share{recipe: r, count: n})
		p.total += n
	}
	// A fixed order lets a sample that has changed a little leave most names
	// where they were.
	slices.SortFunc(p.shares, func(a, b share) int {
		return cmp.Compare(fmt.Sprintf("%T%v", a.recipe, a.recipe), fmt.Sprintf("%T%v", b.recipe, b.recipe))
	})
	h.population.Store(p)
}

// Decoy spends the time of one Verify on a name that nobody has, so that the
// time of an answer does not tell which names exist.
//
// In a table that came from Django the hashes cost what they cost, whatever is
// preferred now. So every name is given one recipe of the population, in
// proportion to its share: an unknown name is neither faster than the known
// ones nor does it waver where they are steady. The recipe depends on the
// key, the name and the population alone, so that a restart and another process
// change nothing. When shares move, only those names get another recipe whose
// place between 0 and 1 is where a share begins or ends.
func (h *Hashing) Decoy(password, name string) {
	r := h.decoyRecipe(name)
	// The salt has the length of a common one; its content costs nothing. The
	// error can only be that of a password with a NUL, after the work.
	_, _ = r.derive(password, make([]byte, bcryptSaltSize))
}

func (h *Hashing) decoyRecipe(name string) recipe {
	p := h.population.Load()
	if p == nil || p.total == 0 {
		return h.preferred
	}
	mac := hmac.New(sha256.New, h.decoyKey)
	mac.Write([]byte(name))
	point, _ := bits.Mul64(binary.BigEndian.Uint64(mac.Sum(nil)), p.total)
	for _, s := range p.shares {
		if point < s.count {
			return s.recipe
		}
		point -= s.count
	}
	return h.preferred
}
