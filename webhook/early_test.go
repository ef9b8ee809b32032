package webhook

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

// A webhook may answer before it has read the body, and close: nginx does for
// client_max_body_size. The answer counts, not the broken upload.
func TestAnswerBeforeTheBodyIsRead(t *testing.T) {
	for name, end := range map[string]func(c *net.TCPConn){
		"close":         func(c *net.TCPConn) { c.Close() },
		"reset":         func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
		"lingering end": func(c *net.TCPConn) { _ = c.CloseWrite(); _, _ = io.Copy(io.Discard, c); c.Close() },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					r := bufio.NewReader(c)
					if _, err := http.ReadRequest(r); err == nil {
						_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
					}
					end(c.(*net.TCPConn))
				}()
			}
		}()
		s, ep := sender(t), endpoint(t, Config{URL: "http://" + l.Addr().String()})
		lost := 0
		for range 20 {
			if o := s.Send(t.Context(), ep, delivery(20<<20), false); o.Status != 413 {
				lost++
				t.Logf("%+v", o)
			}
		}
		if lost > 0 {
			t.Errorf("%s: %d of 20 answers lost", name, lost)
		}
		l.Close()
	}
}
