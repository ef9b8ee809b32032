package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"postern/retry"
)

// MemoryBody is a stored body that is in memory, verified; retry.ErrCorrupt when it
// differs from ref.
func MemoryBody(data []byte, ref retry.BodyRef) (retry.StoredBody, error) {
	if int64(len(data)) != ref.Size || sha256.Sum256(data) != ref.SHA256 {
		return nil, fmt.Errorf("%w: its checksum differs", retry.ErrCorrupt)
	}
	return memoryBody{bytes.NewReader(data)}, nil
}

type memoryBody struct{ *bytes.Reader }

func (memoryBody) Close() error  { return nil }
func (memoryBody) Verify() error { return nil }

// ReaderBody is a stored body that is read piece by piece; name is for errors.
func ReaderBody(r io.ReaderAt, c io.Closer, ref retry.BodyRef, name string) retry.StoredBody {
	return newReaderBody(r, c, ref, name)
}

// readerBody sums up what is read in order and turns the end of a body that
// differs into retry.ErrCorrupt; ReadAt and Seek leave that to Verify.
type readerBody struct {
	*io.SectionReader
	io.Closer
	src  io.ReaderAt
	ref  retry.BodyRef
	name string
	h    hash.Hash
	seen int64 // read in order so far; -1 after a Seek away
}

func newReaderBody(r io.ReaderAt, c io.Closer, ref retry.BodyRef, name string) *readerBody {
	return &readerBody{SectionReader: io.NewSectionReader(r, 0, ref.Size), Closer: c, src: r, ref: ref, name: name, h: sha256.New()}
}

func (b *readerBody) Read(p []byte) (int, error) {
	n, err := b.SectionReader.Read(p)
	if b.seen < 0 {
		return n, err
	}
	b.h.Write(p[:n])
	b.seen += int64(n)
	if err == io.EOF {
		err = b.ended()
	}
	return n, err
}

// ended is io.EOF for a body that is whole.
func (b *readerBody) ended() error {
	var sum [32]byte
	b.h.Sum(sum[:0])
	if b.seen != b.ref.Size || sum != b.ref.SHA256 {
		return fmt.Errorf("%w: %s", retry.ErrCorrupt, b.name)
	}
	return io.EOF
}

// Seek starts the sum again at the first byte.
func (b *readerBody) Seek(offset int64, whence int) (int64, error) {
	at, err := b.SectionReader.Seek(offset, whence)
	switch {
	case at == 0 && err == nil:
		b.h.Reset()
		b.seen = 0
	case at != b.seen:
		b.seen = -1
	}
	return at, err
}

// Verify implements retry.StoredBody; the place of Read doesn't change.
func (b *readerBody) Verify() error {
	whole := newReaderBody(b.src, nil, b.ref, b.name)
	_, err := io.CopyBuffer(dropper{}, whole, make([]byte, 64<<10))
	return err
}

// dropper drops what it gets, in the buffer's pieces; io.Discard has its own.
type dropper struct{}

func (dropper) Write(p []byte) (int, error) { return len(p), nil }
