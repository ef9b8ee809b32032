package smtp_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"postern/gateway/smtp"
)

// ledger is a Memory of so many octets.
type ledger struct {
	mu         sync.Mutex
	room, held int64
	crowded    bool
	most       int64
}

func (l *ledger) Hold(n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held+n > l.room {
		return false
	}
	l.held += n
	l.most = max(l.most, l.held)
	return true
}

func (l *ledger) Free(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= n
}

func (l *ledger) Crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crowded
}

// memoryServer serves with a Memory; ended waits until no session is left.
func memoryServer(t *testing.T, m smtp.Memory) (addr string, ended func()) {
	t.Helper()
	srv, err := smtp.NewServer(smtp.DefaultConfig("mx.here.example"), newCheap(), smtp.WithMemory(m))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l, smtp.SMTP) }()
	ended = sync.OnceFunc(func() {
		_ = srv.Close()
		<-done
	})
	t.Cleanup(ended)
	return l.Addr().String(), ended
}

// dialogue says lines and returns the code of each reply.
func dialogue(t *testing.T, addr string, lines ...string) (codes []string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	read := func() {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("after %q: %v", codes, err)
			}
			if line[3] == ' ' {
				codes = append(codes, line[:3])
				return
			}
		}
	}
	read()
	for _, line := range lines {
		fmt.Fprintf(conn, "%s\r\n", line)
		read()
	}
	return codes
}

func TestEnvelopeIsBooked(t *testing.T) {
	m := &ledger{room: 70 << 10}
	addr, ended := memoryServer(t, m)
	lines := []string{"EHLO c", "MAIL FROM:<a@b.example>"}
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("RCPT TO:<%s%d@here.example>", strings.Repeat("r", 40), i))
	}
	lines = append(lines, "DATA", "x\r\n.", "MAIL FROM:<a@b.example>", "RCPT TO:<a@here.example>", "BDAT 70002 LAST\r\n"+strings.Repeat("x", 70000), "QUIT")
	codes := strings.Join(dialogue(t, addr, lines...), " ")
	m.mu.Lock()
	m.room = 6 << 10 // what follows finds no room for a large buffer
	m.mu.Unlock()
	narrow := strings.Join(dialogue(t, addr, lines...), " ")
	ended()
	if !strings.HasSuffix(codes, " 354 250 250 250 250 221") || strings.Contains(codes, "452") {
		t.Errorf("with room: %s", codes)
	}
	if !strings.Contains(narrow, " 250 452 452") || !strings.HasSuffix(narrow, " 354 250 250 250 250 221") {
		t.Errorf("without: %s", narrow)
	}
	if m.held != 0 || m.most < 64<<10 {
		t.Errorf("%d octets were not given back, of %d", m.held, m.most)
	}
}

// A session that ends in the middle of an envelope gives it back.
func TestEnvelopeIsFreed(t *testing.T) {
	m := &ledger{room: 1 << 20}
	addr, ended := memoryServer(t, m)
	lines := []string{"EHLO c", "MAIL FROM:<a@b.example>"}
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("RCPT TO:<r%d@here.example>", i))
	}
	dialogue(t, addr, lines...)
	dialogue(t, addr, append(lines, "RSET")...)
	dialogue(t, addr, append(lines, "DATA")...)
	ended()
	if m.held != 0 || m.most < 12*300 {
		t.Errorf("%d octets were not given back, of %d", m.held, m.most)
	}
}

func TestCrowdedByMemory(t *testing.T) {
	addr, _ := memoryServer(t, &ledger{crowded: true})
	if codes := dialogue(t, addr); codes[0] != "421" {
		t.Errorf("greeted with %s", codes)
	}
}
