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
	heap  string // the url that tells what the process has allocated
	dir   string
	cmd   *exec.Cmd
	hook  *http.Server
	delay atomic.Int64 // time.Duration
	taken atomic.Int64 // POSTs answered
}

// start runs KIND[@LABEL]=BINARY and waits until it listens.
func start(spec, resolver string) (*gateway, error) {
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
	if err := g.command(binary, url, resolver); err != nil {
		return nil, err
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
// the check of senders, which the others don't make ("checked" makes it), and the
// bound of connections from one address.
func (g *gateway) command(binary, url, resolver string) error {
	tells, err := freeAddr()
	if err != nil {
		return err
	}
	g.heap = "http://" + tells + "/metrics"
	switch kind, _, _ := strings.Cut(g.label, "@"); kind {
	case "postern", "checked":
		g.cmd = exec.Command(binary, "serve")
		g.cmd.Env = append(os.Environ(), "POSTERN_WEBHOOK_URL="+url, "POSTERN_SMTP_ADDR="+g.addr, "POSTERN_HTTP_ADDR="+tells,
			"POSTERN_RETRY_STORE=sqlite://"+filepath.Join(g.dir, "store"), "POSTERN_AUTHENTICATE="+strconv.FormatBool(kind == "checked"), "POSTERN_DNS="+resolver,
			"POSTERN_SMTP_MAX_CONNECTIONS=2000", "POSTERN_SMTP_MAX_CONNECTIONS_PER_CLIENT=0")
	case "floor":
		g.cmd = exec.Command(binary, g.addr, url, tells)
	case "naive":
		g.cmd = exec.Command(binary, "-listen", g.addr, "-url", url, "-pprof", tells)
		g.heap = "http://" + tells + "/debug/pprof/heap?debug=1"
	default:
		return fmt.Errorf("%s is no kind of gateway", kind)
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
