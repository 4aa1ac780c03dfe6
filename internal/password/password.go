// Package password keeps passwords the way Django does: the hashers of
// django.contrib.auth.hashers, the validators of
// django.contrib.auth.password_validation, and the gate that admits the heavy
// work.
//
// A login asks the gate for a place and, on it, Verify compares the password
// with the encoded hash of the user's row, or Decoy spends the same time for a
// name nobody has. A registration asks the validators first, then Hash.
// Everything that decides the cost of a check is read from the stored hash, and
// all of it is bounded: a hash somebody planted cannot burn memory or hours.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// The names of the algorithms, as Options.Algorithm and as the first part of
// an encoded hash.
const (
	Argon2       = "argon2"
	PBKDF2SHA256 = "pbkdf2_sha256"
	PBKDF2SHA1   = "pbkdf2_sha1"
	BcryptSHA256 = "bcrypt_sha256"
	Bcrypt       = "bcrypt"
	Scrypt       = "scrypt"
	MD5          = "md5"
)

// Options says how new passwords are hashed. The zero value of every field
// stands for its default.
type Options struct {
	// Algorithm is the preferred one: argon2 (default), pbkdf2_sha256,
	// pbkdf2_sha1, bcrypt_sha256, bcrypt or scrypt. There is also md5, which
	// a graphics card tries by the billion: it exists to make tests fast and
	// protects nobody.
	Algorithm string
	// Argon2 is the cost of argon2id.
	Argon2 Argon2Cost
	// PBKDF2Iterations is 1 to MaxPBKDF2Iterations; default 1,000,000.
	PBKDF2Iterations int
	// BcryptCost is the binary logarithm of the rounds, MinBcryptCost to
	// MaxBcryptCost; default 12.
	BcryptCost int
	// Scrypt is the cost of scrypt.
	Scrypt ScryptCost
	// DecoyKey decides what each unknown name costs; see Hashing.Decoy. It is
	// secret, and the same in all processes that share a user table. Default: a
	// random one.
	DecoyKey []byte
	// Rand gives salts; default crypto/rand. It must be safe for concurrent use.
	Rand io.Reader
}

// Hashing hashes passwords with one preferred algorithm and verifies the
// hashes of all of them. Safe for concurrent use.
type Hashing struct {
	preferred  recipe
	chosen     atomic.Pointer[Choice] // in the place of preferred; nil: none
	rand       io.Reader
	decoyKey   []byte
	population atomic.Pointer[population]
}

// New returns a Hashing. The error names every wrong value of o at once, with
// the range it must lie in.
func New(o Options) (*Hashing, error) {
	o = o.withDefaults()
	preferred, err := o.recipe()
	if err := errors.Join(err, o.validate()); err != nil {
		return nil, err
	}
	h := &Hashing{preferred: preferred, rand: o.Rand, decoyKey: o.DecoyKey}
	if len(h.decoyKey) == 0 {
		h.decoyKey = make([]byte, 32)
		if _, err := io.ReadFull(o.Rand, h.decoyKey); err != nil {
			return nil, fmt.Errorf("make the key for decoys: %w", err)
		}
	}
	return h, nil
}

func (o Options) withDefaults() Options {
	if o.Algorithm == "" {
		o.Algorithm = Argon2
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	for value, standard := range map[*int]int{
		&o.Argon2.MemoryKiB: 19456, &o.Argon2.Time: 2, &o.Argon2.Parallelism: 1,
		&o.PBKDF2Iterations: 1_000_000,
		&o.BcryptCost:       12,
		&o.Scrypt.N:         16384, &o.Scrypt.R: 8, &o.Scrypt.P: 5,
	} {
		if *value == 0 {
			*value = standard
		}
	}
	return o
}

func (o *Options) recipe() (recipe, error) {
	switch o.Algorithm {
	case Argon2:
		return argon2Recipe{variety: argon2id, cost: o.Argon2, tag: argon2TagLength}, nil
	case PBKDF2SHA256, PBKDF2SHA1:
		return pbkdf2Recipe{name: o.Algorithm, iterations: o.PBKDF2Iterations}, nil
	case BcryptSHA256, Bcrypt:
		return bcryptRecipe{name: o.Algorithm, cost: o.BcryptCost}, nil
	case Scrypt:
		return scryptRecipe{cost: o.Scrypt}, nil
	case MD5:
		return md5Recipe{}, nil
	}
	return nil, fmt.Errorf("algorithm is %q, must be one of %s, %s, %s, %s, %s, %s or (for tests) %s",
		o.Algorithm, Argon2, PBKDF2SHA256, PBKDF2SHA1, BcryptSHA256, Bcrypt, Scrypt, MD5)
}

// Algorithm returns the name of the preferred algorithm.
func (h *Hashing) Algorithm() string { return h.current().algorithm() }

// Prefer makes new hashes as c says from now on; the zero Choice goes back to
// the Options.
func (h *Hashing) Prefer(c Choice) { h.chosen.Store(&c) }

// current is what new hashes are made with.
func (h *Hashing) current() recipe {
	if c := h.chosen.Load(); c != nil && c.recipe != nil {
		return c.recipe
	}
	return h.preferred
}

// Keeps reports whether an outdated hash stays as it is because its user logged
// in lately. That is so while new hashes follow those of a table that a Django
// writes too: a login at the Django leaves the hash that it prefers, even if the
// rest of the table has others, as after a change of its settings or of its
// version. md5 is never kept.
func (h *Hashing) Keeps(encoded string) bool {
	c := h.chosen.Load()
	if c == nil || !c.follows {
		return false
	}
	stored, known := parse(encoded)
	return known && stored.recipe.algorithm() != MD5
}

// Hash returns the password hashed with the preferred algorithm and a fresh
// salt, in Django's encoding (make_password). It fails when the source of
// randomness does, and with bcrypt for a password that contains a NUL, where
// bcrypt would confuse it with others.
func (h *Hashing) Hash(password string) (string, error) {
	preferred := h.current()
	salt, err := preferred.newSalt(h.rand)
	if err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	sum, err := preferred.derive(password, salt)
	if err != nil {
		return "", fmt.Errorf("hash with %s: %w", preferred.algorithm(), err)
	}
	return preferred.encode(salt, sum), nil
}

// Verify reports whether encoded is a hash of the password, and, if it is,
// whether the hash is outdated and should be made anew from this password:
//
//   - it is of another algorithm than the preferred one, or
//   - it costs less: fewer iterations, a lower bcrypt cost, less memory or less
//     work in all for argon2 and scrypt, argon2i rather than argon2id, or
//   - its salt or argon2 tag holds less than 128 bits, by Django's count.
//
// A hash of the preferred algorithm that costs more is not outdated: an
// upgrade never lowers what a stolen hash costs to crack. (Django's
// must_update also lowers.)
//
// What is unusable, of an unknown algorithm, malformed or beyond the bounds of
// this package verifies nothing, and takes the time of a Decoy to say so.
func (h *Hashing) Verify(password, encoded string) (ok, outdated bool) {
	stored, known := parse(encoded)
	if !known {
		h.Decoy(password, encoded)
		return false, false
	}
	sum, err := stored.recipe.derive(password, stored.salt)
	if err != nil || subtle.ConstantTimeCompare(sum, stored.sum) != 1 {
		return false, false
	}
	return true, h.outdated(stored)
}

func (h *Hashing) outdated(stored record) bool {
	preferred := h.current()
	return stored.recipe.algorithm() != preferred.algorithm() ||
		stored.shortSalt ||
		stored.recipe.weaker(preferred)
}
