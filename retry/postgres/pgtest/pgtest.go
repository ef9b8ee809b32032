// Package pgtest starts real PostgreSQL servers for tests, and kills them. A
// machine without PostgreSQL's binaries skips such tests; in CI they fail.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// Server is a PostgreSQL server of the test's own, on a unix socket and a
// loopback port in a folder that goes away.
type Server struct {
	bin, dir string
	port     int
	uid, gid int // of whom it runs as, -1 for ourselves
	cmd      *exec.Cmd
	exited   chan struct{}

	databases atomic.Int64 // made so far
}

// Shared is a server that the tests of a package share: started by the first
// that needs one, stopped by TestMain.
type Shared struct {
	once sync.Once
	s    *Server
	err  error
}

// Stop kills the server and removes its folder.
func (s *Shared) Stop() {
	if s.s != nil {
		s.s.Remove()
	}
}

// Main runs a package's tests and ends the process: with the server stopped, and
// a failure where a goroutine is left.
func (s *Shared) Main(m *testing.M) {
	code := m.Run()
	s.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Database makes an empty database on the shared server and returns its
// address.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	s.once.Do(func() {
		s.s, s.err = New()
		if s.err == nil {
			s.err = s.s.Start()
		}
	})
	Need(t, s.err)
	return s.s.Database(t)
}

// Need skips a test that has no server, and fails it in CI.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("CI must have PostgreSQL (Debian: postgresql): %v", err)
	default:
		t.Skipf("no PostgreSQL here: %v", err)
	}
}

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("db%d", s.databases.Add(1))
	c, err := pgx.Connect(context.Background(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

// URL is the address of a database.
func (s *Server) URL(db string) string {
	return fmt.Sprintf("postgres://postern@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=5", s.port, db)
}

// New prepares a data folder.
func New() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, uid: -1, gid: -1}
	if s.dir, err = os.MkdirTemp("", "postern-pg-"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if err := s.dropTo("postgres", "nobody"); err != nil {
			return nil, err
		}
		if err := os.Chown(s.dir, s.uid, s.gid); err != nil {
			return nil, err
		}
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	cmd := s.command("initdb", "-D", filepath.Join(s.dir, "data"), "-U", "postern", "--auth=trust", "-E", "UTF8", "--no-instructions", "-N")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, nil
}

func binaries() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(dirs[i], "postgres")); err == nil {
			return dirs[i], nil
		}
	}
	return "", fmt.Errorf("neither PATH nor /usr/lib/postgresql has postgres and initdb")
}

func (s *Server) dropTo(names ...string) error {
	for _, n := range names {
		u, err := user.Lookup(n)
		if err != nil {
			continue
		}
		if s.uid, err = strconv.Atoi(u.Uid); err != nil {
			return err
		}
		s.gid, err = strconv.Atoi(u.Gid)
		return err
	}
	return fmt.Errorf("no user to run PostgreSQL as: tried %s", strings.Join(names, ", "))
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.uid >= 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	}
	return cmd
}

// Start starts the server and waits until it answers. After a kill it refuses
// until the last orphan of its predecessor has noticed and gone.
func (s *Server) Start() (err error) {
	for range 50 {
		if err = s.try(); err == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

func (s *Server) try() error {
	s.cmd = s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", s.port),
		"-c", "unix_socket_directories="+s.dir, "-c", "max_connections=100", "-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		cancel()
		if err == nil {
			return c.Close(context.Background())
		}
		select {
		case <-exited:
			return fmt.Errorf("postgres ended at once: %w", err)
		default:
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// Remove kills the server and removes its folder.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Kill ends the server and all its processes the hard way, as a crash does.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.exited
	s.cmd = nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
