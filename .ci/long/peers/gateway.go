package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// gateway is a process under load, and its webhook.
type gateway struct {
	label string
	addr  string
	dir   string
	cmd   *exec.Cmd
	hook  *http.Server
	delay atomic.Int64 // time.Duration
	taken atomic.Int64 // POSTs answered
}

// start runs KIND[@LABEL]=BINARY and waits until it listens.
func start(spec string) (*gateway, error) {
	label, binary, ok := strings.Cut(spec, "=")
	if !ok {
		return nil, fmt.Errorf("is not KIND=BINARY")
	}
	dir, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return nil, err
	}
	g := &gateway{label: label, dir: dir}
	url, err := g.listen()
	if err != nil {
		return nil, err
	}
	if g.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(label, "@")
	g.cmd = command(kind, binary, g.addr, url, dir)
	if g.cmd == nil {
		return nil, fmt.Errorf("%s is no kind of gateway", kind)
	}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if c, err := net.Dial("tcp", g.addr); err == nil {
			return g, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.stop()
	return nil, fmt.Errorf("it doesn't listen")
}

// command is how a kind of gateway is run. Postern runs as it is shipped, but for
// the check of senders, which the others don't make, and the bound of connections
// from one address.
func command(kind, binary, addr, url, dir string) *exec.Cmd {
	switch kind {
	case "postern":
		cmd := exec.Command(binary, "serve")
		cmd.Env = append(os.Environ(), "POSTERN_WEBHOOK_URL="+url, "POSTERN_SMTP_ADDR="+addr, "POSTERN_HTTP_ADDR=127.0.0.1:0",
			"POSTERN_RETRY_STORE=sqlite://"+filepath.Join(dir, "store"), "POSTERN_AUTHENTICATE=false",
			"POSTERN_SMTP_MAX_CONNECTIONS=2000", "POSTERN_SMTP_MAX_CONNECTIONS_PER_CLIENT=0")
		return cmd
	case "floor":
		return exec.Command(binary, addr, url)
	case "naive":
		return exec.Command(binary, "-listen", addr, "-url", url)
	}
	return nil
}

func (g *gateway) listen() (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	g.hook = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		time.Sleep(time.Duration(g.delay.Load()))
		g.taken.Add(1)
		w.WriteHeader(http.StatusOK)
	})}
	go g.hook.Serve(l)
	return "http://" + l.Addr().String() + "/hook", nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (g *gateway) stop() {
	if g.cmd.Process != nil {
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		_ = g.cmd.Wait()
	}
	_ = g.hook.Close()
	_ = os.RemoveAll(g.dir)
}

// cpu is the time that the process has spent, in ticks of 10 ms.
func (g *gateway) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}
