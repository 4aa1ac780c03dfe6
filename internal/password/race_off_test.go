//go:build !race

package password

const raceDetector = false
