package mail

import (
	"bytes"
	"fmt"
	"io"
)

// windowSize is how much of a stored file is looked at at once. Memory sources
// are looked at whole.
const windowSize = 64 << 10

// octets is random access to a source's bytes with bounded memory. The first
// read error sticks; everything after it looks like the end of the mail.
type octets struct {
	mem  []byte // the whole, when src is in memory
	f    io.ReadSeekCloser
	size int64
	buf  []byte // one window of f
	at   int64  // where buf starts
	n    int    // how much of buf is filled
	err  error
}

func openOctets(src Source) (*octets, error) {
	if b, ok := src.(Bytes); ok {
		return &octets{mem: b, size: int64(len(b))}, nil
	}
	f, err := src.Open()
	if err != nil {
		return nil, fmt.Errorf("open the stored mail: %w", err)
	}
	return &octets{f: f, size: src.Size()}, nil
}

func (o *octets) close() {
	if o.f != nil {
		o.f.Close()
	}
}

// window returns the octets from off on: all of them in memory, at most a
// window of a file. It is empty only at the end, and valid until the next call.
func (o *octets) window(off int64) []byte {
	if off >= o.size || o.err != nil {
		return nil
	}
	if o.f == nil {
		return o.mem[off:]
	}
	if o.buf == nil {
		o.buf = make([]byte, min(windowSize, o.size))
	}
	if off >= o.at && off < o.at+int64(o.n) && (o.at+int64(o.n) == o.size || off-o.at < int64(len(o.buf)/2)) {
		return o.buf[off-o.at : o.n]
	}
	o.at, o.n = off, 0
	o.n = o.read(o.buf[:min(int64(len(o.buf)), o.size-off)], off)
	return o.buf[:o.n]
}

// span is window cut at end.
func (o *octets) span(off, end int64) []byte {
	w := o.window(off)
	if int64(len(w)) > end-off {
		w = w[:max(0, end-off)]
	}
	return w
}

// bytes returns the octets of [off, end): a slice of memory, a copy of a file.
func (o *octets) bytes(off, end int64) []byte {
	end = min(end, o.size)
	if off >= end || o.err != nil {
		return nil
	}
	if o.f == nil {
		return o.mem[off:end:end]
	}
	b := make([]byte, end-off)
	return b[:o.read(b, off)]
}

func (o *octets) read(b []byte, off int64) int {
	if _, err := o.f.Seek(off, io.SeekStart); err != nil {
		o.err = fmt.Errorf("seek in the stored mail: %w", err)
		return 0
	}
	n, err := io.ReadFull(o.f, b)
	if err != nil {
		o.err = fmt.Errorf("read the stored mail: %w", err)
	}
	return n
}

// lineEnd returns the offset after the line feed that ends the line at off, or
// the end of the mail.
func (o *octets) lineEnd(off int64) int64 {
	for {
		w := o.window(off)
		if len(w) == 0 {
			return o.size
		}
		if i := bytes.IndexByte(w, '\n'); i >= 0 {
			return off + int64(i) + 1
		}
		off += int64(len(w))
	}
}
