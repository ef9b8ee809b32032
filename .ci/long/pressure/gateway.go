package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// gateway is a postern process under test and what it has cost so far. It may
// be started again after its end; costs add up.
type gateway struct {
	binary string
	dir    string // its store and spool; removed by close
	limit  int64  // octets; 0: none
	env    []string
	smtp   string
	smtps  string
	http   string

	cmd    *exec.Cmd
	cgroup string
	done   chan struct{}
	err    error
	log    *os.File

	mu    sync.Mutex
	peak  int64
	cpu   time.Duration // of ended processes
	now   time.Duration // of the one that runs
	kills int
	asked bool // its end was asked for
}

func newGateway(binary string, limit int64, env ...string) (*gateway, error) {
	dir, err := os.MkdirTemp("", "pressure-")
	if err != nil {
		return nil, err
	}
	g := &gateway{binary: binary, dir: dir, limit: limit, smtp: freeAddr(), smtps: freeAddr(), http: freeAddr()}
	g.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "POSTERN_DOMAIN=mx.pressure.test", "POSTERN_AUTHENTICATE=false",
		"POSTERN_SMTP_ADDR=" + g.smtp, "POSTERN_HTTP_ADDR=" + g.http, "POSTERN_LOG_LEVEL=warn",
		"POSTERN_RETRY_STORE=sqlite://" + filepath.Join(dir, "store"), "POSTERN_RECIPIENTS=*@in.test,*@slow.test",
	}, env...)
	return g, nil
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the gateway and waits until it listens.
func (g *gateway) start() error {
	var err error
	if g.log, err = os.OpenFile(filepath.Join(g.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	env := g.env
	if g.limit > 0 {
		if g.cgroup, err = makeCgroup(filepath.Base(g.dir), g.limit); err != nil {
			fmt.Fprintln(os.Stderr, "no cgroup, so the resident set is watched:", err)
		}
		if g.cgroup == "" && g.knows("POSTERN_MEMORY_LIMIT") {
			env = append(env, fmt.Sprintf("POSTERN_MEMORY_LIMIT=%d", g.limit))
		}
	}
	args := []string{"-c", `exec "$@"`, "sh", g.binary, "serve"}
	if g.cgroup != "" {
		args[1] = `echo $$ >` + filepath.Join(g.cgroup, "cgroup.procs") + ` && exec "$@"`
	}
	g.cmd = exec.Command("sh", args...)
	g.cmd.Env, g.cmd.Stdout, g.cmd.Stderr = env, g.log, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return err
	}
	g.done, g.asked = make(chan struct{}), false
	go g.watch()
	return g.await(20 * time.Second)
}

// knows reports whether the binary has a setting.
func (g *gateway) knows(name string) bool {
	out, _ := exec.Command(g.binary, "config", "--markdown").Output()
	return bytes.Contains(out, []byte(name))
}

func (g *gateway) await(limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-g.done:
			return fmt.Errorf("the gateway ended at its start: %w\n%s", g.err, g.tail())
		default:
		}
		if res, err := http.Get("http://" + g.http + "/livez"); err == nil {
			res.Body.Close()
			if c, err := net.Dial("tcp", g.smtp); err == nil {
				c.Close()
				return nil
			}
		}
	}
	return errors.New("the gateway doesn't listen")
}

// watch samples the process until its end.
func (g *gateway) watch() {
	ended := make(chan error, 1)
	go func() { ended <- g.cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := false
	for {
		select {
		case <-tick.C:
			rss := g.sample()
			if g.cgroup == "" && g.limit > 0 && rss > g.limit && !over {
				over = true
				g.cmd.Process.Kill()
			}
		case g.err = <-ended:
			g.mu.Lock()
			use := g.cmd.ProcessState
			g.cpu, g.now = g.cpu+use.UserTime()+use.SystemTime(), 0
			if status, ok := use.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL && !g.asked {
				g.kills++
			}
			g.mu.Unlock()
			if g.cgroup != "" {
				os.Remove(g.cgroup)
			}
			g.log.Close()
			close(g.done)
			return
		}
	}
}

// sample reads the process's memory and CPU.
func (g *gateway) sample() (rss int64) {
	pid := strconv.Itoa(g.cmd.Process.Pid)
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	var peak int64
	for s := bufio.NewScanner(bytes.NewReader(status)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmHWM":
			peak = kb << 10
		case "VmRSS":
			rss = kb << 10
		}
	}
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	if len(f) > 12 {
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		ticks = user + system
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peak, g.now = max(g.peak, peak), time.Duration(ticks)*10*time.Millisecond
	return rss
}

func (g *gateway) costs() (peak int64, cpu time.Duration, kills int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peak, g.cpu + g.now, g.kills
}

// resetPeak forgets what the process took so far, its own high-water mark too.
func (g *gateway) resetPeak() {
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", g.cmd.Process.Pid), []byte("5"), 0)
	g.mu.Lock()
	g.peak = 0
	g.mu.Unlock()
}

// kill ends the process at once.
func (g *gateway) kill() {
	g.mu.Lock()
	g.asked = true
	g.mu.Unlock()
	g.cmd.Process.Kill()
	<-g.done
}

func (g *gateway) running() bool {
	select {
	case <-g.done:
		return false
	default:
		return true
	}
}

func (g *gateway) tail() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "log"))
	return string(b[max(0, len(b)-2000):])
}

func (g *gateway) close() {
	if g.cmd != nil && g.running() {
		g.kill()
	}
	if keep := os.Getenv("PRESSURE_KEEP"); keep == "" {
		os.RemoveAll(g.dir)
	}
}

// metric reads a sample of /metrics whose line starts with the name.
func (g *gateway) metric(name string) string {
	res, err := http.Get("http://" + g.http + "/metrics")
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			return v
		}
	}
	return ""
}

// trace tells each second how the memory budget stands.
func (g *gateway) trace(stop <-chan struct{}) {
	for began := time.Now(); ; {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
			_, cpu, _ := g.costs()
			fmt.Fprintf(os.Stderr, "%3.0f s: CPU %.1f s, taken %s, held %s, waiting %s, refused %s\n", time.Since(began).Seconds(), cpu.Seconds(),
				g.metric("postern_memory_taken_bytes"), g.metric("postern_memory_held_bytes"), g.metric("postern_memory_waiting"), g.metric("postern_memory_refused_total"))
		}
	}
}

// makeCgroup makes a memory cgroup, of version 2 or 1, and returns its folder.
func makeCgroup(name string, limit int64) (string, error) {
	value := []byte(strconv.FormatInt(limit, 10))
	for _, c := range []struct{ root, file string }{
		{"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	} {
		dir := filepath.Join(c.root, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if f, err := os.OpenFile(filepath.Join(dir, c.file), os.O_WRONLY, 0); err == nil {
			_, err = f.Write(value)
			if f.Close(); err == nil {
				return dir, nil
			}
		}
		os.Remove(dir)
	}
	return "", errors.New("none can be made here")
}
