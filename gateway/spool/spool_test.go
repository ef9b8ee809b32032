package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"postern/gateway/budget"
	"postern/gateway/mail"
)

func TestSpoolKeepsEveryOctet(t *testing.T) {
	for _, size := range []int{0, 1, 8<<10 - 1, 8 << 10, 8<<10 + 1, 64 << 10, 64<<10 + 1, 100_000, 256 << 10, 256<<10 + 1, 1 << 20} {
		dir := t.TempDir()
		sp, err := New(dir, DefaultMemory, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		p := open(t, sp, "a@example.com", 0)
		for b := want; len(b) > 0; {
			n := min(len(b), 7001)
			if _, err := p.Write(b[:n]); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		p.Done()
		head := "Received: here\r\n"
		src := mail.Prepend(head, p.Source())
		r, err := src.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, append([]byte(head), want...)); err != nil {
			t.Errorf("%d octets: %v", size, err)
		}
		r.Close()
		if p.Size() != int64(size) || sp.Used() != int64(size) || src.Size() != int64(size+len(head)) {
			t.Errorf("%d octets: Size %d, Used %d, joined %d", size, p.Size(), sp.Used(), src.Size())
		}
		if got, want := p.Sum(), sum("a@example.com", want); got != want {
			t.Errorf("%d octets: key %x, want %x", size, got, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 || sp.Used() != 0 {
			t.Errorf("%d octets: after Close the folder holds %v, Used is %d", size, left, sp.Used())
		}
	}
}

func sum(from string, data []byte) [32]byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(from)))
	return sha256.Sum256(append(append(b, from...), data...))
}

