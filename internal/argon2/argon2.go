// Package argon2 is Argon2d, Argon2i and Argon2id, version 1.3 (RFC 9106) and the
// earlier 1.0, for a server
// that hashes under load. It differs from golang.org/x/crypto/argon2, whose
// results its tests hold it to, in three ways: all lanes are filled on the
// calling goroutine, so that the thread's priority counts for all of the
// work; the memory is used again by the next hash, so that a storm of logins
// makes no garbage; and on amd64 it is about half as long at work (AVX2).
package argon2

import (
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/blake2b"
)

// Variety says how blocks are chosen to be mixed.
type Variety uint32

// The varieties, with their numbers in RFC 9106.
const (
	Argon2d  Variety = 0
	Argon2i  Variety = 1
	Argon2id Variety = 2
)

// The versions of the algorithm. Version, 1.3, is that of new hashes; in
// Version10 a later pass overwrites a block instead of mixing into it.
const (
	Version   = 0x13
	Version10 = 0x10
)

// Cost says how much work a hash is.
type Cost struct {
	Time    uint32 // passes over the memory, at least 1
	Memory  uint32 // KiB, at least 8 for each lane
	Threads uint32 // lanes, at least 1; they are filled one after the other
}

const (
	blockWords = 128
	blockSize  = 8 * blockWords
	syncPoints = 4 // slices of a pass
)

// block is the unit of the memory, 1 KiB.
type block [blockWords]uint64

// Key derives length bytes, at least 4, from a password and a salt. The cost
// and the length are the caller's to bound; zero values count as the least.
func Key(v Variety, password, salt []byte, c Cost, length int) []byte {
	return KeyOf(Version, v, password, salt, c, length)
}

// KeyOf is Key for one of the versions.
func KeyOf(version uint32, v Variety, password, salt []byte, c Cost, length int) []byte {
	f := newFilling(v, c)
	f.version = version
	f.begin(password, salt, length)
	for f.pass = 0; f.pass < f.Time; f.pass++ {
		for f.slice = 0; f.slice < syncPoints; f.slice++ {
			for lane := range f.Threads {
				f.segment(lane)
			}
		}
	}
	tag := f.end(length)
	give(f.piece)
	return tag
}

// filling is one hash under way.
type filling struct {
	Cost
	variety     Variety
	version     uint32
	piece       *piece
	memory      []block
	laneLength  uint32 // blocks of a lane
	segmentSize uint32 // blocks of a lane in a slice
	pass, slice uint32
}

func newFilling(v Variety, c Cost) *filling {
	c.Time, c.Threads = max(c.Time, 1), max(c.Threads, 1)
	blocks := max(c.Memory, 2*syncPoints*c.Threads) / (syncPoints * c.Threads) * (syncPoints * c.Threads)
	p := take(int(blocks))
	return &filling{
		Cost: c, variety: v, piece: p, memory: p.blocks,
		laneLength: blocks / c.Threads, segmentSize: blocks / c.Threads / syncPoints,
	}
}

// begin makes the first two blocks of each lane out of H0 (RFC 9106, 3.2).
func (f *filling) begin(password, salt []byte, length int) {
	h, _ := blake2b.New512(nil) // fails only for a key that is too long
	writeNumbers(h, f.Threads, uint32(length), f.Memory, f.Time, f.version, uint32(f.variety))
	for _, part := range [][]byte{password, salt, nil, nil} { // no secret, no associated data
		writeNumbers(h, uint32(len(part)))
		h.Write(part)
	}
	var seed [blake2b.Size + 8]byte
	h.Sum(seed[:0])
	var bytes [blockSize]byte
	for lane := range f.Threads {
		binary.LittleEndian.PutUint32(seed[blake2b.Size+4:], lane)
		for i := range uint32(2) {
			binary.LittleEndian.PutUint32(seed[blake2b.Size:], i)
			stretch(bytes[:], seed[:])
			f.memory[lane*f.laneLength+i].read(&bytes)
		}
	}
}

