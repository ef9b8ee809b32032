package postgres

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
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	shared.stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// server is a PostgreSQL server of the test's own, on a unix socket and a
// loopback port in a folder that goes away.
type server struct {
	bin, dir string
	port     int
	uid, gid int // of whom it runs as, -1 for ourselves
	cmd      *exec.Cmd
	exited   chan struct{}
}

// shared is started by the first test that needs a server, stopped by TestMain.
var shared sharedServer

type sharedServer struct {
	once sync.Once
	s    *server
	err  error
	mu   sync.Mutex
	n    int
}

func (s *sharedServer) stop() {
	if s.s != nil {
		s.s.kill()
		_ = os.RemoveAll(s.s.dir)
	}
}

// database makes an empty database on the shared server and returns its
// address. Without PostgreSQL's binaries the test is skipped, in CI it fails.
func database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		shared.s, shared.err = newServer()
		if shared.err == nil {
			shared.err = shared.s.start()
		}
	})
	needServer(t, shared.err)
	return shared.s.database(t)
}

func needServer(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("CI must have PostgreSQL (Debian: postgresql): %v", err)
	default:
		t.Skipf("no PostgreSQL here: %v", err)
	}
}

func (s *server) database(t testing.TB) string {
	t.Helper()
	shared.mu.Lock()
	shared.n++
	name := fmt.Sprintf("db%d", shared.n)
	shared.mu.Unlock()
	c, err := pgx.Connect(context.Background(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

func (s *server) url(db string) string {
	return fmt.Sprintf("postgres://postern@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=5", s.port, db)
}

// newServer prepares a data folder.
func newServer() (*server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, uid: -1, gid: -1}
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

func (s *server) dropTo(names ...string) error {
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

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.uid >= 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	}
	return cmd
}

// start starts the server and waits until it answers. After a kill it refuses
// until the last orphan of its predecessor has noticed and gone.
func (s *server) start() (err error) {
	for range 50 {
		if err = s.try(); err == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

func (s *server) try() error {
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
		c, err := pgx.Connect(ctx, s.url("postgres"))
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

// kill ends the server and all its processes the hard way, as a crash does.
func (s *server) kill() {
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
