package data

import (
	"bytes"
	"testing"
)

// TestHeader cuts headers anywhere and counts the same.
func TestHeader(t *testing.T) {
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
			h := Header{MaxHops: 100}
			h.Watch([]byte(c.in[:cut]))
			h.Watch([]byte(c.in[cut:]))
			if h.hops != c.hops || h.done != c.done {
				t.Errorf("%s cut at %d: hops %d done %t, want %d %t", c.name, cut, h.hops, h.done, c.hops, c.done)
			}
		}
	}
}

// FuzzHeader: a header is the same wherever it is cut, and never more hops or
// octets than it has.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"", "Received: a\r\n\r\nx", "received:\n\n", "no field", "\r\n", "Received: a\r\n b\r\nReceived", "A: b\r\rReceived: c\n"} {
		f.Add([]byte(s), uint8(3), uint8(2), uint8(40))
		f.Add([]byte(s), uint8(0), uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut, hops, size uint8) {
		limits := Header{MaxHops: int(hops), MaxSize: int64(size)}
		whole, pieces := limits, limits
		want := whole.Watch(in)
		got := FaultNone
		for rest := in; len(rest) > 0 && got == FaultNone; {
			n := min(int(cut)+1, len(rest))
			got = pieces.Watch(rest[:n])
			rest = rest[n:]
		}
		// A line that is both too far and one hop too many is told by what came first.
		if (got == FaultNone) != (want == FaultNone) || got == FaultNone && pieces != whole {
			t.Fatalf("%q: %d %+v in pieces, %d %+v whole", in, got, pieces, want, whole)
		}
		if whole.size > int64(len(in)) || whole.hops > bytes.Count(in, []byte(":")) {
			t.Fatalf("%q: %+v", in, whole)
		}
	})
}
