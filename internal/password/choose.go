package password

import (
	"cmp"
	"fmt"
	"slices"
)

// A Choice is what new hashes are made with, found in a user table that a
// Django writes too. The zero Choice is none.
type Choice struct {
	recipe recipe
	// follows is true if nothing of the recipe is from the settings.
	follows bool
	// Reason says why, for an operator: a sentence without a full stop.
	Reason string
}

// String names the algorithm and its cost, such as "pbkdf2_sha256 600000
// iterations".
func (c Choice) String() string {
	if c.recipe == nil {
		return "none"
	}
	return c.recipe.describe()
}

// Equal reports whether both make the same hashes.
func (c Choice) Equal(other Choice) bool { return c.recipe == other.recipe }

// outlier is how much more than the most common cost of its algorithm a hash
// may cost that no other hash of the sample agrees with. One odd row must not
// make every login of the table slow.
const outlier = 4

// Choose returns what new and upgraded hashes should be made with in a table
// that a Django writes too: the most common algorithm of the sample, and the
// highest cost that it has there. So both programs leave the hashes of the
// other alone. What o sets is taken from o: the algorithm, and each cost. o
// must have passed New.
//
// A sample without a hash that could serve as a model gives pbkdf2_sha256, which every
// Django has without further packages, at the cost of this package's default.
// md5 is never chosen from a sample, nor a cost beyond the bounds, nor one that
// a single hash has and that is more than four times the most common one.
func Choose(o Options, sample []string) Choice {
	counts := map[recipe]int{}
	of := map[string]int{}
	for _, encoded := range sample {
		if stored, ok := parse(encoded); ok {
			counts[stored.recipe]++
			of[stored.recipe.algorithm()]++
		}
	}
	if o.Algorithm != "" {
		return chooseCost(o, counts, fmt.Sprintf("the settings name %s", o.Algorithm))
	}
	algorithm, reason := mostCommon(of)
	o.Algorithm = algorithm
	c := chooseCost(o, counts, reason)
	c.follows = c.recipe == highest(algorithm, counts)
	return c
}

// modern are the algorithms that new hashes may be of. Of two that are equally
// common, the first is chosen: it is the one that more Djangos can verify.
var modern = []string{PBKDF2SHA256, Scrypt, Argon2, BcryptSHA256, Bcrypt, PBKDF2SHA1}

// mostCommon returns the algorithm for new hashes, and why.
func mostCommon(of map[string]int) (algorithm, reason string) {
	total := 0
	for _, n := range of {
		total += n
	}
	for _, name := range modern {
		if of[name] > of[algorithm] {
			algorithm = name
		}
	}
	weak := ""
	if of[MD5] > of[algorithm] {
		weak = fmt.Sprintf("; %d are %s, which is too weak for new hashes", of[MD5], MD5)
	}
	if algorithm == "" {
		return PBKDF2SHA256, "no hash to go by was found, and every Django verifies " + PBKDF2SHA256 + weak
	}
	return algorithm, fmt.Sprintf("%d of the %d hashes of the latest logins are %s%s", of[algorithm], total, algorithm, weak)
}

// chooseCost completes the choice of o.Algorithm.
func chooseCost(o Options, counts map[recipe]int, reason string) Choice {
	if found := highest(o.Algorithm, counts); found != nil {
		switch chosen, err := o.override(found); {
		case err != nil: // the settings' costs and those of the table don't go together
		case chosen == found:
			return Choice{recipe: chosen, Reason: reason + ", and this is their highest cost"}
		default:
			return Choice{recipe: chosen, Reason: reason + ", and the settings name the cost"}
		}
	}
	standard := o.withDefaults()
	chosen, _ := standard.recipe() // o passed New
	return Choice{recipe: chosen, Reason: reason + ", at the cost of the settings"}
}

// override puts the costs that o sets in the place of those that were found.
func (o *Options) override(found recipe) (recipe, error) {
	switch r := found.(type) {
	case argon2Recipe:
		r.cost = Argon2Cost{cmp.Or(o.Argon2.MemoryKiB, r.cost.MemoryKiB), cmp.Or(o.Argon2.Time, r.cost.Time), cmp.Or(o.Argon2.Parallelism, r.cost.Parallelism)}
		return r, r.cost.validate()
	case pbkdf2Recipe:
		r.iterations = cmp.Or(o.PBKDF2Iterations, r.iterations)
		return r, nil
	case bcryptRecipe:
		r.cost = cmp.Or(o.BcryptCost, r.cost)
		return r, nil
	case scryptRecipe:
		r.cost = ScryptCost{cmp.Or(o.Scrypt.N, r.cost.N), cmp.Or(o.Scrypt.R, r.cost.R), cmp.Or(o.Scrypt.P, r.cost.P)}
		return r, r.cost.validate()
	}
	return found, nil
}

// highest returns the recipe of the highest cost that counts, nil if the
// algorithm is not in the sample.
func highest(algorithm string, counts map[recipe]int) recipe {
	var found []recipe
	for r := range counts {
		if r.algorithm() == algorithm {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, compareCost)
	common := found[0]
	for _, r := range found {
		if counts[r] >= counts[common] {
			common = r
		}
	}
	for _, r := range slices.Backward(found) {
		if counts[r] > 1 || r.work() <= outlier*common.work() {
			return r
		}
	}
	return common
}

// compareCost orders recipes of one algorithm by what they cost an attacker.
// argon2i, which only Djangos before 3.2 make, comes before argon2id.
func compareCost(a, b recipe) int {
	x, isArgon2 := a.(argon2Recipe)
	y, _ := b.(argon2Recipe)
	if isArgon2 {
		return cmp.Or(cmp.Compare(x.variety, y.variety), cmp.Compare(x.work(), y.work()),
			cmp.Compare(x.cost.MemoryKiB, y.cost.MemoryKiB), cmp.Compare(x.tag, y.tag), cmp.Compare(x.cost.Parallelism, y.cost.Parallelism))
	}
	return cmp.Or(cmp.Compare(a.work(), b.work()), cmp.Compare(a.describe(), b.describe()))
}
