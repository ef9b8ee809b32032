package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc: Linux tells all programs 100 a second.
const tick = time.Second / 100

// CPU is what the server and its processes have used so far, those that have
// ended included.
func (s *Server) CPU() (used time.Duration) {
	server := strconv.Itoa(s.cmd.Process.Pid)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// The program's name stands in parentheses and may hold anything.
		_, rest, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			continue
		}
		last := 13 // utime and stime
		if f == fmt.Sprintf("/proc/%s/stat", server) {
			last = 15 // and those of children that were waited for
		} else if fields[1] != server {
			continue
		}
		for _, v := range fields[11:last] {
			n, _ := strconv.ParseInt(v, 10, 64)
			used += time.Duration(n) * tick
		}
	}
	return used
}

// CPU is what the server has used so far.
func (s *Shared) CPU() time.Duration { return s.s.CPU() }
