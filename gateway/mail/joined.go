package mail

import (
	"fmt"
	"io"
)

// Prepend returns head followed by src as one Source: the header lines that
// we add, and the octets of DATA as they were received.
func Prepend(head string, src Source) Source {
	if b, ok := src.(Bytes); ok && len(b) <= maxCopy {
		return append(append(make(Bytes, 0, len(head)+len(b)), head...), b...)
	}
	return &joined{head: head, src: src}
}

// maxCopy is how many octets in memory are copied to stand in one piece behind a
// head or without a span, rather than being read through a window.
const maxCopy = 64 << 10

type joined struct {
	head string
	src  Source
}

func (j *joined) Size() int64 { return int64(len(j.head)) + j.src.Size() }

func (j *joined) Open() (io.ReadSeekCloser, error) {
	r, err := j.src.Open()
	if err != nil {
		return nil, err
	}
	return &joinedReader{head: j.head, r: r, size: j.Size()}, nil
}

// joinedReader reads the head, then r, whose offset is always that of pos.
type joinedReader struct {
	head string
	r    io.ReadSeekCloser
	pos  int64
	size int64
}

func (j *joinedReader) Read(b []byte) (int, error) {
	if j.pos < int64(len(j.head)) {
		n := copy(b, j.head[j.pos:])
		j.pos += int64(n)
		return n, nil
	}
	n, err := j.r.Read(b)
	j.pos += int64(n)
	return n, err
}

// WriteTo lets io.Copy reach the file behind.
func (j *joinedReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	if j.pos < int64(len(j.head)) {
		n, err := io.WriteString(w, j.head[j.pos:])
		j.pos, total = j.pos+int64(n), int64(n)
		if err != nil {
			return total, err
		}
	}
	n, err := io.Copy(w, j.r)
	j.pos += n
	return total + n, err
}

func (j *joinedReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += j.pos
	case io.SeekEnd:
		offset += j.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("mail: seek to %d, before the first octet", offset)
	}
	if _, err := j.r.Seek(max(0, offset-int64(len(j.head))), io.SeekStart); err != nil {
		return 0, err
	}
	j.pos = offset
	return offset, nil
}

func (j *joinedReader) Close() error { return j.r.Close() }