func TestSpoolBound(t *testing.T) {
	sp, err := New(t.TempDir(), 10, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := open(t, sp, "", 0), open(t, sp, "", 0)
	if _, err := a.Write(make([]byte, 90)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(make([]byte, 20)); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	c := open(t, sp, "", 0)
	if _, err := c.Write(make([]byte, 100)); err != nil {
		t.Fatalf("after the others closed: %v", err)
	}
	c.Close()
}

func TestJoinedCopy(t *testing.T) {
	sp, _ := New(t.TempDir(), 4, 0, nil)
	p := open(t, sp, "", 0)
	defer p.Close()
	p.Write([]byte("body octets"))
	r, err := mail.Prepend("head ", p.Source()).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Seek(2, io.SeekStart)
	var out bytes.Buffer
	if n, err := io.Copy(&out, r); err != nil || n != 14 || out.String() != "ad body octets" {
		t.Fatalf("copied %d %q, %v", n, out.String(), err)
	}
}

// Without room in memory a message goes to disk early; all that it held is
// given back.
func TestSpoolDrawsFromTheBudget(t *testing.T) {
	dir := t.TempDir()
	room := budget.New(1 << 20) // a quarter of it for spools
	sp, err := New(dir, DefaultMemory, 0, room)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Spool
	onDisk := 0
	for range 10 {
		p := open(t, sp, "a@example.com", 0)
		for range 60 {
			if _, err := p.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := p.Source().(*File); ok {
			onDisk++
		}
		all = append(all, p)
	}
	if onDisk != 6 || room.Stats().Held != 4*64<<10 {
		t.Errorf("%d of 10 are on disk, %d octets held", onDisk, room.Stats().Held)
	}
	small := open(t, sp, "", 0)
	if _, err := small.Write(make([]byte, 8000)); err != nil {
		t.Fatal(err)
	}
	if _, ok := small.Source().(mail.Bytes); !ok {
		t.Error("a small message needs the disk")
	}
	all[0].Write(make([]byte, 300_000)) // from memory to disk
	for _, p := range append(all, small) {
		if err := errors.Join(p.Close(), p.Close()); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 || room.Stats().Held != 0 {
		t.Errorf("left are %v and %d octets", left, room.Stats().Held)
	}
}

// TestBehind: our header lines stand before the octets wherever these are, and
// these stay what they were.
func TestBehind(t *testing.T) {
	for _, size := range []int{0, 100, 8 << 10, 60 << 10, 200 << 10, 500 << 10, 2 << 20} {
		for _, lines := range []string{"", "Received: here\r\n", strings.Repeat("x", headRoom), strings.Repeat("x", headRoom+1)} {
			sp, err := New(t.TempDir(), DefaultMemory, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := open(t, sp, "", 0)
			want := strings.Repeat("0123456789", size/10)
			p.Write([]byte(want))
			p.Done()
			seen, data := content(t, p.Behind(lines)), content(t, p.Source())
			if seen != lines+want || data != want {
				t.Errorf("%d octets behind %d: %d seen, %d as received", size, len(lines), len(seen), len(data))
			}
			p.Close()
		}
	}
}

func content(t *testing.T, src mail.Source) string {
	t.Helper()
	r, err := src.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWhereAMessageLies: in memory while there is plenty of it, whatever was
// announced; on disk from the start where it won't stay in memory anyway; and who
// only announces gets no more than his octets need.
func TestWhereAMessageLies(t *testing.T) {
	const kib, mib = int64(1 << 10), int64(1 << 20)
	for name, c := range map[string]struct {
		room            int64 // of the budget; 0: boundless
		announced, size int64
		inMemory        bool
		held            int64
	}{
		"small":                        {0, 0, 5 * kib, true, 0},
		"500 KB":                       {64 * mib, 500 * kib, 500 * kib, true, mib},
		"500 KB, nobody said so":       {64 * mib, 0, 500 * kib, true, mib},
		"500 KB, memory is short":      {4 * mib, 500 * kib, 500 * kib, false, 0},
		"200 KB, memory is short":      {4 * mib, 200 * kib, 200 * kib, true, 256 * kib},
		"2 MiB":                        {64 * mib, 2 * mib, 2 * mib, false, 0},
		"2 MiB, its first octets":      {64 * mib, 2 * mib, 20 * kib, false, 0},
		"500 KB said, 20 KiB sent":     {64 * mib, 500 * kib, 20 * kib, true, 64 * kib},
		"500 KB said, all but nothing": {64 * mib, 500 * kib, 10, true, 0},
	} {
		var room *budget.Budget
		if c.room > 0 {
			room = budget.New(c.room)
		}
		sp, err := New(t.TempDir(), DefaultMemory, 0, room)
		if err != nil {
			t.Fatal(err)
		}
		p := open(t, sp, "", c.announced)
		for left := c.size; left > 0; left -= kib {
			p.Write(make([]byte, min(left, kib)))
		}
		_, inMemory := p.Source().(mail.Bytes)
		if held := room.Stats().Held; inMemory != c.inMemory || held != c.held {
			t.Errorf("%s: in memory %v, %d octets held", name, inMemory, held)
		}
		p.Close()
		if held := room.Stats().Held; held != 0 {
			t.Errorf("%s: %d octets are still held", name, held)
		}
	}
}

func open(t *testing.T, sp *Spooler, from string, announced int64) *Spool {
	t.Helper()
	p, err := sp.New(from, announced)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAnnouncedIsBooked: who announces a size that doesn't fit is refused before
// the first octet, who fits gets all of it, and nothing stays booked.
func TestAnnouncedIsBooked(t *testing.T) {
	const mib = 1 << 20
	sp, err := New(t.TempDir(), 10, 16*mib, nil)
	if err != nil {
		t.Fatal(err)
	}
	var spools []*Spool
	for range 5 {
		spools = append(spools, open(t, sp, "", 3*mib))
	}
	if _, err := sp.New("", 3*mib); !errors.Is(err, ErrFull) {
		t.Errorf("%v for the sixth of 3 MiB in 16, want ErrFull", err)
	}
	if p := open(t, sp, "", 0); p != nil { // small mail finds room in spite of all announcements
		if _, err := p.Write(make([]byte, mib/2)); err != nil {
			t.Error(err)
		}
		p.Close()
	}
	for _, p := range spools {
		if _, err := p.Write(make([]byte, 3*mib)); err != nil {
			t.Error(err)
		}
	}
	short := spools[0]
	short.Close()
	short = open(t, sp, "", 3*mib)
	short.Write(make([]byte, 5))
	short.Done()
	if want := int64(12*mib + 5); sp.Used() != want {
		t.Errorf("%d octets booked, want %d", sp.Used(), want)
	}
	for _, p := range append(spools[1:], short) {
		p.Close()
	}
	if sp.Used() != 0 {
		t.Errorf("%d octets are still booked", sp.Used())
	}
}

// TestGrowth: a message whose size nobody knows books in few steps.
func TestGrowth(t *testing.T) {
	sp, err := New(t.TempDir(), 10, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, sp, "", 0)
	defer p.Close()
	steps, before := 0, int64(0)
	for range 1000 {
		p.Write(make([]byte, 8<<10))
		if now := sp.Used(); now != before {
			steps, before = steps+1, now
		}
	}
	if steps > 10 || sp.Used() < p.Size() || sp.Used() > 2*p.Size() {
		t.Errorf("%d steps, %d octets booked for %d", steps, sp.Used(), p.Size())
	}
}
