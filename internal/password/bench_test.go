package password

import (
	"context"
	"net/netip"
	"strings"
	"testing"
)

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range algorithms {
		h := newHashing(b, Options{Algorithm: algorithm})
		encoded, err := h.Hash("correct horse battery staple")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(Describe(encoded), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, _ := h.Verify("correct horse battery staple", encoded); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, algorithm := range algorithms {
		encoded, err := newHashing(b, cheapest(algorithm)).Hash("x")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := parse(encoded); !ok {
					b.Fatal("not recognised")
				}
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	vs := Validators(8)
	who := Attributes{Username: "john.smith", FirstName: "John", LastName: "Smith", Email: "john.smith@mail.example.com"}
	for name, password := range map[string]string{
		"a common length": "correct horse battery staple",
		"not ASCII":       "pässwörd-ключ-鍵-🔑",
		"4096 bytes":      strings.Repeat("abcdefgh", 512),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Validate(vs, password, who)
			}
		})
	}
}

func BenchmarkDecoyRecipe(b *testing.B) {
	h := newHashing(b, Options{})
	h.SetPopulation(table())
	b.ReportAllocs()
	for b.Loop() {
		h.decoyRecipe("nobody")
	}
}

func BenchmarkGate(b *testing.B) {
	g := NewGate(GateOptions{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Do(ctx, netip.Addr{}, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}
