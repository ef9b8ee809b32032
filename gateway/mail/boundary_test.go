package mail

import (
	"bytes"
	"strings"
	"testing"
)

func TestIsDelimiter(t *testing.T) {
	tests := []struct {
		line, boundary string
		ok, last       bool
	}{
		{"b", "b", true, false},
		{"b\r", "b", true, false},
		{"b \t\r", "b", true, false},
		{"b ignored text", "b", true, false},
		{"b--", "b", true, true},
		{"b--\r", "b", true, true},
		{"b-->", "b", true, true},
		{"bb", "b", false, false},
		{"b-", "b", false, false},
		{"B", "b", false, false},
		{"", "b", false, false},
		{"a b ", "a b ", true, false},
		{"a b", "a b ", false, false},
	}
	for _, tt := range tests {
		if ok, last := isDelimiter([]byte(tt.line), tt.boundary); ok != tt.ok || last != tt.last {
			t.Errorf("isDelimiter(%q, %q) = %v, %v", tt.line, tt.boundary, ok, last)
		}
	}
}

// naiveNext is splitter.next line by line.
func naiveNext(b []byte, off int, open []string) delimiter {
	for pos := off; pos < len(b); {
		next := len(b)
		if i := bytes.IndexByte(b[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		line := bytes.TrimSuffix(b[pos:next], []byte("\n"))
		if bytes.HasPrefix(line, []byte("--")) {
			for level := len(open) - 1; level >= 0; level-- {
				if ok, last := isDelimiter(line[2:], open[level]); ok {
					prev := pos
					if prev > off {
						prev--
						for i := 0; i < 2 && prev > off && b[prev-1] == '\r'; i++ {
							prev--
						}
					}
					return delimiter{level, last, int64(pos), int64(next), int64(prev)}
				}
			}
		}
		pos = next
	}
	n := int64(len(b))
	return delimiter{-1, false, n, n, n}
}

// windowed is a mail read through windows of n octets, as from a file.
func windowed(b []byte, n int) *octets {
	return &octets{f: nopCloser{bytes.NewReader(b)}, size: int64(len(b)), buf: make([]byte, n)}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("--a\r\nx\r\n--b\r\n--a--\r\n"), uint8(3))
	f.Add([]byte("-----\n---\n\n--a-\n--a \n--bb\n"), uint8(0))
	f.Add([]byte("\r\n--a"), uint8(1))
	f.Add([]byte("no newline --a"), uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, window uint8) {
		open := []string{"a", "b"}
		for _, o := range []*octets{{mem: b, size: int64(len(b))}, windowed(b, int(window)+64)} {
			s := splitter{octets: o, open: open}
			for off := 0; off < len(b); {
				got, want := s.next(int64(off)), naiveNext(b, off, open)
				if len(b) > 64 && o.f != nil && got.level != want.level {
					return // a delimiter line longer than the window
				}
				if got != want {
					t.Fatalf("at %d of %q: %+v, want %+v", off, b, got, want)
				}
				off = int(got.end)
			}
		}
	})
}

func TestSplitterWindows(t *testing.T) {
	var b bytes.Buffer
	for i := range 300 {
		b.WriteString(strings.Repeat("x", i) + "\r\n--b" + strings.Repeat("-", i%4) + "\r\n")
	}
	open := []string{"b"}
	for window := 64; window < 200; window += 7 {
		s := splitter{octets: windowed(b.Bytes(), window), open: open}
		for off := 0; off < b.Len(); {
			got, want := s.next(int64(off)), naiveNext(b.Bytes(), off, open)
			if got != want {
				t.Fatalf("window %d, at %d: %+v, want %+v", window, off, got, want)
			}
			off = int(got.end)
		}
	}
}

func TestGuessBoundary(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"--x\r\nContent-Type: text/plain\r\n\r\n", "x", true},
		{"pre\r\n\r\n--y z \r\ncontent-type: a\r\n", "y z", true},
		{"--\r\nContent-Type: a\r\n", "", false},
		{"-- \r\nsig\r\n", "", false},
		{"text --x\r\nContent-Type: a\r\n", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		s := splitter{octets: &octets{mem: []byte(tt.in), size: int64(len(tt.in))}}
		if got, ok := s.guess(0, s.size); got != tt.want || ok != tt.ok {
			t.Errorf("guess(%q) = %q, %v", tt.in, got, ok)
		}
	}
}
