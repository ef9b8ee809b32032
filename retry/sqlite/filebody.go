package sqlite

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"

	"postern/retry"
)

// fileBody is a body's file. Read sums up what it reads in order and turns the
// end of a body that differs into ErrCorrupt; ReadAt and Seek leave that to
// Verify.
type fileBody struct {
	*io.SectionReader
	f    *os.File
	ref  retry.BodyRef
	h    hash.Hash
	seen int64 // read in order so far; -1 after a Seek away
}

func newFileBody(f *os.File, ref retry.BodyRef) *fileBody {
	return &fileBody{SectionReader: io.NewSectionReader(f, 0, ref.Size), f: f, ref: ref, h: sha256.New()}
}

func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.SectionReader.Read(p)
	if b.seen < 0 {
		return n, err
	}
	b.h.Write(p[:n])
	b.seen += int64(n)
	if err == io.EOF {
		err = b.verdict()
	}
	return n, err
}

// verdict is io.EOF for a body that is whole.
func (b *fileBody) verdict() error {
	var sum [32]byte
	b.h.Sum(sum[:0])
	if b.seen != b.ref.Size || sum != b.ref.SHA256 {
		return fmt.Errorf("%w: %s", retry.ErrCorrupt, b.f.Name())
	}
	return io.EOF
}

// Seek starts the sum again at the first byte.
func (b *fileBody) Seek(offset int64, whence int) (int64, error) {
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
func (b *fileBody) Verify() error {
	if info, err := b.f.Stat(); err != nil {
		return err
	} else if info.Size() != b.ref.Size {
		return fmt.Errorf("%w: %s has %d bytes instead of %d", retry.ErrCorrupt, b.f.Name(), info.Size(), b.ref.Size)
	}
	whole := newFileBody(b.f, b.ref)
	_, err := io.CopyBuffer(onlyWriter{}, whole, make([]byte, 64<<10))
	return err
}

func (b *fileBody) Close() error { return b.f.Close() }

// onlyWriter drops what it gets; io.Discard would take another path.
type onlyWriter struct{}

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }
