package smtp_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

const (
	idlersEnv   = "POSTERN_TEST_IDLERS" // "address count": be the clients instead
	idlersReady = "ready\n"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(idlersEnv); job != "" {
		os.Exit(beIdlers(job))
	}
	goleak.VerifyTestMain(m)
}

// startIdlers runs this test binary as so many clients that say EHLO and then
// nothing.
func startIdlers(exe, addr string, n int, out io.Writer) (*exec.Cmd, error) {
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), idlersEnv+"="+addr+" "+strconv.Itoa(n))
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd, cmd.Start()
}

func beIdlers(job string) int {
	var addr string
	var n int
	if _, err := fmt.Sscan(job, &addr, &n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	conns := make([]net.Conn, 0, n)
	buf := make([]byte, 4096)
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		conns = append(conns, conn)
		for _, say := range []string{"", "EHLO client.test.example\r\n"} {
			if _, err := io.WriteString(conn, say); err != nil {
				return 1
			}
			if _, err := conn.Read(buf); err != nil {
				return 1
			}
		}
	}
	fmt.Print(idlersReady)
	_, _ = io.Copy(io.Discard, conns[0]) // until the server or our parent ends
	return 0
}
