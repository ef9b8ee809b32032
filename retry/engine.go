package retry

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"
)

// This file is for engines: what they all store in the same way.

// Bounds of what is stored beside the mail.
const (
	AttemptsKept = 20  // of a delivery's history
	ErrorMax     = 500 // octets of an error's text
	SubjectMax   = 200 // octets of a subject
	// DeadShare is the part of the bounds that dead letters have to themselves,
	// as a divisor: only what they take beyond it counts against new mail.
	DeadShare = 5
)

// MaxLease is the longest that a lease lasts without Extend. One that seems to
// last longer was given before the clock was set back.
const MaxLease = 15 * time.Minute

// Millis is how engines store times: milliseconds since 1970, 0 for the zero
// time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis reads what Millis made.
func FromMillis(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// FirstToken is beyond the tokens of any earlier delivery with the same id.
func FirstToken(now time.Time) int64 { return Millis(now) << 12 }

// Clip cuts s to n octets, not within a character.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// SealMessage guards what is delivered besides the body, which has its
// SHA-256: damage makes Lease.Damaged.
func SealMessage(id, key string, sha, envelope []byte) int64 {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range [][]byte{[]byte(id), {0}, []byte(key), {0}, sha, envelope} {
		h.Write(b)
	}
	return int64(h.Sum32())
}

// SealDelivery guards where a delivery goes.
func SealDelivery(id, endpoint, recipients string) int64 {
	return int64(crc32.Checksum([]byte(id+"\x00"+endpoint+"\x00"+recipients), crc32.MakeTable(crc32.Castagnoli)))
}

// MemoryBody is a stored body that is in memory, verified; ErrCorrupt when it
// differs from ref.
func MemoryBody(data []byte, ref BodyRef) (StoredBody, error) {
	if int64(len(data)) != ref.Size || sha256.Sum256(data) != ref.SHA256 {
		return nil, fmt.Errorf("%w: its checksum differs", ErrCorrupt)
	}
	return memoryBody{bytes.NewReader(data)}, nil
}

type memoryBody struct{ *bytes.Reader }

func (memoryBody) Close() error  { return nil }
func (memoryBody) Verify() error { return nil }

// ReaderBody is a stored body that is read piece by piece; name is for errors.
func ReaderBody(r io.ReaderAt, c io.Closer, ref BodyRef, name string) StoredBody {
	return newReaderBody(r, c, ref, name)
}

// readerBody sums up what is read in order and turns the end of a body that
// differs into ErrCorrupt; ReadAt and Seek leave that to Verify.
type readerBody struct {
	*io.SectionReader
	io.Closer
	src  io.ReaderAt
	ref  BodyRef
	name string
	h    hash.Hash
	seen int64 // read in order so far; -1 after a Seek away
}

func newReaderBody(r io.ReaderAt, c io.Closer, ref BodyRef, name string) *readerBody {
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
		err = b.verdict()
	}
	return n, err
}

// verdict is io.EOF for a body that is whole.
func (b *readerBody) verdict() error {
	var sum [32]byte
	b.h.Sum(sum[:0])
	if b.seen != b.ref.Size || sum != b.ref.SHA256 {
		return fmt.Errorf("%w: %s", ErrCorrupt, b.name)
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

// Verify implements StoredBody; the place of Read doesn't change.
func (b *readerBody) Verify() error {
	whole := newReaderBody(b.src, nil, b.ref, b.name)
	_, err := io.CopyBuffer(dropper{}, whole, make([]byte, 64<<10))
	return err
}

// dropper drops what it gets, in the buffer's pieces; io.Discard has its own.
type dropper struct{}

func (dropper) Write(p []byte) (int, error) { return len(p), nil }
