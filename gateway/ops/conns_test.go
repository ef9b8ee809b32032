package ops

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// Whoever holds all connections, with or without a request before, can't keep
// the probes out.
func TestConnectionsAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	const max = 10
	c := newConnections(max, func() time.Time { now = now.Add(time.Second); return now })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }), ConnState: c.watch}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	defer func() {
		_ = srv.Shutdown(context.Background())
		<-ended
	}()
	var held []net.Conn
	for i := range 3 * max {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 && i > 2*max { // some make a request first
			if err := request(conn); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
		held = append(held, conn)
		probe, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := request(probe); err != nil {
			t.Errorf("probe %d: %v", i, err)
		}
		probe.Close()
	}
	open := 0
	for _, conn := range held {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open > max || open < max/2 {
		t.Errorf("%d connections are still held, the bound is %d", open, max)
	}
}

func request(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
