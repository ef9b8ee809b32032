package mail

import (
	"bytes"
	"io"
)

// Source is a message's bytes, readable many times and by several readers at
// once. The bytes never change while the Source is in use.
type Source interface {
	// Open returns a reader at the first byte. The error says which file could
	// not be opened.
	Open() (io.ReadSeekCloser, error)
	// Size is the number of bytes.
	Size() int64
}

// Bytes is a Source in memory. Code on the hot path may look for it to work on
// the slice itself.
type Bytes []byte

// Open implements Source; it never fails.
func (b Bytes) Open() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(b)}, nil }

// Size implements Source.
func (b Bytes) Size() int64 { return int64(len(b)) }

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
