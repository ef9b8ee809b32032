package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Any environment gives a configuration or errors, and a secret is in neither.
func FuzzConfig(f *testing.F) {
	f.Add("POSTERN_WEBHOOK_0_HEADERS", "X: y\nZ")
	f.Add("POSTERN_RETRY_STORE", "postgres://u:p@h/d?x=y")
	f.Add("POSTERN_DSN_RELAY", "smtp://u:p@[::1]:25")
	f.Add("POSTERN_PROXY_FROM", "10.0.0.0/8, ::1")
	f.Add("POSTERN_SMTP_MAX_SIZE", "9223372036854775807KiB")
	f.Add("POSTERN_WEBHOOK_00_URL", "http://a")
	f.Fuzz(func(t *testing.T, key, value string) {
		if strings.HasSuffix(key, "_FILE") {
			t.Skip("names a file of this machine")
		}
		const secret = "c0rrecth0rse"
		c, err := loadConfig([]string{anEndpoint, "POSTERN_WEBHOOK_PASSWORD=" + secret, "POSTERN_WEBHOOK_USERNAME=u", key + "=" + value})
		var out bytes.Buffer
		if err != nil {
			out.WriteString(err.Error())
		} else if err := writeConfig(&out, c); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s=%q shows the password:\n%s", key, value, &out)
		}
	})
}

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

// What listen prints of a body never speaks to the terminal.
func FuzzPretty(f *testing.F) {
	f.Add([]byte(`{"a":"\u001b[31m"}`))
	f.Add([]byte("\x1b]0;x\x07\u009b31m\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range (&listener{out: io.Discard}).pretty(body) {
			if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q prints %q", body, r)
			}
		}
	})
}
