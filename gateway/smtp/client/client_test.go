package client

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"postern/gateway/smtp/reply"
)

// Whatever a server says, the client reads a reply or fails; it never hangs or
// panics, and a reply has a code.
func FuzzReply(f *testing.F) {
	f.Add([]byte("250-a\r\n250 b\r\n"))
	f.Add([]byte("250-5.1.1 a\n550 b\r\n"))
	f.Add([]byte("250"))
	f.Add([]byte("999 x\r\n"))
	f.Add([]byte("25"))
	f.Fuzz(func(t *testing.T, said []byte) {
		r, err := readReply(bufio.NewReader(bytes.NewReader(said)), func(string) {})
		if err == nil && (r.Code < 200 || r.Code > 599 || len(r.Lines) == 0) {
			t.Errorf("%q was read as %v", said, r)
		}
	})
}

// server answers each line that it is told with the next of its replies, over a
// pipe, and keeps what it heard.
func server(t *testing.T, replies ...string) (net.Conn, func() []string) {
	here, there := net.Pipe()
	heard := make(chan []string, 1)
	go func() {
		defer there.Close()
		var lines []string
		defer func() { heard <- lines }()
		r := bufio.NewReader(there)
		for _, reply := range replies {
			if _, err := there.Write([]byte(reply)); err != nil {
				return
			}
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			lines = append(lines, strings.TrimSpace(line))
		}
	}()
	t.Cleanup(func() { here.Close() })
	return here, func() []string { return <-heard }
}

// TestStartTLSInjection: what comes in the clear behind the answer to STARTTLS
// ends the connection; it is no answer inside TLS.
func TestStartTLSInjection(t *testing.T) {
	conn, _ := server(t, "220 here\r\n", "250-here\r\n250 STARTTLS\r\n", "220 go\r\n250 evil\r\n")
	_, err := New(conn, Options{Hello: "x", StartTLS: Must, Timeout: time.Second, TLS: &tls.Config{InsecureSkipVerify: true}})
	if err == nil || !strings.Contains(err.Error(), "in the clear") {
		t.Errorf("%v", err)
	}
}

// TestWhole: a refused recipient refuses the mail, and nothing of it is sent.
func TestWhole(t *testing.T) {
	conn, heard := server(t, "220 here\r\n", "250 here\r\n", "250 ok\r\n", "250 ok\r\n", "550 5.1.1 who\r\n", "250 flushed\r\n", "221 bye\r\n")
	c, err := New(conn, Options{Hello: "x", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(&Message{From: "a@x", To: []string{"b@x", "c@x"}, Whole: true, Write: func(io.Writer) error { return errors.New("must not be written") }})
	var refused *Refusal
	if !errors.As(err, &refused) || refused.To != "RCPT TO:<c@x>" || refused.Temporary() || r.String() != "550 5.1.1 who" || r.Enhanced != (reply.Enhanced{5, 1, 1}) {
		t.Errorf("%v, %v", r, err)
	}
	if err := c.write("x\r\nRSET", "x"); err == nil {
		t.Error("a line end in a command was sent")
	}
	c.Close()
	if got := strings.Join(heard(), "|"); got != "EHLO x|MAIL FROM:<a@x>|RCPT TO:<b@x>|RCPT TO:<c@x>|RSET" {
		t.Errorf("the server heard %q", got)
	}
}
