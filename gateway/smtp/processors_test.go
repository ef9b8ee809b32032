package smtp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"postern/gateway/smtp"
)

// places counts who comes for a place.
type places struct {
	mu           sync.Mutex
	came, inside int
}

func (p *places) Enter(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came++
	p.inside++
	return nil
}

func (p *places) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inside--
}

// The octets of a large message are worked on at a place, those of a small one
// and its commands aren't; every place is given back, at a fault too.
func TestPlacesForLargeMessages(t *testing.T) {
	line := strings.Repeat("x", 70) + "\r\n"
	small, large := strings.Repeat(line, 700), strings.Repeat(line, 20_000)
	bdat := func(body string) string { return fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), body) }
	for name, tc := range map[string]struct {
		lines []string
		codes string
		takes bool
	}{
		"small DATA": {[]string{"MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", small + "."}, "250 250 354 250", false},
		"large DATA": {[]string{"MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", large + "."}, "250 250 354 250", true},
		"large BDAT": {[]string{"MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", bdat(large)}, "250 250 250", true},
		"too large":  {[]string{"MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", large + large + "."}, "250 250 354 552", true},
		"small BDAT": {[]string{"MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", bdat(small)}, "250 250 250", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &places{}
			cfg := smtp.DefaultConfig("mx.here.example")
			cfg.MaxSize = 2 << 20
			srv, err := smtp.NewServer(cfg, newCheap(), smtp.WithProcessors(p))
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- srv.Serve(context.Background(), l, smtp.SMTP) }()
			codes := dialogue(t, l.Addr().String(), append([]string{"EHLO x.example"}, tc.lines...)...)
			_ = srv.Close()
			<-done
			if got := strings.Join(codes, " "); !strings.HasSuffix(got, tc.codes) {
				t.Errorf("replies %s", got)
			}
			if p.inside != 0 || (p.came > 0) != tc.takes {
				t.Errorf("places were taken %d times, %d not given back", p.came, p.inside)
			}
		})
	}
}

// busy never has a place.
type busy struct{ asked chan struct{} }

func (b busy) Enter(ctx context.Context) error {
	b.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (busy) Leave() { panic("nobody had a place") }

// A server that closes waits for no session that waits for a place.
func TestCloseEndsTheWaitForAPlace(t *testing.T) {
	p := busy{make(chan struct{}, 1)}
	srv, err := smtp.NewServer(smtp.DefaultConfig("mx.here.example"), newCheap(), smtp.WithProcessors(p))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l, smtp.SMTP) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.Copy(io.Discard, conn)
	go fmt.Fprintf(conn, "EHLO x.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 1000000 LAST\r\n%s", strings.Repeat("x", 1_000_000))
	<-p.asked
	_ = srv.Close()
	<-done
}
