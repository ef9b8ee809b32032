package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
)

// ErrFull is returned when the bytes of all messages in flight reach the
// spool's bound: answer 452 and let the sender come back.
var ErrFull = errors.New("spool: full")

// DefaultMemory is how much of a message stays in memory, where there is room:
// with a file a mail of 500 KB costs twice as much (measured).
const DefaultMemory = 1<<20 - headRoom

// headRoom is kept free before the octets in memory, for the header lines that
// are put before them.
const headRoom = 2 << 10

// modest is the most that a message may take of the memory that others may need,
// too: a larger buffer is had only where there is plenty.
const modest = 256<<10 - headRoom

// Spooler hands out spools that share a folder, a bound on their bytes, and the
// memory for mail.
type Spooler struct {
	dir      string
	max      int64
	room     *budget.Budget
	used     atomic.Int64
	loose    atomic.Int64  // octets in files that nobody has waited for
	settling chan struct{} // a value for each spool that waits for the disk
	mu       sync.Mutex
	done     map[*Spool]struct{} // spools of whole messages with octets that nobody has waited for
	pools    []*pool             // smallest first
}

// sizes are the octets of a message that the buffers take which it grows
// through, up to the most that stays in memory. The first holds most mail that
// people write; every connection may have one, so it is booked nowhere.
var sizes = []int64{8 << 10, 64<<10 - headRoom, modest}

// pool keeps buffers for so many octets of a message.
type pool struct {
	size int64
	sync.Pool
}

// whole is what a buffer takes in memory.
func (p *pool) whole() int64 { return headRoom + p.size }

// New returns a spooler that keeps up to memory octets of a message in memory,
// where room has as much, and the rest in an unlinked-on-close file under dir
// (created, 0700), max octets in all (0: no bound).
func New(dir string, memory, maxBytes int64, room *budget.Budget) (*Spooler, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: can't make the spool folder, set POSTERN_SPOOL_DIR to a writable one: %w", err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, fmt.Errorf("spool: can't write to the spool folder, set POSTERN_SPOOL_DIR to a writable one: %w", err)
	}
	f.Close()
	os.Remove(f.Name())
	s := &Spooler{dir: dir, max: maxBytes, room: room, settling: make(chan struct{}, settleAt), done: map[*Spool]struct{}{}}
	for _, size := range sizes {
		if size < memory {
			s.pools = append(s.pools, newPool(size))
		}
	}
	s.pools = append(s.pools, newPool(memory))
	return s, nil
}

// Dir is the folder of what memory is too small for.
func (s *Spooler) Dir() string { return s.dir }

func newPool(size int64) *pool {
	p := &pool{size: size}
	p.New = func() any { b := make([]byte, headRoom, p.whole()); return &b }
	return p
}

// take gives an empty buffer.
func (p *pool) take() *[]byte {
	b := p.Get().(*[]byte)
	*b = (*b)[:headRoom]
	return b
}

// Sweep removes files that a killed process left, last written before a time.
func (s *Spooler) Sweep(before time.Time) error {
	files, err := filepath.Glob(filepath.Join(s.dir, spoolPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.ModTime().Before(before) {
			errs = append(errs, os.Remove(f))
		}
	}
	return errors.Join(errs...)
}

// spoolPrefix begins the names of spool files.
const spoolPrefix = "spool-"

// New opens a spool for a message from the reverse-path, of so many octets as
// its sender announced (0: nobody knows). ErrFull: there is no room for them.
func (s *Spooler) New(reversePath string, announced int64) (*Spool, error) {
	if !s.book(announced, s.max/keptFree) {
		return nil, ErrFull
	}
	p := &Spool{owner: s, announced: announced, booked: announced, sum: sha256.New()}
	p.buf = s.pools[0].take()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(reversePath)))
	p.sum.Write(n[:])
	io.WriteString(p.sum, reversePath)
	return p, nil
}

// Spool takes a message's octets as they arrive and is then their Source.
// One goroutine writes; after the last Write any number may read. Close ends it.
type Spool struct {
	owner     *Spooler
	sum       hash.Hash
	buf       *[]byte  // headRoom, then the octets while they fit in memory
	pool      int      // where buf is from
	held      int64    // booked for it
	file      *os.File // and then
	size      int64
	settled   int64 // octets of the file that were waited for
	announced int64
	booked    int64 // of the owner's bound, at least size
	err       error
}

