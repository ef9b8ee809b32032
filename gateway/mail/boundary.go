package mail

import (
	"bytes"
	"strings"

	"postern/gateway/mail/transfer"
)

// delimiter is a multipart boundary line found in the mail (RFC 2046 5.1.1),
// or the end of the mail.
type delimiter struct {
	level int   // index of its boundary among the open ones; -1: the end of the mail
	close bool  // "--boundary--"
	start int64 // first octet of the line
	end   int64 // first octet after the line
	prev  int64 // end of the content before it: the line end before a delimiter belongs to it
}

// splitter finds delimiter lines of all open multiparts in one pass, so that
// the outer boundary also ends an inner multipart that was never closed.
type splitter struct {
	*octets
	open []string // boundaries, outermost first
}

// next returns the first delimiter line at or after off, which must be the
// start of a line.
func (s *splitter) next(off int64) delimiter {
	if len(s.open) == 0 {
		return s.eof()
	}
	for pos := off; ; {
		w := s.window(pos)
		if len(w) == 0 {
			return s.eof()
		}
		i := 0
		if pos != off || !bytes.HasPrefix(w, []byte("--")) {
			if i = dashedLine(w); i < 0 {
				pos += int64(max(1, len(w)-2)) // "\n-" may be cut by the window
				continue
			}
		}
		start := pos + int64(i)
		if d, ok := s.match(start); ok {
			d.prev = s.before(off, start)
			return d
		}
		pos = start + 1 // not "\n": the next hit lies behind it
	}
}

func (s *splitter) eof() delimiter {
	return delimiter{level: -1, start: s.size, end: s.size, prev: s.size}
}

// match holds the line at start against the open boundaries, innermost first.
func (s *splitter) match(start int64) (delimiter, bool) {
	line := s.window(start)
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	line = line[2:]
	for level := len(s.open) - 1; level >= 0; level-- {
		if ok, last := isDelimiter(line, s.open[level]); ok {
			return delimiter{level: level, close: last, start: start, end: s.lineEnd(start)}, true
		}
	}
	return delimiter{}, false
}

// isDelimiter says whether what follows "--" on a line is the boundary. Only
// white space may separate it from further text on its line, which is ignored
// (RFC 2046 asks receivers to compare the beginning of the line only, but then
// "b" would match the inner boundary "b2").
func isDelimiter(line []byte, boundary string) (ok, last bool) {
	n := len(boundary)
	if len(line) < n {
		return false, false
	}
	if len(line) > n { // the cheap test first: a mail may have millions of such lines
		switch line[n] {
		case ' ', '\t', '\r':
		case '-':
			if len(line) == n+1 || line[n+1] != '-' {
				return false, false
			}
			last = true // whatever follows: "--b-->" exists
		default:
			return false, false
		}
	}
	if string(line[:n]) != boundary {
		return false, false
	}
	return true, last
}

// before returns the end of the content that precedes the delimiter line at
// start, not before off.
func (s *splitter) before(off, start int64) int64 {
	tail := s.bytes(max(off, start-3), start)
	if !bytes.HasSuffix(tail, []byte("\n")) {
		return start
	}
	return start - int64(len(tail)-len(transfer.TrimEOL(tail)))
}

// dashedLine returns the index of the first "--" in w that follows a line
// feed, or -1. It looks for the dashes, which base64 doesn't have, not for
// the line feeds.
func dashedLine(w []byte) int {
	for i := 0; ; {
		j := bytes.Index(w[i:], []byte("--"))
		if j < 0 {
			return -1
		}
		i += j
		if i > 0 && w[i-1] == '\n' {
			return i
		}
		n := bytes.IndexByte(w[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n
	}
}

// guess finds the boundary that a multipart uses in [off, end) when it isn't
// the one it declares: the first line "--x" that a Content- field follows.
func (s *splitter) guess(off, end int64) (string, bool) {
	for tries := 0; off < end && tries < 100; tries++ {
		w := s.span(off, end)
		if !bytes.HasPrefix(w, []byte("--")) {
			i := dashedLine(w)
			if i < 0 {
				off += int64(max(1, len(w)-2))
				if len(w) <= 2 {
					return "", false
				}
				continue
			}
			off += int64(i)
			w = s.span(off, end)
		}
		line, rest, ok := bytes.Cut(w, []byte("\n"))
		if ok && len(line) > 3 && len(line) < 1000 && hasPrefixFold(rest, "content-") {
			return string(bytes.TrimRight(line[2:], " \t\r")), true
		}
		off += int64(len(line) + 1)
	}
	return "", false
}

// hasPrefixFold is bytes.HasPrefix without regard to the case of ASCII.
func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}
