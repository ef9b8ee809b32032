package mail

import (
	"fmt"
	"io"
)

// Without returns src without the spans, which are in order and apart.
func Without(src Source, cut []Span) Source {
	if len(cut) == 0 {
		return src
	}
	if b, ok := src.(Bytes); ok && len(b) <= maxCopy {
		return without(b, cut)
	}
	w := &shortened{src: src, kept: make([]Span, 0, len(cut)+1)}
	at := int64(0)
	for _, c := range append(cut[:len(cut):len(cut)], Span{src.Size(), src.Size()}) {
		if c.From > at {
			w.kept = append(w.kept, Span{at, c.From})
			w.size += c.From - at
		}
		at = max(at, c.To)
	}
	return w
}

func without(b Bytes, cut []Span) Bytes {
	out := make(Bytes, 0, len(b))
	at := int64(0)
	for _, c := range cut {
		out = append(out, b[at:max(at, c.From)]...)
		at = max(at, c.To)
	}
	return append(out, b[at:]...)
}

// shortened is a stored source of which only some spans are shown.
type shortened struct {
	src  Source
	kept []Span
	size int64
}

// Size implements Source.
func (s *shortened) Size() int64 { return s.size }

// Open implements Source.
func (s *shortened) Open() (io.ReadSeekCloser, error) {
	r, err := s.src.Open()
	if err != nil {
		return nil, err
	}
	return &shortenedReader{shortened: s, r: r, at: -1}, nil
}

// shortenedReader is at pos of what is shown; at is r's own offset, -1 where it
// isn't known.
type shortenedReader struct {
	*shortened
	r   io.ReadSeekCloser
	pos int64
	at  int64
}

// here puts r at pos and returns how many octets follow in the same span; 0 at
// the end.
func (s *shortenedReader) here() (int64, error) {
	before := int64(0)
	for _, k := range s.kept {
		length := k.To - k.From
		if s.pos >= before+length {
			before += length
			continue
		}
		want := k.From + s.pos - before
		if s.at != want {
			if _, err := s.r.Seek(want, io.SeekStart); err != nil {
				return 0, fmt.Errorf("mail: seek in the stored mail: %w", err)
			}
			s.at = want
		}
		return k.To - want, nil
	}
	return 0, nil
}

func (s *shortenedReader) moved(n int64) {
	s.pos += n
	s.at += n
}

// Read implements io.Reader.
func (s *shortenedReader) Read(b []byte) (int, error) {
	left, err := s.here()
	if err != nil {
		return 0, err
	}
	if left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(b[:min(int64(len(b)), left)])
	s.moved(int64(n))
	if err == io.EOF {
		err = nil
		if n == 0 {
			err = io.ErrUnexpectedEOF // the store lost octets
		}
	}
	return n, err
}

// WriteTo lets io.Copy reach the file behind.
func (s *shortenedReader) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	for {
		left, err := s.here()
		if left == 0 || err != nil {
			return total, err
		}
		n, err := io.CopyN(w, s.r, left)
		s.moved(n)
		total += n
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return total, err
		}
	}
}

// Seek implements io.Seeker.
func (s *shortenedReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("mail: seek to %d, before the first octet", offset)
	}
	s.pos = offset
	return offset, nil
}

// Close implements io.Closer.
func (s *shortenedReader) Close() error { return s.r.Close() }
