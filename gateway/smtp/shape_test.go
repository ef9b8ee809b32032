package smtp_test

import (
	"postern/gateway/smtp/reply"
	"strings"
	"testing"
	"time"

	"postern/gateway/smtp"
)

// counter is a Sink that counts what it is asked.
type counter struct{ writes, octets int }

func (c *counter) Write(p []byte) (int, error) {
	c.writes++
	c.octets += len(p)
	return len(p), nil
}

func (*counter) Abort() {}

// shapes are messages that differ in how their octets are arranged alone.
var shapes = []struct {
	name, unit string
	octets     int // of content in a unit; 0: all of it
	chunks     bool
}{
	{name: "text", unit: strings.Repeat("x", 70) + "\r\n"},
	{name: "dots stuffed", unit: "..\r\n", octets: 3},
	{name: "empty lines", unit: "\r\n"},
	{name: "bare LF", unit: "x\n", octets: 3},
	{name: "bare CR", unit: "\r ", octets: 3},
	{name: "one line", unit: "xxxxxxxx"},
	{name: "chunks of one octet", unit: "BDAT 1\r\nx", octets: 1, chunks: true},
}

// TestShape: what a sink is asked follows a message's octets, not how they
// are arranged in lines, dots, line ends and chunks.
func TestShape(t *testing.T) {
	const size = 1 << 20
	for _, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			sink := &counter{}
			f := newFixture(t, "size=0")
			f.rec.onData = func() (smtp.Sink, reply.Reply) { return sink, reply.Reply{} }
			n := size / len(c.unit)
			body := []byte("Subject: x\r\n\r\n" + strings.Repeat(c.unit, n))
			start := time.Now()
			client := newRawClient(t, f.addr)
			client.say([]byte("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n"), 2)
			if c.chunks {
				client.stream(append(body[14:], "BDAT 0 LAST\r\n"...), n+1)
			} else {
				client.say([]byte("DATA\r\n"), 1)
				client.stream(append(body, "\r\n.\r\n"...), 1)
			}
			per := c.octets
			if per == 0 {
				per = len(c.unit)
			}
			if want := n * per; sink.octets < want {
				t.Errorf("%d octets came through, want at least %d", sink.octets, want)
			}
			t.Logf("%d writes of %d octets, %v", sink.writes, sink.octets, time.Since(start))
			if most := sink.octets/4096 + 8; sink.writes > most {
				t.Errorf("%d writes for %d octets, want at most %d", sink.writes, sink.octets, most)
			}
		})
	}
}

// stream writes while it reads, so that neither end waits for the other.
func (c *rawClient) stream(octets []byte, lines int) {
	done := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(octets)
		done <- err
	}()
	c.say(nil, lines)
	if err := <-done; err != nil {
		c.t.Fatal(err)
	}
}
