package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"postern/retry"
)

// inlineMax is the largest body that is stored in the database; larger ones
// are files, several times faster (no second write through the log).
const inlineMax = 64 << 10

// stagedBodies are bodies that are durable and that no message names yet.
type stagedBodies struct {
	mu  sync.Mutex
	all map[string]stagedBody
}

type stagedBody struct {
	file bool
	res  *reservation
	own  bool // the reservation is Stage's own
}

func (s *stagedBodies) put(id string, b stagedBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]stagedBody{}
	}
	s.all[id] = b
}

func (s *stagedBodies) take(id string) (stagedBody, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.all[id]
	delete(s.all, id)
	return b, ok
}

// reservation holds booked bytes; Release gives them back once.
type reservation struct {
	q    *Queue
	n    int64
	once sync.Once
}

// Release implements retry.Reservation.
func (r *reservation) Release() { r.once.Do(func() { r.q.usage.release(r.n) }) }

// Reserve implements retry.Queue.
func (q *Queue) Reserve(_ context.Context, n int64) (retry.Reservation, error) {
	if err := q.fatal.get(); err != nil {
		return nil, err
	}
	if err := q.checkPlace(); err != nil {
		return nil, err
	}
	if err := q.checkReserve(); err != nil {
		return nil, err
	}
	if err := q.checkDisk(n); err != nil {
		return nil, err
	}
	if !q.usage.reserve(n, q.o.MaxBytes, q.o.MaxMessages) {
		return nil, fmt.Errorf("%w: one more message of %d bytes is too many beside what waits", retry.ErrFull, n)
	}
	return &reservation{q: q, n: n}, nil
}

// Stage implements retry.Queue.
func (q *Queue) Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error) {
	if err := q.fatal.get(); err != nil {
		return retry.BodyRef{}, err
	}
	res, booked := r.(*reservation)
	if !booked || res == nil {
		own, err := q.Reserve(ctx, b.Size())
		if err != nil {
			return retry.BodyRef{}, err
		}
		res = own.(*reservation)
		booked = false
	}
	ref, err := q.stage(b)
	if err != nil {
		if !booked {
			res.Release()
		}
		return retry.BodyRef{}, err
	}
	q.staged.put(ref.ID, stagedBody{file: ref.Inline == nil, res: res, own: !booked})
	return ref, nil
}

func (q *Queue) stage(b retry.Body) (retry.BodyRef, error) {
	ref := retry.BodyRef{ID: newBodyID(), Size: b.Size()}
	src, err := b.Open()
	if err != nil {
		return ref, fmt.Errorf("reading the message: %w", err)
	}
	defer src.Close()
	if ref.Size <= inlineMax {
		ref.Inline = make([]byte, ref.Size)
		if _, err := io.ReadFull(src, ref.Inline); err != nil {
			return ref, fmt.Errorf("reading the message: %w", err)
		}
		ref.SHA256 = sha256.Sum256(ref.Inline)
		return ref, nil
	}
	if p, ok := b.(interface{ Path() string }); ok && p.Path() != "" {
		linked, err := q.link(p.Path(), src, &ref)
		if linked || err != nil {
			return ref, err
		}
	}
	return ref, q.copy(src, &ref)
}

// link makes the spool's file the body: no byte is written twice. It says
// false where the file lies on another file system.
func (q *Queue) link(path string, src io.Reader, ref *retry.BodyRef) (bool, error) {
	final := q.bodyPath(ref.ID)
	if err := q.o.Fault("link"); err != nil {
		return false, q.fileError("linking the message's file", err)
	}
	if err := os.Link(path, final); err != nil {
		return false, nil // copying says what is wrong, if anything is
	}
	f, err := os.Open(final)
	if err == nil {
		err = q.sync(f)
		_ = f.Close()
	}
	if err == nil {
		err = q.syncParent(final)
	}
	if err == nil {
		err = digest(src, ref)
	}
	if err != nil {
		_ = os.Remove(final)
		return false, q.fileError("storing the message's file", err)
	}
	return true, nil
}