// Write implements io.Writer. ErrFull, or a write error of the file,
// leaves the spool unusable but for Close.
func (p *Spool) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n := int64(len(b))
	if p.size+n > p.booked && !p.grow(p.size+n-p.booked) {
		p.err = ErrFull
		return 0, p.err
	}
	p.size += n
	p.sum.Write(b)
	if p.file == nil && p.fits() {
		*p.buf = append(*p.buf, b...)
		return len(b), nil
	}
	if p.err = p.spill(b); p.err != nil {
		return 0, p.err
	}
	return len(b), nil
}

// fits reports whether all octets, the new ones too, stay in memory, taking a larger buffer
// where they outgrow this one and there is room for it.
func (p *Spool) fits() bool {
	pools := p.owner.pools
	want := p.size
	if want <= pools[p.pool].size {
		return true
	}
	if want = p.expected(want); want > pools[len(pools)-1].size {
		return false
	}
	next := slices.IndexFunc(pools, func(p *pool) bool { return want <= p.size })
	larger := pools[next]
	if !p.owner.hold(larger) {
		return false
	}
	buf := larger.take()
	*buf = append(*buf, (*p.buf)[headRoom:]...)
	p.release()
	p.buf, p.pool, p.held = buf, next, larger.whole()
	return true
}

// expected is how large the message may become for all we know. An announcement
// costs nothing, so it is believed only by who has sent a part of it: then no
// octet is copied from buffer to buffer, or from the last of them to the disk.
func (p *Spool) expected(size int64) int64 {
	if p.pool > 0 || p.announced > DefaultMemory {
		return max(size, p.announced)
	}
	return size
}

// hold books a buffer.
func (s *Spooler) hold(p *pool) bool {
	if p.size > modest {
		return s.room.Spare(p.whole())
	}
	return s.room.Hold(p.whole())
}

// release gives the memory back.
func (p *Spool) release() {
	if p.buf == nil {
		return
	}
	p.owner.pools[p.pool].Put(p.buf)
	p.owner.room.Free(p.held)
	p.buf, p.held = nil, 0
}

// spill moves what is in memory to the file, once, and appends b.
func (p *Spool) spill(b []byte) error {
	if p.file == nil {
		f, err := os.CreateTemp(p.owner.dir, spoolPrefix+"*")
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		p.file = f
		p.owner.loose.Add(p.size)
		if _, err := f.Write((*p.buf)[headRoom:]); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		p.release()
	} else {
		p.owner.loose.Add(int64(len(b)))
	}
	if _, err := p.file.Write(b); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Size is the octets written.
func (p *Spool) Size() int64 { return p.size }

// Sum is SHA-256 over the length-prefixed reverse-path and the octets written.
func (p *Spool) Sum() [sha256.Size]byte {
	var out [sha256.Size]byte
	p.sum.Sum(out[:0])
	return out
}

// Source returns the octets: Bytes in memory, or a *File. It is good until Close.
func (p *Spool) Source() mail.Source {
	if p.file != nil {
		p.done()
		return &File{path: p.file.Name(), size: p.size}
	}
	return mail.Bytes((*p.buf)[headRoom:])
}

// Behind returns the octets behind header lines of ours. In memory nothing is
// copied where these fit before them, so it is called once.
func (p *Spool) Behind(lines string) mail.Source {
	if p.file != nil || len(lines) > headRoom {
		return mail.Prepend(lines, p.Source())
	}
	from := headRoom - len(lines)
	copy((*p.buf)[from:], lines)
	return mail.Bytes((*p.buf)[from:])
}

// Close frees the memory and removes the file.
func (p *Spool) Close() error {
	if p.owner == nil {
		return nil
	}
	p.owner.used.Add(-p.booked)
	p.release()
	if p.file == nil {
		p.owner = nil
		return nil
	}
	p.owner.mu.Lock()
	p.owner.forget(p)
	p.owner.mu.Unlock()
	p.owner = nil
	err := p.file.Close()
	return errors.Join(err, os.Remove(p.file.Name()))
}

// File is a mail.Source on disk.
type File struct {
	path string
	size int64
}

// Open implements mail.Source.
func (f *File) Open() (io.ReadSeekCloser, error) { return os.Open(f.path) }

// Size implements mail.Source.
func (f *File) Size() int64 { return f.size }

// Path is the file's name; its bytes never change, so that a store may
// hard-link it.
func (f *File) Path() string { return f.path }
