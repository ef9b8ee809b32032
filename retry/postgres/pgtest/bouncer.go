package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bouncer starts PgBouncer before the server of an address, for as long as the
// test runs, and returns the address through it. mode is its pool_mode. Without
// PgBouncer the test is skipped, but with TOOLS=required it fails.
func Bouncer(t testing.TB, dsn, mode string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if os.Getenv("TOOLS") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{bin: filepath.Dir(program), dir: t.TempDir(), uid: -1}
	if os.Getuid() == 0 { // PgBouncer refuses to run as root
		if err := s.dropTo("postgres", "nobody"); err != nil {
			t.Fatal(err)
		}
	}
	// The folders above belong to the test's user alone: what PgBouncer reads is
	// opened for it.
	files := make([]*os.File, 2)
	for i, text := range []string{
		fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = /proc/self/fd/4\npool_mode = %s\ndefault_pool_size = 4\n",
			u.Hostname(), u.Port(), port, mode),
		fmt.Sprintf("%q \"\"\n", u.User.Username()),
	} {
		name := filepath.Join(s.dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if files[i], err = os.Open(name); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	cmd := s.command("pgbouncer", "-q", "/proc/self/fd/3")
	cmd.Dir, cmd.ExtraFiles = "/", files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	u.Host = fmt.Sprint("127.0.0.1:", port)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := pgx.Connect(context.Background(), u.String())
		if err == nil {
			_ = c.Close(context.Background())
			return u.String()
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
