package webhook

import (
	"bufio"
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The receivers that the README shows take what a Sender posts, and nothing that
// isn't signed with their secret. POSTERN_TEST_RECEIVERS=all makes a missing
// interpreter a failure.
func TestReceivers(t *testing.T) {
	s := sender(t)
	for _, c := range []struct{ program, file string }{
		{"go", "receiver.go"}, {"python3", "receiver.py"}, {"node", "receiver.js"}, {"puma", "receiver.ru"},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			tryReceiver(t, s, c.program, c.file)
		})
	}
}

// TestStandardWebhooksLibrary runs where STANDARDWEBHOOKS names a node_modules
// with the library, as .ci/standardwebhooks does.
func TestStandardWebhooksLibrary(t *testing.T) {
	if os.Getenv("STANDARDWEBHOOKS") == "" {
		t.Skip("STANDARDWEBHOOKS is not set")
	}
	tryReceiver(t, sender(t), "node", "standardwebhooks.js")
}

// tryReceiver posts with the receiver's secret and with another.
func tryReceiver(t *testing.T, s *Sender, program, file string) {
	t.Helper()
	port, lines := startReceiver(t, program, file)
	d := delivery(200 << 10)
	d.Message.Subject = "Привет, \"hook\""
	ep := endpoint(t, Config{URL: "http://127.0.0.1:" + port, Secret: Fixed(testSecret)})
	if o := s.Send(t.Context(), ep, d); o.Status != 204 {
		t.Fatalf("%+v", o)
	}
	for line, err := "", error(nil); line != d.Message.Subject; {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("the subject isn't printed: %v", err)
		}
		line = strings.TrimRight(line, "\r\n")
	}
	if o := s.Send(t.Context(), endpoint(t, Config{URL: "http://127.0.0.1:" + port}), d); o.Status != 401 {
		t.Errorf("unsigned: %+v", o)
	}
	other := endpoint(t, Config{URL: "http://127.0.0.1:" + port, Secret: Fixed("whsec_" + strings.Repeat("A", 32))})
	if o := s.Send(t.Context(), other, d); o.Status != 401 {
		t.Errorf("another secret: %+v", o)
	}
}

// startReceiver runs a program of testdata/receivers and waits until it listens.
func startReceiver(t *testing.T, program, file string) (port string, stdout *bufio.Reader) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("POSTERN_TEST_RECEIVERS") == "all" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	source := filepath.Join("testdata", "receivers", file)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	cmd := exec.Command(path, source)
	if program == "go" { // built, since "go run" would leave its child behind
		binary := filepath.Join(t.TempDir(), "receiver")
		if out, err := exec.Command(path, "build", "-o", binary, source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		cmd = exec.Command(binary)
	}
	if program == "puma" {
		cmd = exec.Command(path, "--quiet", "-b", "tcp://127.0.0.1:"+port, source)
	}
	cmd.Env = append(os.Environ(), "PORT="+port, "SECRET="+testSecret, "PYTHONIOENCODING=utf-8", "LANG="+cmp.Or(os.Getenv("LANG"), "C.UTF-8"))
	cmd.Stderr = t.Output()
	out, itsEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = itsEnd
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	itsEnd.Close()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	giveUp := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() }) // an interpreter takes its time on a busy machine
	t.Cleanup(func() {
		giveUp.Stop()
		_ = cmd.Process.Kill()
		<-ended
		out.Close()
	})
	for {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return port, bufio.NewReader(out)
		}
		select {
		case <-ended:
			t.Fatalf("%s ended and didn't listen: %v", file, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
