package budget

import (
	"os"
	"testing"
	"testing/fstest"
)

func TestMachineLimit(t *testing.T) {
	const meminfo = "MemTotal:        1000 kB\nMemFree: 3 kB\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing to read", nil, 0},
		{"a machine", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n"}, 1000 << 10},
		{"version 2, as a container sees it", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4096\n"}, 4096},
		{"version 2 without a limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 1000 << 10},
		{"version 2, the limit of a slice above", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b/c\n",
			"sys/fs/cgroup/a/b/c/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.max": "8192\n", "sys/fs/cgroup/a/memory.max": "9000\n"}, 8192},
		{"version 1, from the host", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/docker/id\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/docker/id/memory.limit_in_bytes": "70000\n"}, 70000},
		{"version 1, as a container sees it", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/docker/id\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n"}, 5000},
		{"more than the machine has", map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "99999999999\n"}, 1000 << 10},
		{"nonsense", map[string]string{"proc/meminfo": "MemTotal:\n", "proc/self/cgroup": "x\n::\n", "sys/fs/cgroup/memory.max": "-7\n"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := MachineLimit(root); got != c.want {
				t.Errorf("limit %d, want %d", got, c.want)
			}
		})
	}
	if MachineLimit(os.DirFS("/")) < 1<<20 {
		t.Error("this machine has no memory")
	}
}
