package argon2

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	reference "golang.org/x/crypto/argon2"
	"pgregory.net/rapid"
)

// of is the same by golang.org/x/crypto.
func of(v Variety, password, salt []byte, c Cost, length int) []byte {
	key := reference.IDKey
	if v == Argon2i {
		key = reference.Key
	}
	return key(password, salt, c.Time, c.Memory, uint8(c.Threads), uint32(length))
}

func TestEveryCostGivesWhatTheLibraryGives(t *testing.T) {
	for _, v := range []Variety{Argon2i, Argon2id} {
		for _, c := range []Cost{
			{1, 8, 1}, {1, 9, 1}, {2, 8, 1}, {3, 15, 1}, {1, 16, 2}, {4, 31, 2}, {2, 64, 3}, {1, 64, 8}, {3, 1000, 4},
			{1, 2048, 1}, {2, 4099, 1}, {5, 512, 1}, {2, 4096, 8},
		} {
			for _, length := range []int{4, 16, 32, 33, 63, 64, 65, 96, 97, 128, 1000} {
				got, want := Key(v, []byte("password"), []byte("somesalt"), c, length), of(v, []byte("password"), []byte("somesalt"), c, length)
				if !bytes.Equal(got, want) {
					t.Errorf("%d %+v, %d bytes: %x, want %x", v, c, length, got, want)
				}
			}
		}
	}
}

// TestTheReferenceImplementationsVectors is from test.c of the reference
// implementation, version 0x13.
func TestTheReferenceImplementationsVectors(t *testing.T) {
	for _, test := range []struct {
		v              Variety
		c              Cost
		password, salt string
		want           string
	}{
		{Argon2i, Cost{2, 65536, 1}, "password", "somesalt", "c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0"},
		{Argon2i, Cost{2, 256, 1}, "password", "somesalt", "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f"},
		{Argon2i, Cost{2, 256, 2}, "password", "somesalt", "4ff5ce2769a1d7f4c8a491df09d41a9fbe90e5eb02155a13e4c01e20cd4eab61"},
		{Argon2id, Cost{2, 65536, 1}, "password", "somesalt", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{Argon2id, Cost{2, 256, 1}, "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{Argon2id, Cost{2, 256, 2}, "password", "somesalt", "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{Argon2id, Cost{2, 65536, 1}, "differentpassword", "somesalt", "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
		{Argon2id, Cost{2, 65536, 1}, "password", "diffsalt", "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"},
	} {
		if got := hex.EncodeToString(Key(test.v, []byte(test.password), []byte(test.salt), test.c, 32)); got != test.want {
			t.Errorf("%d %+v %s %s: %s, want %s", test.v, test.c, test.password, test.salt, got, test.want)
		}
	}
}

func TestAnyInputGivesWhatTheLibraryGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]Variety{Argon2i, Argon2id}).Draw(t, "variety")
		threads := rapid.Uint32Range(1, 5).Draw(t, "threads")
		c := Cost{
			Time: rapid.Uint32Range(1, 4).Draw(t, "time"), Threads: threads,
			Memory: rapid.Uint32Range(8*threads, 8*threads+300).Draw(t, "memory"),
		}
		password := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "password")
		salt := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "salt")
		length := rapid.IntRange(4, 200).Draw(t, "length")
		if got, want := Key(v, password, salt, c, length), of(v, password, salt, c, length); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

// TestBothWaysOfMixingAgree holds the assembly to the Go code; elsewhere they
// are the same.
func TestBothWaysOfMixingAgree(t *testing.T) {
	random := func() *block {
		var bytes [blockSize]byte
		rand.Read(bytes[:])
		var b block
		b.read(&bytes)
		return &b
	}
	for range 1000 {
		x, y, out := random(), random(), random()
		for _, xor := range []bool{false, true} {
			got, want := *out, *out
			mix(&got, x, y, xor)
			mixGeneric(&want, x, y, xor)
			if got != want {
				t.Fatalf("xor %v: %x, want %x", xor, got, want)
			}
		}
	}
}

func TestWhatAFormerHashLeftInMemoryDoesNotMatter(t *testing.T) {
	c := Cost{Time: 1, Memory: 100, Threads: 1}
	want := of(Argon2id, []byte("b"), []byte("somesalt"), c, 32)
	for range 10 {
		Key(Argon2id, []byte("a"), []byte("othersalt"), Cost{Time: 2, Memory: 300, Threads: 2}, 32)
		if got := Key(Argon2id, []byte("b"), []byte("somesalt"), c, 32); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	}
}

func TestHashesAtTheSameTimeDoNotShareMemory(t *testing.T) {
	c := Cost{Time: 2, Memory: 256, Threads: 1}
	errs := make(chan error)
	for i := range 8 {
		password := []byte{byte(i)}
		want := of(Argon2id, password, []byte("somesalt"), c, 32)
		go func() {
			for range 20 {
				if got := Key(Argon2id, password, []byte("somesalt"), c, 32); !bytes.Equal(got, want) {
					errs <- fmt.Errorf("%x, want %x", got, want)
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestSpareMemoryIsBoundedAndGivenBack(t *testing.T) {
	giveBack()
	var all []*piece
	for range maxSpare + 10 {
		all = append(all, take(16))
	}
	for _, p := range all {
		give(p)
	}
	if n := len(spare.pieces); n != maxSpare {
		t.Errorf("%d pieces are kept", n)
	}
	give(take(maxSpareBlocks + 4))
	for _, p := range spare.pieces {
		if len(p.blocks) > maxSpareBlocks {
			t.Error("a piece that is too large is kept")
		}
	}
	give(take(32)) // another size drives the former out
	if n := len(spare.pieces); n != 1 {
		t.Errorf("%d pieces are kept after a change of parameters", n)
	}
	giveBack()
	if n := len(spare.pieces); n != 0 {
		t.Errorf("%d pieces are left", n)
	}
}

// BenchmarkKey is a hash of the default cost here and by the library.
func BenchmarkKey(b *testing.B) {
	c := Cost{Time: 2, Memory: 19456, Threads: 1}
	for name, key := range map[string]func(Variety, []byte, []byte, Cost, int) []byte{"here": Key, "library": of} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key(Argon2id, []byte("password"), []byte("somesaltsomesalt"), c, 16)
			}
		})
	}
	b.Run("generic", func(b *testing.B) {
		var x, y, out block
		for b.Loop() {
			mixGeneric(&out, &x, &y, true)
		}
	})
	b.Run("mix", func(b *testing.B) {
		var x, y, out block
		for b.Loop() {
			mix(&out, &x, &y, true)
		}
	})
}
