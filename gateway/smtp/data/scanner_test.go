package data

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// window is how many octets a session reads at once.
const window = 64 << 10

// nowhere takes runs and forgets them.
type nowhere struct{}

func (nowhere) Take([]byte) {}

// collected takes runs and keeps a copy.
type collected struct{ bytes.Buffer }

func (c *collected) Take(p []byte) { c.Write(p) }

// naiveData reads DATA octet by octet, as RFC 5321 tells it: the peer that the
// scanner is held to. n is how many octets belong to the message, its end
// included; -1 where the end is not there.
func naiveData(in []byte, normalize bool) (out []byte, bare bool, n int) {
	lineStart := true
	for i := 0; i < len(in); i++ {
		c, rest := in[i], in[i:]
		switch {
		case lineStart && bytes.HasPrefix(rest, []byte(".\r\n")):
			return out, bare, i + 3
		case lineStart && c == '.':
			lineStart = false
		case bytes.HasPrefix(rest, []byte("\r\n")):
			out = append(out, '\r', '\n')
			i++
			lineStart = true
		case brokenEnd(rest) > 0:
			n := brokenEnd(rest)
			bare, lineStart = true, true
			if normalize {
				out = append(out, '\r', '\n')
			} else {
				out = append(out, rest[:n]...)
			}
			i += n - 1
		case c == '\r' || c == '\n':
			bare, lineStart = true, false
			if normalize {
				out = append(out, '\r', '\n')
			} else {
				out = append(out, c)
			}
		default:
			out = append(out, c)
			lineStart = false
		}
	}
	return out, bare, -1
}

// brokenEnd is how many octets of CRs and an LF stand here, 0 where they don't.
func brokenEnd(in []byte) int {
	n := 0
	for n < len(in) && in[n] == '\r' {
		n++
	}
	if n == 0 || n > maxCRs || n == len(in) || in[n] != '\n' {
		return 0
	}
	return n + 1
}

// scanPieces feeds the scanner as the wire does: cut anywhere, what it didn't
// consume comes again.
func scanPieces(in []byte, normalize bool, next func() int) (out []byte, bare bool, n int) {
	d := Scanner{Normalize: normalize}
	var c collected
	var have []byte
	for used := 0; ; {
		k, done := d.Scan(have, &c)
		n += k
		have = have[k:]
		if done {
			return c.Bytes(), d.Bare, n
		}
		if used == len(in) {
			return c.Bytes(), d.Bare, -1
		}
		step := min(max(1, next()), len(in)-used)
		have = append(bytes.Clone(have), in[used:used+step]...)
		used += step
	}
}

func compareData(t *testing.T, in []byte, normalize bool, next func() int) {
	t.Helper()
	wantOut, wantBare, wantN := naiveData(in, normalize)
	out, bare, n := scanPieces(in, normalize, next)
	if n != wantN || (n >= 0 && (bare != wantBare || !bytes.Equal(out, wantOut))) {
		t.Fatalf("%q, normalize %t:\n got %q bare %t n %d\nwant %q bare %t n %d", in, normalize, out, bare, n, wantOut, wantBare, wantN)
	}
	if n < 0 && !bytes.HasPrefix(wantOut, out) {
		t.Fatalf("%q: handed out %q, which is no part of %q", in, out, wantOut)
	}
}

// TestDifferential walks random strings of the octets that matter.
func TestDifferential(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte("\r\n\r\n..\r\n\r\r\rab\x00")
	for range 100_000 {
		in := make([]byte, rnd.IntN(24))
		for i := range in {
			in[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		if rnd.IntN(2) == 0 {
			in = append(in, "\r\n.\r\nNOOP\r\n"...)
		}
		compareData(t, in, rnd.IntN(2) == 0, func() int { return rnd.IntN(5) })
	}
}

// TestExhaustive walks all strings of seven octets over the alphabet of
// line ends, in one piece and octet by octet.
func TestExhaustive(t *testing.T) {
	alphabet := []byte("\r\n.a")
	const size = 7
	in := make([]byte, size)
	for code := range 1 << (2 * size) {
		for i := range in {
			in[i] = alphabet[code>>(2*i)&3]
		}
		for _, normalize := range []bool{false, true} {
			compareData(t, in, normalize, func() int { return size })
			compareData(t, in, normalize, func() int { return 1 })
		}
	}
}

// TestShape: octets cost about the same however they are arranged; a
// search that begins anew at each CR costs a thousand times more.
func TestShape(t *testing.T) {
	// cost is the least of some runs, at most 40, until it is below enough: another
	// program's turn on the processor isn't the scanner's.
	cost := func(unit string, enough time.Duration) time.Duration {
		in := []byte(strings.Repeat(unit, window/len(unit)))
		best := time.Hour
		for run := 0; run < 5 || run < 40 && best > enough; run++ {
			start := time.Now()
			d := Scanner{Normalize: true}
			d.Scan(in, nowhere{})
			best = min(best, time.Since(start))
		}
		return best
	}
	lines := cost("x\r\n", time.Hour)
	for _, unit := range []string{"\r ", "\n", "\r\r", "..\r\n", ".", "\r\r\n", "\r\n"} {
		if got := cost(unit, 20*lines); got > 20*lines {
			t.Errorf("%q costs %v, short lines %v", unit, got, lines)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{"", ".\r\n", "a\r\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r\n", "a\r\r\n.\r\nx", "..\r\n...\r\n.\r\n", "\r\n.\r", "\x00.\r\n", "a\r\r\n.\r\n", strings.Repeat("\r", maxCRs+2) + "\n.\r\n"} {
		f.Add([]byte(s), uint8(3), true)
		f.Add([]byte(s), uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8, normalize bool) {
		compareData(t, in, normalize, func() int { return int(step) })
	})
}

func BenchmarkScanner(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 76), crlf...)
	in := bytes.Repeat(line, window/len(line))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		d := Scanner{}
		d.Scan(in, nowhere{})
	}
}
