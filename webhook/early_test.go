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
			if o := s.Send(t.Context(), ep, delivery(20<<20)); o.Status != 413 {
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

// A webhook that takes the message before it has it hasn't taken it: what it
// saw of it is unknown.
func TestTakenBeforeTheBodyWasSent(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"at once": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
		"half way": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			w.WriteHeader(http.StatusOK)
		},
	} {
		s, ep := sender(t), endpoint(t, Config{URL: serve(t, handler).URL})
		for range 5 {
			if o := s.Send(t.Context(), ep, delivery(20<<20)); o.Result != Deferred || o.Reason != ReasonEarly || o.Status != 200 {
				t.Errorf("%s: %+v", name, o)
			}
		}
	}
}

// One that reads to the end before it answers has it, however it ends the
// connection and whatever it said in between.
func TestTakenWithTheLastOctet(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"kept": func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
		"closed": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Connection", "close")
		},
		"hinted": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.Copy(io.Discard, r.Body)
		},
	} {
		s, ep := sender(t), endpoint(t, Config{URL: serve(t, handler).URL})
		for _, size := range []int64{0, 100 << 10, 5 << 20} {
			for range 10 {
				if o := s.Send(t.Context(), ep, delivery(size)); o.Result != Delivered {
					t.Errorf("%s, %d octets: %+v", name, size, o)
				}
			}
		}
	}
}
