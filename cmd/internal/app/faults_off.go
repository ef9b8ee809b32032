//go:build !faults

package app

// faults is where a build for crash tests ends the process; this one never does.
func faults() func(point string) { return nil }
