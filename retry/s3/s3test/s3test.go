// Package s3test starts real S3 servers (versitygw, over a folder) for tests, and
// kills them. A machine without one skips such tests; with TOOLS=required they
// fail.
package s3test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/retry/s3"
)

// What the servers know their user by.
const (
	AccessKey = "postern"
	SecretKey = "postern-secret"
	Region    = "us-east-1"
)

// Server is an S3 server of the test's own, on a loopback port over a folder.
type Server struct {
	program, dir string
	port         int
	cmd          *exec.Cmd
	log          *bytes.Buffer
	exited       chan struct{}
}

// Start starts a server for as long as the test runs, and sets the usual
// variables so that clients find it and its user.
func Start(t *testing.T) *Server {
	t.Helper()
	s, err := New(t.TempDir())
	switch {
	case err == nil:
	case os.Getenv("TOOLS") == "required":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	for _, v := range s.Environ() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return s
}

// Store opens a store of bodies in a new bucket, for as long as the test runs.
func (s *Server) Store(t *testing.T, bucket string) *s3.Store {
	t.Helper()
	if err := s.Bucket(bucket); err != nil {
		t.Fatal(err)
	}
	return Open(t, bucket+"/bodies")
}

// Open opens a store as the variables say, for as long as the test runs.
func Open(t *testing.T, place string) *s3.Store {
	t.Helper()
	cfg, err := s3.ParseAddress("s3://" + place)
	if err == nil {
		cfg, err = cfg.Environ()
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = t.TempDir()
	store, err := s3.Open(cfg, s3.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// New prepares a server over a folder.
func New(dir string) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{program: program, dir: dir, port: l.Addr().(*net.TCPAddr).Port}
	return s, l.Close()
}

// find looks where "go install" puts programs, too.
func find() (string, error) {
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p, nil
	}
	out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output()
	if err == nil {
		lines := strings.Split(string(out), "\n")
		for _, p := range []string{filepath.Join(lines[0], "versitygw"), filepath.Join(lines[1], "bin", "versitygw")} {
			if info, err := os.Stat(p); err == nil && !info.IsDir() {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("there is no versitygw: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
}

// URL is the server's address.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// Addr is its host and port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Environ is how clients find it and its user.
func (s *Server) Environ() []string {
	return []string{"AWS_ENDPOINT_URL_S3=" + s.URL(), "AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey}
}

// Bucket makes a bucket: a folder of the server's.
func (s *Server) Bucket(name string) error { return os.MkdirAll(filepath.Join(s.dir, name), 0o755) }

// Objects lists the names of a bucket's objects.
func (s *Server) Objects(bucket string) (names []string, err error) {
	root := filepath.Join(s.dir, bucket)
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root+"/")
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// Path is where an object's octets lie.
func (s *Server) Path(bucket, name string) string { return filepath.Join(s.dir, bucket, name) }

// Start starts the server and waits until it answers.
func (s *Server) Start() error {
	s.log = new(bytes.Buffer)
	s.cmd = exec.Command(s.program, "--access", AccessKey, "--secret", SecretKey, "--region", Region, "--port", s.Addr(), "--keep-alive", "--quiet", "posix", s.dir)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := client.Get(s.URL())
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("versitygw ended at once: %s", s.log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// Kill ends the server the hard way.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// Pause stops the server without ending it, until Resume: it takes connections
// and answers nothing.
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }
