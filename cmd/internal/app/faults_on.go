//go:build faults

package app

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// wall is the machine's clock, as far ahead as the file says that FAULT_CLOCK
// names: "2h", "-24h".
func wall() func() time.Time {
	path := os.Getenv("FAULT_CLOCK")
	return func() time.Time {
		said, err := os.ReadFile(path)
		if err != nil {
			return time.Now()
		}
		step, _ := time.ParseDuration(strings.TrimSpace(string(said)))
		return time.Now().Add(step)
	}
}

// faults ends the process as kill -9 would, the n-th time that it reaches the
// step that FAULT names: "staged:3".
func faults() func(point string) {
	at, count, ok := strings.Cut(os.Getenv("FAULT"), ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil {
		return nil
	}
	var reached atomic.Int64
	return func(point string) {
		if point == at && reached.Add(1) == n {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
