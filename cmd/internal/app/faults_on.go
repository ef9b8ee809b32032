//go:build faults

package app

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

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
