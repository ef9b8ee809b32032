package gateway_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkMessage takes mails over one SMTP connection to a webhook that answers
// at once: what a message costs from its first octet to its 250, client, webhook
// and a queue that nothing is stored in included. cpu-µs/op compares better than
// ns/op where others work on the machine.
func BenchmarkMessage(b *testing.B) {
	html := "<table>" + strings.Repeat("<tr><td style=\"color:#333\"><a href=\"https://click.example.net/t/1?u=2&amp;c=3\">order 12</a></td><td>shipped to Zürich</td></tr>\n", 800) + "</table>"
	file := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("octets of a file\x00", 355_000/17)))
	for _, c := range []struct {
		name       string
		recipients int
		body       string
	}{
		{"small", 1, "Content-Type: text/plain\r\n\r\n" + strings.Repeat("Words of a mail that somebody wrote.\r\n", 25)},
		{"64 recipients", 64, "Content-Type: text/plain\r\n\r\n" + strings.Repeat("Words of a mail that somebody wrote.\r\n", 25)},
		{"typical", 1, "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" + quotedPart("plain", strings.Repeat("Words of a mail.\n", 230)) + "\r\n--b\r\n" + quotedPart("html", html[:18_000]) + "\r\n--b--\r\n"},
		{"HTML only", 1, quotedPart("html", html)},
		{"PDF", 1, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nPlease find attached.\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(file, 76) + "--b--\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHarness(b, setting{})
			h.hook.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			s := openBench(b, h.addr)
			message := "From: a@example.net\r\nTo: b@in.example\r\nSubject: order\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n" + c.body + ".\r\n"
			envelope := "MAIL FROM:<a@example.net>\r\n"
			for i := range c.recipients {
				envelope += fmt.Sprintf("RCPT TO:<b%d@in.example>\r\n", i)
			}
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				s.say(envelope+"DATA\r\n", c.recipients+2)
				s.say(message, 1)
			}
			b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func quotedPart(kind, text string) string {
	var out strings.Builder
	out.WriteString("Content-Type: text/" + kind + "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return strings.TrimSuffix(out.String(), "\r\n") + "\r\n"
}

func lines(s string, width int) string {
	var out strings.Builder
	for ; len(s) > width; s = s[width:] {
		out.WriteString(s[:width] + "\r\n")
	}
	return out.String() + s + "\r\n"
}

// benchSession is a client that waits for so many replies.
type benchSession struct {
	b    *testing.B
	conn net.Conn
	in   *bufio.Reader
}

func openBench(b *testing.B, addr string) *benchSession {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	s := &benchSession{b, conn, bufio.NewReader(conn)}
	s.say("", 1)
	s.say("HELO x\r\n", 1)
	return s
}

func (s *benchSession) say(octets string, replies int) {
	if _, err := io.WriteString(s.conn, octets); err != nil {
		s.b.Fatal(err)
	}
	for range replies {
		line, err := s.in.ReadString('\n')
		if err != nil || line[0] > '3' {
			s.b.Fatalf("%q %v", line, err)
		}
	}
}

// cpuTime is what this process has spent.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
