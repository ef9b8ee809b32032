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
