package smtp

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// collected takes runs and keeps a copy.
type collected struct{ bytes.Buffer }

func (c *collected) write(p []byte) { c.Write(p) }

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
	d := dataScanner{normalize: normalize}
	var c collected
	var window []byte
	for used := 0; ; {
		k, done := d.scan(window, &c)
		n += k
		window = window[k:]
		if done {
			return c.Bytes(), d.bare, n
		}
		if used == len(in) {
			return c.Bytes(), d.bare, -1
		}
		step := min(max(1, next()), len(in)-used)
		window = append(bytes.Clone(window), in[used:used+step]...)
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

// TestDataDifferential walks random strings of the octets that matter.
func TestDataDifferential(t *testing.T) {
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

// TestDataExhaustive walks all strings of seven octets over the alphabet of
// line ends, in one piece and octet by octet.
func TestDataExhaustive(t *testing.T) {
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

// TestDataShape: octets cost about the same however they are arranged; a
// search that begins anew at each CR costs a thousand times more.
func TestDataShape(t *testing.T) {
	// cost is the least of some runs, at most 40, until it is below enough: another
	// program's turn on the processor isn't the scanner's.
	cost := func(unit string, enough time.Duration) time.Duration {
		in := []byte(strings.Repeat(unit, largeBuffer/len(unit)))
		best := time.Hour
		for run := 0; run < 5 || run < 40 && best > enough; run++ {
			start := time.Now()
			d := dataScanner{normalize: true}
			d.scan(in, nowhere{})
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

func FuzzData(f *testing.F) {
	for _, s := range []string{"", ".\r\n", "a\r\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r\n", "a\r\r\n.\r\nx", "..\r\n...\r\n.\r\n", "\r\n.\r", "\x00.\r\n", "a\r\r\n.\r\n", strings.Repeat("\r", maxCRs+2) + "\n.\r\n"} {
		f.Add([]byte(s), uint8(3), true)
		f.Add([]byte(s), uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8, normalize bool) {
		compareData(t, in, normalize, func() int { return int(step) })
	})
}

// TestHeaderWatch cuts headers anywhere and counts the same.
func TestHeaderWatch(t *testing.T) {
	const head = "Received: a\r\n b\r\nRECEIVED:c\r\nX: Received: d\r\nReceived\r\nreceived: x"
	for _, c := range []struct {
		name, in string
		hops     int
		done     bool
	}{
		{"fields", "Received: a\r\n b\r\nRECEIVED:c\r\nX: Received: d\r\nReceivedx: 1\r\n", 2, false},
		{"empty line", "Received: a\r\n\r\nReceived: b\r\n", 1, true},
		{"bare LF lines", "Received: a\n\nReceived: b\n", 1, true},
		{"no header", "hello\r\nReceived: b\r\n", 0, true},
		{"line without colon", head, 2, true},
	} {
		for cut := range len(c.in) {
			h := headerWatch{maxHops: 100}
			h.watch([]byte(c.in[:cut]))
			h.watch([]byte(c.in[cut:]))
			if h.hops != c.hops || h.done != c.done {
				t.Errorf("%s cut at %d: hops %d done %t, want %d %t", c.name, cut, h.hops, h.done, c.hops, c.done)
			}
		}
	}
}

func BenchmarkData(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 76), crlf...)
	in := bytes.Repeat(line, largeBuffer/len(line))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		d := dataScanner{}
		d.scan(in, nowhere{})
	}
}
