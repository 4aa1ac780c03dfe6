package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// balancer chooses the node that answers a request.
type balancer interface {
	// pick returns the node for a request of the session that hashes to key.
	pick(key uint64) int
	// turn is told which nodes are up, at the start and when one comes or goes.
	turn(up []int)
}

// balancing is one way to balance.
type balancing struct {
	name string
	make func(random *rand.Rand) balancer
}

var (
	atRandom = balancing{"random", func(random *rand.Rand) balancer { return &dice{random: random} }}
	byModulo = balancing{"hash, modulo", func(*rand.Rand) balancer { return &modulo{} }}
	byRing   = balancing{"ring, bounded", func(*rand.Rand) balancer { return &ring{} }}
)

// dice sends each request anywhere; round robin and least connections come to
// the same for a memory.
type dice struct {
	random *rand.Rand
	up     []int
}

func (d *dice) pick(uint64) int { return d.up[d.random.IntN(len(d.up))] }
func (d *dice) turn(up []int)   { d.up = up }

// modulo is the plain hash of the session cookie: another number of nodes
// sends nearly every session elsewhere.
type modulo struct{ up []int }

func (m *modulo) pick(key uint64) int { return m.up[key%uint64(len(m.up))] }
func (m *modulo) turn(up []int)       { m.up = up }

const (
	// ringPoints is how often a node lies on the ring.
	ringPoints = 100
	// ringBound is how much more than the mean a node is given: HAProxy's
	// hash-balance-factor 125.
	ringBound = 1.25
	// ringMemory is how many requests of each node the load is counted over,
	// about: what came before counts half, and before that a quarter.
	ringMemory = 200
)

// ring is consistent hashing with bounded loads (Mirrokni, Thorup and
// Zadimoghaddam, 2016): a session's node is the next on the ring, unless it
// has too much to do already.
type ring struct {
	points []point
	load   map[int]float64
	total  float64
}

type point struct {
	at   uint64
	node int
}

func (r *ring) turn(up []int) {
	former := r.load
	r.points, r.load, r.total = nil, make(map[int]float64, len(up)), 0
	for _, node := range up {
		r.load[node] = former[node]
		r.total += former[node]
		for i := range ringPoints {
			r.points = append(r.points, point{place(node, i), node})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
}

func (r *ring) pick(key uint64) int {
	first, _ := slices.BinarySearchFunc(r.points, key, func(p point, key uint64) int { return cmp.Compare(p.at, key) })
	bound := ringBound * (r.total + 1) / float64(len(r.load))
	for i := range r.points {
		node := r.points[(first+i)%len(r.points)].node
		if r.load[node] <= bound {
			r.take(node)
			return node
		}
	}
	panic("every node has more than the mean to do")
}

func (r *ring) take(node int) {
	r.load[node]++
	r.total++
	if r.total < ringMemory*float64(len(r.load)) {
		return
	}
	for node := range r.load {
		r.load[node] /= 2
	}
	r.total /= 2
}

// place is where the i-th point of a node lies: its number, mixed by the
// finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func place(node, i int) uint64 {
	z := uint64(node*ringPoints+i+1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
