package budget

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// unlimited is from where on a limit is none: version 1 of cgroups writes the
// largest number of pages there is.
const unlimited = math.MaxInt64 / 2

// MachineLimit is the octets that this process may have: the lowest limit of
// its memory cgroups, of version 2 or 1, or else what the machine has. root is
// the file system from its root; 0 where nothing can be read.
func MachineLimit(root fs.FS) int64 {
	limit := machineMemory(root)
	for _, file := range cgroupFiles(root) {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // "max" is no number
		if err == nil && n > 0 && n < unlimited && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// cgroupFiles lists where a limit may stand: at the process's own cgroup and
// all above it, or, where a container sees only its own, at the mount's root.
func cgroupFiles(root fs.FS) []string {
	files := []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"}
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return files
	}
	for line := range strings.Lines(string(own)) { // hierarchy:controllers:path
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case strings.Contains(","+f[1]+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case f[0] != "0":
			continue
		}
		for dir := path.Clean("/" + f[2]); dir != "/"; dir = path.Dir(dir) {
			files = append(files, mount+dir+"/"+file)
		}
	}
	return files
}

// machineMemory is MemTotal of /proc/meminfo, 0 where that can't be read.
func machineMemory(root fs.FS) int64 {
	b, _ := fs.ReadFile(root, "proc/meminfo")
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) > 1 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}