func (q *Queue) copy(src io.Reader, ref *retry.BodyRef) error {
	tmp, final := filepath.Join(q.dir, "bodies", "tmp", ref.ID), q.bodyPath(ref.ID)
	err := q.writeFile(tmp, src, ref)
	if err == nil {
		err = q.o.Fault("rename")
	}
	if err == nil {
		err = os.Rename(tmp, final)
	}
	if err == nil {
		err = q.syncParent(final)
	}
	if err != nil {
		_, _ = os.Remove(tmp), os.Remove(final)
		return q.fileError("storing the message", err)
	}
	return nil
}

func (q *Queue) writeFile(path string, src io.Reader, ref *retry.BodyRef) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = q.o.Fault("write")
	if err == nil {
		err = digest(io.TeeReader(src, f), ref)
	}
	if err == nil {
		err = q.sync(f)
	}
	return errors.Join(err, f.Close())
}

func (q *Queue) sync(f *os.File) error {
	if err := q.o.Fault("fsync"); err != nil {
		return err
	}
	if q.o.Unsafe {
		return nil
	}
	return f.Sync()
}

func (q *Queue) syncParent(path string) error {
	if err := q.o.Fault("fsync folder"); err != nil {
		return err
	}
	if q.o.Unsafe {
		return nil
	}
	return syncDir(filepath.Dir(path))
}

// digest reads exactly the body and sets its checksum.
func digest(src io.Reader, ref *retry.BodyRef) error {
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.LimitReader(src, ref.Size+1), make([]byte, 64<<10))
	if err != nil {
		return err
	}
	if n != ref.Size {
		return fmt.Errorf("the message has %d bytes and said %d", n, ref.Size)
	}
	h.Sum(ref.SHA256[:0])
	return nil
}

// Discard implements retry.Queue.
func (q *Queue) Discard(_ context.Context, ref retry.BodyRef) error {
	b, ok := q.staged.take(ref.ID)
	if !ok {
		return nil
	}
	if b.own {
		b.res.Release()
	}
	// After a failed commit nobody knows whether a message names the file: the
	// next start's sweep does.
	if !b.file || q.fatal.get() != nil {
		return nil
	}
	return q.removeBody(ref.ID)
}

func (q *Queue) removeBody(id string) error {
	if err := os.Remove(q.bodyPath(id)); err != nil && !isMissing(err) {
		return fmt.Errorf("removing a body: %w", err)
	}
	return nil
}

func (q *Queue) bodyPath(id string) string {
	return filepath.Join(q.dir, "bodies", id[len(id)-2:], id)
}

// newBodyID is 128 random bits, in hex.
func newBodyID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open implements retry.Queue.
func (q *Queue) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	if ref.Inline != nil {
		return retry.MemoryBody(ref.Inline, ref)
	}
	if n, ok := inlineRow(ref.ID); ok {
		var data []byte
		err := q.read.QueryRowContext(ctx, "SELECT bytes FROM body WHERE message = ?", n).Scan(&data)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil, fmt.Errorf("%w: its row is gone", retry.ErrCorrupt)
		case isDamage(err):
			return nil, fmt.Errorf("%w: %w", retry.ErrCorrupt, err)
		case err != nil:
			return nil, err
		}
		return retry.MemoryBody(data, ref)
	}
	f, err := os.Open(q.bodyPath(ref.ID))
	if isMissing(err) {
		return nil, fmt.Errorf("%w: %w", retry.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	return retry.ReaderBody(f, f, ref, f.Name()), nil
}

// rowID names a body in the database by its message's row; inlineRow reads it.
func rowID(n int64) string { return fmt.Sprintf("row:%d", n) }

func inlineRow(id string) (n int64, ok bool) {
	_, err := fmt.Sscanf(id, "row:%d", &n)
	return n, err == nil
}
