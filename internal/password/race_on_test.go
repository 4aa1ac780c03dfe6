//go:build race

package password

// raceDetector says that the tests run under the race detector, which makes
// the hashers written in Go up to thirty times slower.
const raceDetector = true
