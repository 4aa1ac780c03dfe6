package main

import (
	"math"
	"math/rand/v2"
)

// ratesOf are the rates of the followed sessions, checks a second: one from
// the middle of each of so many equal parts of the distribution, so that a
// small sample has the busy and the quiet in the right numbers.
func ratesOf(s scene) []float64 {
	rates := make([]float64, s.followed)
	var sum float64
	for i := range rates {
		normal := math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(rates))-1)
		rates[i] = math.Exp(s.skew * normal)
		sum += rates[i]
	}
	for i := range rates {
		rates[i] *= s.rate * float64(len(rates)) / sum
	}
	return rates
}

// chooser draws numbers with given weights in constant time (Vose's alias
// method, 1991).
type chooser struct {
	keep  []float64 // how likely a place keeps its own number
	other []int
}

func newChooser(weights []float64) chooser {
	n := len(weights)
	c := chooser{keep: make([]float64, n), other: make([]int, n)}
	var sum float64
	for _, w := range weights {
		sum += w
	}
	var poor, rich []int
	for i, w := range weights {
		c.keep[i], c.other[i] = w*float64(n)/sum, i
		if c.keep[i] < 1 {
			poor = append(poor, i)
		} else {
			rich = append(rich, i)
		}
	}
	for len(poor) > 0 && len(rich) > 0 {
		p, r := poor[len(poor)-1], rich[len(rich)-1]
		poor = poor[:len(poor)-1]
		c.other[p] = r
		c.keep[r] -= 1 - c.keep[p]
		if c.keep[r] < 1 {
			rich = rich[:len(rich)-1]
			poor = append(poor, r)
		}
	}
	return c
}

func (c chooser) pick(random *rand.Rand) int {
	i := random.IntN(len(c.keep))
	if random.Float64() < c.keep[i] {
		return i
	}
	return c.other[i]
}
