package postern

// Throttle limits attempts, before any hashing.
type Throttle struct {
	// Off lets every attempt through: for tests.
	Off bool
}
