package spool

import (
	"bytes"
	"errors"
	"testing"

	"postern/gateway/budget"
)

// Senders wait for the disk once the files of all spools have more octets on their
// way to it than a share of the memory; then and at Close the account is right.
func TestSettle(t *testing.T) {
	s, err := New(t.TempDir(), 64<<10, 0, budget.New(looseOfRoom*5<<20))
	if err != nil {
		t.Fatal(err)
	}
	write := func(p *Spool, n int) {
		t.Helper()
		if _, err := p.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		p.Settle()
	}
	var spools []*Spool
	for range 3 {
		p, err := s.New("a@b.example", 0)
		if err != nil {
			t.Fatal(err)
		}
		spools = append(spools, p)
	}
	a, b, c := spools[0], spools[1], spools[2]
	write(c, 1000) // in memory
	write(a, 4<<20)
	if got := s.loose.Load(); got != 4<<20 {
		t.Errorf("below the share %d octets are on their way", got)
	}
	write(b, settleStep-1)
	write(b, 1<<20)
	if a.settled != 0 || b.settled != b.size || s.loose.Load() != 4<<20 {
		t.Errorf("above the share %d and %d octets were waited for, %d are on their way", a.settled, b.settled, s.loose.Load())
	}
	write(b, 100)
	for _, p := range spools {
		p.Close()
	}
	if got := s.loose.Load(); got != 0 {
		t.Errorf("at the end %d octets are on their way", got)
	}
}

// A disk that fails leaves no octets on their way.
func TestSettleAfterFault(t *testing.T) {
	s, err := New(t.TempDir(), 64<<10, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.New("", 0)
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 100<<10)
	if _, err := p.Write(big); err != nil {
		t.Fatal(err)
	}
	if err := p.file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(big); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("a closed file: %v", err)
	}
	p.Settle()
	_ = p.Close()
	if got := s.loose.Load(); got != 0 {
		t.Errorf("%d octets are on their way", got)
	}
}

// The octets of messages that are there already hold no sender up for long: those
// who settle their own send them on their way.
func TestSettleWhatIsDone(t *testing.T) {
	s, err := New(t.TempDir(), 64<<10, 0, budget.New(looseOfRoom*5<<20))
	if err != nil {
		t.Fatal(err)
	}
	spool := func() *Spool {
		t.Helper()
		p, err := s.New("a@b.example", 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	write := func(p *Spool, n int) {
		t.Helper()
		if _, err := p.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		p.Settle()
	}
	first, second := spool(), spool()
	write(first, 2<<20)
	write(second, 3<<20)
	if first.Source(); len(s.done) != 1 {
		t.Errorf("%d are done", len(s.done))
	}
	second.Source()
	second.Source()
	sender := spool()
	write(sender, settleStep) // crowded: both it and one that is done settle
	if got := s.loose.Load(); got > 3<<20 || s.crowded() {
		t.Errorf("%d octets are on their way beside two messages that wait for their webhook", got)
	}
	write(sender, settleStep)
	if sender.loose() != settleStep {
		t.Error("a sender waits for the disk although it has room")
	}
	for _, p := range []*Spool{first, second, sender} {
		p.Close()
	}
	if got := s.loose.Load(); got != 0 || len(s.done) != 0 {
		t.Errorf("at the end %d octets are on their way, of %d that are done", got, len(s.done))
	}
}
