package smtp_test

import (
	"context"
	"fmt"
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

func (p *places) Enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came++
	p.inside++
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
