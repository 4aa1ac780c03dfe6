package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postern-auth/postern/internal/argon2"
)

// Argon2Cost is the cost of argon2 (RFC 9106). The default is 19456 KiB, 2
// passes, 1 lane: the least that OWASP recommends, 27 ms on a common core.
type Argon2Cost struct {
	MemoryKiB   int // at least 8 for each lane, at most MaxArgon2MemoryKiB
	Time        int // passes over the memory, 1 to MaxArgon2Time; see MaxArgon2Work
	Parallelism int // lanes, 1 to MaxArgon2Parallelism
}

func (c Argon2Cost) validate() error {
	err := errors.Join(
		within("argon2 parallelism", c.Parallelism, 1, MaxArgon2Parallelism),
		within("argon2 memory in KiB", c.MemoryKiB, 8*min(max(c.Parallelism, 1), MaxArgon2Parallelism), MaxArgon2MemoryKiB),
		within("argon2 time", c.Time, 1, MaxArgon2Time),
	)
	if err != nil {
		return err
	}
	return within("argon2 memory in KiB times time", c.MemoryKiB*c.Time, 1, MaxArgon2Work)
}

const (
	argon2id = "argon2id"
	argon2i  = "argon2i"
	argon2d  = "argon2d"
	// argon2TagLength is that of Django's hasher, in bytes.
	argon2TagLength = 16
	// Least and most of what is accepted in a stored hash, in bytes. The least
	// are those of the reference implementation, behind Django's hasher.
	argon2MinTag, argon2MaxTag = 4, 256
	argon2MinSalt              = 8
)

// argon2Base64 is the encoding of the PHC string format.
var argon2Base64 = base64.RawStdEncoding.Strict()

// argon2Recipe is Django's Argon2PasswordHasher.
type argon2Recipe struct {
	variety   string
	version10 bool // made by the version 1.0 of the algorithm, "v=16"
	cost      Argon2Cost
	tag       int
}

var argon2Varieties = map[string]argon2.Variety{argon2id: argon2.Argon2id, argon2i: argon2.Argon2i, argon2d: argon2.Argon2d}

func (r argon2Recipe) version() uint32 {
	if r.version10 {
		return argon2.Version10
	}
	return argon2.Version
}

func (r argon2Recipe) algorithm() string { return Argon2 }

func (r argon2Recipe) describe() string {
	version := ""
	if r.version10 {
		version = " v=16"
	}
	return fmt.Sprintf("%s%s m=%d t=%d p=%d", r.variety, version, r.cost.MemoryKiB, r.cost.Time, r.cost.Parallelism)
}

func (r argon2Recipe) newSalt(random io.Reader) ([]byte, error) { return textSalt(random) }

func (r argon2Recipe) derive(password string, salt []byte) ([]byte, error) {
	cost := argon2.Cost{Time: uint32(r.cost.Time), Memory: uint32(r.cost.MemoryKiB), Threads: uint32(r.cost.Parallelism)}
	return argon2.KeyOf(r.version(), argon2Varieties[r.variety], []byte(password), salt, cost, r.tag), nil
}

func (r argon2Recipe) encode(salt, sum []byte) string {
	return fmt.Sprintf("%s$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", Argon2, r.variety, r.version(),
		r.cost.MemoryKiB, r.cost.Time, r.cost.Parallelism,
		argon2Base64.EncodeToString(salt), argon2Base64.EncodeToString(sum))
}

// weaker compares memory and memory times passes: more memory makes up for
// fewer passes, but never the other way round. Lanes only spread the work.
func (r argon2Recipe) weaker(than recipe) bool {
	other, same := than.(argon2Recipe)
	return same && (r.cost.MemoryKiB < other.cost.MemoryKiB ||
		r.cost.MemoryKiB*r.cost.Time < other.cost.MemoryKiB*other.cost.Time ||
		r.variety != other.variety && r.variety != argon2id ||
		r.version10 && !other.version10 ||
		r.tag < other.tag)
}

func (r argon2Recipe) work() int { return r.cost.MemoryKiB * r.cost.Time }

// parseArgon2 reads "argon2id$v=19$m=19456,t=2,p=1$salt$tag". Without "v=" it is
// version 1.0, which had no such part. The reference implementation reads the
// numbers strictly, and neither of the optional parts keyid and data.
func parseArgon2(rest string) (record, bool) {
	if strings.Count(rest, "$") == 3 {
		variety, parameters, _ := strings.Cut(rest, "$")
		rest = variety + "$v=16$" + parameters
	}
	parts, ok := fields(rest, 5)
	if !ok || parts[1] != "v=19" && parts[1] != "v=16" {
		return record{}, false
	}
	if _, known := argon2Varieties[parts[0]]; !known {
		return record{}, false
	}
	cost, ok := parseArgon2Cost(parts[2])
	if !ok {
		return record{}, false
	}
	salt, saltOK := decodeArgon2(parts[3])
	tag, tagOK := decodeArgon2(parts[4])
	if !saltOK || !tagOK || len(salt) < argon2MinSalt || len(tag) < argon2MinTag || len(tag) > argon2MaxTag {
		return record{}, false
	}
	return record{
		recipe:    argon2Recipe{variety: parts[0], version10: parts[1] == "v=16", cost: cost, tag: len(tag)},
		salt:      salt,
		sum:       tag,
		shortSalt: len(salt) < saltLength,
	}, true
}

// parseArgon2Cost reads "m=19456,t=2,p=1".
func parseArgon2Cost(text string) (Argon2Cost, bool) {
	var c Argon2Cost
	values := strings.Split(text, ",")
	if len(values) != 3 {
		return c, false
	}
	for i, to := range []struct {
		key   string
		value *int
		most  int
	}{
		{"m=", &c.MemoryKiB, MaxArgon2MemoryKiB},
		{"t=", &c.Time, MaxArgon2Time},
		{"p=", &c.Parallelism, MaxArgon2Parallelism},
	} {
		digits, ok := strings.CutPrefix(values[i], to.key)
		if !ok {
			return c, false
		}
		if *to.value, ok = number(digits, to.most); !ok {
			return c, false
		}
	}
	return c, c.validate() == nil
}

// decodeArgon2 is strict where encoding/base64 is not: it skips line ends.
func decodeArgon2(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := argon2Base64.DecodeString(text)
	return raw, err == nil
}
