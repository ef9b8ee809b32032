//go:build !race

package payload

const allocationFactor = 1