// end makes the tag out of the last block of each lane.
func (f *filling) end(length int) []byte {
	last := f.memory[f.laneLength-1]
	for lane := uint32(1); lane < f.Threads; lane++ {
		for i, word := range f.memory[(lane+1)*f.laneLength-1] {
			last[i] ^= word
		}
	}
	var bytes [blockSize]byte
	for i, word := range last {
		binary.LittleEndian.PutUint64(bytes[8*i:], word)
	}
	tag := make([]byte, length)
	stretch(tag, bytes[:])
	return tag
}

func (b *block) read(bytes *[blockSize]byte) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(bytes[8*i:])
	}
}

// segment fills the part of a lane that belongs to the present slice.
func (f *filling) segment(lane uint32) {
	addresses := addresses{independent: f.variety == Argon2i || f.variety == Argon2id && f.pass == 0 && f.slice < syncPoints/2}
	if addresses.independent {
		addresses.input = block{
			uint64(f.pass), uint64(lane), uint64(f.slice), uint64(len(f.memory)), uint64(f.Time), uint64(f.variety),
		}
	}
	first := uint32(0)
	if f.pass == 0 && f.slice == 0 {
		first = 2
	}
	start := lane * f.laneLength
	for i := first; i < f.segmentSize; i++ {
		at := f.slice*f.segmentSize + i
		before := at - 1
		if at == 0 {
			before = f.laneLength - 1
		}
		previous := &f.memory[start+before]
		random := previous[0]
		if addresses.independent {
			random = addresses.at(i)
		}
		mix(&f.memory[start+at], previous, &f.memory[f.reference(random, lane, i)], f.pass > 0 && f.version != Version10)
	}
}

// reference is the block that is mixed in (RFC 9106, 3.4.2).
func (f *filling) reference(random uint64, lane, i uint32) uint32 {
	other := uint32(random>>32) % f.Threads
	if f.pass == 0 && f.slice == 0 {
		other = lane
	}
	// The blocks there are to choose from: those of the finished slices, and
	// in the own lane those of this one but the last.
	var size, from uint32
	if f.pass == 0 {
		size = f.slice * f.segmentSize
	} else {
		size = f.laneLength - f.segmentSize
		from = (f.slice + 1) % syncPoints * f.segmentSize
	}
	switch {
	case other == lane:
		size += i - 1
	case i == 0:
		size--
	}
	x := random & 0xffffffff
	x = x * x >> 32
	x = uint64(size) * x >> 32
	return other*f.laneLength + uint32((uint64(from)+uint64(size)-1-x)%uint64(f.laneLength))
}

// addresses are numbers that choose blocks and do not depend on the password.
type addresses struct {
	independent bool
	input       block
	numbers     block
}

func (a *addresses) at(i uint32) uint64 {
	if i%blockWords == 0 || a.input[6] == 0 {
		a.input[6]++
		var zero, once block
		mix(&once, &zero, &a.input, false)
		mix(&a.numbers, &zero, &once, false)
	}
	return a.numbers[i%blockWords]
}

func writeNumbers(h hash.Hash, numbers ...uint32) {
	var b [4]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint32(b[:], n)
		h.Write(b[:])
	}
}

// stretch is the variable-length hash H' (RFC 9106, 3.3).
func stretch(out, in []byte) {
	var length [4]byte
	binary.LittleEndian.PutUint32(length[:], uint32(len(out)))
	if len(out) <= blake2b.Size {
		h, _ := blake2b.New(len(out), nil) // 1 to 64 bytes
		h.Write(length[:])
		h.Write(in)
		h.Sum(out[:0])
		return
	}
	h, _ := blake2b.New512(nil)
	h.Write(length[:])
	h.Write(in)
	v := h.Sum(nil)
	const half = blake2b.Size / 2
	for {
		n := copy(out, v[:half])
		out = out[n:]
		if len(out) <= blake2b.Size {
			break
		}
		sum := blake2b.Sum512(v)
		v = append(v[:0], sum[:]...)
	}
	last, _ := blake2b.New(len(out), nil)
	last.Write(v)
	last.Sum(out[:0])
}
