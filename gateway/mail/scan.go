package mail

import (
	"bytes"
	"cmp"
	"slices"

	"postern/gateway/mail/header"
)

// Span is a stretch of a message's octets: from its first to before To.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// maxSpans bounds the spans of one message: what stands between further ones goes
// with them.
const maxSpans = 1000

// maxScanned is how much of a header field FindFields shows: what is longer is
// cut there, and nobody means it seriously.
const maxScanned = 64 << 10

// FindFields lists where the fields of the message's header stand that want
// picks, folding and line end included, in order. Unlike Parse it doesn't decide
// how a malformed header is to be read: whatever some reader could take for a
// field is shown, so that one that must not be seen is not seen by anybody. Fields
// of nested messages are content and not looked at.
//
// It starts at an offset. The name is in lower case, without blanks, comments' brackets and whatever else
// a name can't hold, with "-" for "_"; the value is as received, at most 64 KiB.
// Both are good until want returns.
//
//	line end: CRLF, LF, or CR alone (Python and Ruby take it for one)
//	line start --blank line (LF CR* LF)--> end
//	           --white space-------------> goes on with the field before it,
//	                                       unless that is none and this may be one
//	           --anything else-----------> the next field
func FindFields(src Source, want func(at int64, name, value []byte) bool) ([]Span, error) {
	o, err := openOctets(src)
	if err != nil {
		return nil, err
	}
	defer o.close()
	s := scanner{octets: o, want: want}
	s.scan()
	if s.bareCR { // once more for readers who take a CR alone for nothing
		s.lfOnly, s.noLF = true, 0
		s.scan()
	}
	found := merged(s.found)
	if len(found) > maxSpans {
		found[maxSpans-1].To = found[len(found)-1].To
		found = found[:maxSpans]
	}
	return found, o.err
}

// merged puts spans in order and joins those that touch.
func merged(list []Span) []Span {
	slices.SortFunc(list, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && out[n-1].To >= s.From {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// scanner goes through the lines of a header.
type scanner struct {
	*octets
	want   func(at int64, name, value []byte) bool
	found  []Span
	name   []byte // of the last field
	noLF   int64  // up to here stands no line feed
	lfOnly bool   // a CR alone ends no line
	bareCR bool   // there is one

	open    bool  // a field is being read
	strict  bool  // nobody doubts that it is one
	named   bool  // it has its colon
	from    int64 // where it starts
	afterCR bool  // behind a line end that some readers don't know
	end     int64 // of what was read of it, without the last line end
	next    int64 // and with it
}

func (s *scanner) scan() {
	blank, afterCR := true, false
	for off := int64(0); off < s.size; {
		end, next := s.line(off)
		lf := bytes.Equal(s.span(next-1, next), []byte("\n"))
		blank = blank && s.onlyCR(off, end)
		if lf && blank {
			break
		}
		if end > off {
			s.take(off, end, next, afterCR)
		}
		off, afterCR, blank = next, !lf, blank || lf
	}
	s.shut()
}

// onlyCR reports whether nothing else stands in [off, end).
func (s *scanner) onlyCR(off, end int64) bool {
	for off < end {
		w := s.span(off, end)
		if len(w) == 0 || len(bytes.Trim(w, "\r")) > 0 {
			return false
		}
		off += int64(len(w))
	}
	return true
}

// line returns where the line at off ends, without and with its line end.
func (s *scanner) line(off int64) (end, next int64) {
	for end = off; ; {
		w := s.window(end)
		if len(w) == 0 {
			return s.size, s.size
		}
		i := s.untilLF(w, end)
		if j := bytes.IndexByte(w[:i], '\r'); j >= 0 && !s.lfOnly {
			i = j
		}
		end += int64(i)
		if i == len(w) {
			continue
		}
		if w[i] == '\n' {
			return end, end + 1
		}
		if bytes.Equal(s.span(end+1, end+2), []byte("\n")) {
			return end, end + 2
		}
		s.bareCR = true
		return end, end + 1
	}
}

// take adds a line to the field being read, or starts one with it.
func (s *scanner) take(off, end, next int64, afterCR bool) {
	first := s.span(off, min(end, off+maxScanned))
	colon := bytes.IndexByte(first, ':') >= 0
	if s.open && (first[0] == ' ' || first[0] == '\t') && (s.strict || !s.named || !colon) {
		s.named = s.named || colon
		s.end, s.next = end, next
		return
	}
	strict := header.StrictField(bytes.TrimLeft(first, " \t"))
	s.shut()
	s.open, s.strict, s.named = true, strict, colon
	s.from, s.afterCR, s.end, s.next = off, afterCR, end, next
}

// shut asks about the field that was read. Behind a CR alone the field goes with
// that CR and leaves its own line end, so that readers who know no such line end
// see the line around it end where it did.
func (s *scanner) shut() {
	if !s.open {
		return
	}
	s.open = false
	name, value, ok := bytes.Cut(s.field(s.from, min(s.end, s.from+maxScanned)), []byte(":"))
	s.name = looseName(s.name[:0], name)
	if !ok || !s.want(s.from, s.name, value) {
		return
	}
	cut := Span{s.from, s.next}
	if s.afterCR {
		cut = Span{s.from - 1, s.end}
	}
	s.found = append(s.found, cut)
}

// untilLF is how much of the window at off stands before its first line feed. It
// is looked for once, however many lines a CR ends before it.
func (s *scanner) untilLF(w []byte, off int64) int {
	if off >= s.noLF {
		i := bytes.IndexByte(w, '\n')
		if i < 0 {
			i = len(w)
		}
		s.noLF = off + int64(i)
		return i
	}
	return int(min(s.noLF-off, int64(len(w))))
}

// field is bytes without a read where the window has them.
func (s *scanner) field(from, end int64) []byte {
	if s.f != nil && from >= s.at && end <= s.at+int64(s.n) {
		return s.buf[from-s.at : end-s.at]
	}
	return s.bytes(from, end)
}

// looseName appends a field's name as the most careless reader makes it out.
func looseName(dst, name []byte) []byte {
	for _, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			dst = append(dst, c)
		case c == '_':
			dst = append(dst, '-')
		}
	}
	return dst
}

// LooseName is the name of a field of Message.Headers in FindFields' spelling.
func LooseName(name string) []byte { return looseName(nil, []byte(name)) }

// DecodeValue is a field's value unfolded, with its encoded words decoded.
func DecodeValue(raw []byte) string { return (&header.Decoder{}).Text(raw) }
