package main

import (
	"errors"
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

// token opens the API of a gateway that is measured.
const token = "a-token-of-this-measurement-alone"

// gateway is a process on a store of its own, and its webhook.
type gateway struct {
	addr, api, dir string
	cmd            *exec.Cmd
	hook           *http.Server
	posts          atomic.Int64 // answered
}

func start(binary string) (*gateway, error) {
	dir, err := os.MkdirTemp("", "backlog-")
	if err != nil {
		return nil, err
	}
	g := &gateway{dir: dir}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g.hook = &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			g.posts.Add(1)
		}
	})}
	go g.hook.Serve(l)
	if g.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	if g.api, err = freeAddr(); err != nil {
		return nil, err
	}
	g.cmd = exec.Command(binary, "serve")
	g.cmd.Env = append(os.Environ(), "POSTERN_WEBHOOK_URL=http://"+l.Addr().String(), "POSTERN_WEBHOOK_NAME=app", "POSTERN_ACCEPT=queue",
		"POSTERN_SMTP_ADDR="+g.addr, "POSTERN_HTTP_ADDR="+g.api, "POSTERN_HTTP_TOKEN="+token, "POSTERN_RETRY_STORE=sqlite://"+filepath.Join(dir, "store"),
		"POSTERN_AUTHENTICATE=false", "POSTERN_SMTP_MAX_CONNECTIONS_PER_CLIENT=0")
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if c, err := net.Dial("tcp", g.addr); err == nil {
			return g, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.stop()
	return nil, errors.New("the gateway doesn't listen")
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.hook.Close()
	_ = os.RemoveAll(g.dir)
}

// post has the endpoint paused or resumed.
func (g *gateway) post(verb string) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+g.api+"/api/v1/endpoints/app/"+verb, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		said, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s was answered %s: %s", verb, res.Status, said)
	}
	return nil
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
