package main

import (
	"bytes"
	"context"
	"net"
	"testing"
)

// A pod that is stopped while it waits for its database ended as it was told to.
func TestServeStopsWhileStarting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		stop()
		_, _ = conn.Read(make([]byte, 1<<10))
		<-t.Context().Done()
		conn.Close()
	}()
	var out bytes.Buffer
	code := run(ctx, &stdio{Out: &out, Err: &out, Environ: []string{
		"POSTERN_WEBHOOK_URL=http://127.0.0.1:1/", "POSTERN_SMTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_ADDR=off",
		"POSTERN_RETRY_STORE=postgres://u@" + silent.Addr().String() + "/d?sslmode=disable",
	}}, []string{"serve"})
	if code != 0 {
		t.Errorf("exit %d:\n%s", code, &out)
	}
}
