//go:build race

package payload

// allocationFactor: the race detector drops a part of what pools keep.
const allocationFactor = 4
