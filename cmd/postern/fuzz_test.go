package main

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"
)

// Whatever a server says, the client reads a reply or fails; it never hangs or
// panics, and a reply has a code.
func FuzzReply(f *testing.F) {
	f.Add([]byte("250-a\r\n250 b\r\n"))
	f.Add([]byte("250"))
	f.Add([]byte("999 x\r\n"))
	f.Add([]byte("25"))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := &smtpClient{conn: deaf{}, r: bufio.NewReader(bytes.NewReader(said)), timeout: time.Second}
		if a, err := c.read(); err == nil && (a.Code < 200 || a.Code > 599 || len(a.Lines) == 0) {
			t.Errorf("%q was read as %v", said, a)
		}
	})
}

// deaf is a connection that only has deadlines.
type deaf struct{ net.Conn }

func (deaf) SetDeadline(time.Time) error { return nil }
