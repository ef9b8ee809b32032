//go:build !faults

package app

import "time"

// faults is where a build for crash tests ends the process; this one never does.
func faults() func(point string) { return nil }

// wall is the machine's clock.
func wall() func() time.Time { return time.Now }
