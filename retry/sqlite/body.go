package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"postern/retry"
	"postern/retry/engine"
)

// Reserve implements retry.Queue.
func (q *Queue) Reserve(_ context.Context, n int64) (retry.Reservation, error) {
	r, err := q.reserve(n)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (q *Queue) reserve(n int64) (*engine.Reservation, error) {
	if err := q.fatal.get(); err != nil {
		return nil, err
	}
	if err := q.checkReserve(); err != nil {
		return nil, err
	}
	if err := q.checkDisk(n); err != nil {
		return nil, err
	}
	return q.usage.Reserve(n, engine.Bounds{MaxBytes: q.o.MaxBytes, MaxMessages: q.o.MaxMessages})
}

// Stage implements retry.Intake. Bodies over engine.InlineMax are files, several
// times faster: no second write through the log.
func (q *Queue) Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error) {
	if err := q.fatal.get(); err != nil {
		return retry.BodyRef{}, err
	}
	return q.staged.Stage(r, func() (*engine.Reservation, error) { return q.reserve(b.Size()) }, func() (retry.BodyRef, engine.StagedBody, error) {
		if q.objects.Takes(b.Size()) {
			ref, err := q.objects.Stage(ctx, b)
			return ref, engine.StagedBody{}, err
		}
		ref, err := q.stage(b)
		return ref, engine.StagedBody{File: ref.Inline == nil}, err
	})
}

func (q *Queue) stage(b retry.Body) (retry.BodyRef, error) {
	ref := engine.NewRef(b.Size())
	src, err := b.Open()
	if err != nil {
		return ref, fmt.Errorf("reading the message: %w", err)
	}
	defer src.Close()
	if ref.Size <= engine.InlineMax {
		return ref, engine.ReadInline(src, &ref)
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
		err = engine.Digest(src, ref)
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
		err = engine.Digest(io.TeeReader(src, f), ref)
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

// Discard implements retry.Queue.
func (q *Queue) Discard(_ context.Context, ref retry.BodyRef) error {
	b, ok := q.staged.End(ref.ID, false)
	// After a failed commit nobody knows whether a message names the file: the
	// next start's sweep does.
	if !ok || q.fatal.get() != nil {
		return nil
	}
	if name, ok := engine.ObjectName(ref.ID); ok {
		q.wg.Go(func() { q.objects.Discard(name) })
	}
	if !b.File {
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
		return engine.MemoryBody(ref.Inline, ref)
	}
	if name, ok := engine.ObjectName(ref.ID); ok {
		return q.objects.Open(ctx, name, ref)
	}
	if n, ok := inlineRow(ref.ID); ok {
		var data []byte
		err := q.often.queryRow(ctx, "SELECT bytes FROM body WHERE message = ?", n).Scan(&data)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil, fmt.Errorf("%w: its row is gone", retry.ErrCorrupt)
		case isDamage(err):
			return nil, fmt.Errorf("%w: %w", retry.ErrCorrupt, err)
		case err != nil:
			return nil, err
		}
		return engine.MemoryBody(data, ref)
	}
	f, err := os.Open(q.bodyPath(ref.ID))
	if isMissing(err) {
		return nil, fmt.Errorf("%w: %w", retry.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	return engine.ReaderBody(f, f, ref, f.Name()), nil
}

// rowID names a body in the database by its message's row; inlineRow reads it.
func rowID(n int64) string { return rowPrefix + strconv.FormatInt(n, 10) }

const rowPrefix = "row:"

func inlineRow(id string) (n int64, ok bool) {
	row, ok := strings.CutPrefix(id, rowPrefix)
	n, err := strconv.ParseInt(row, 10, 64)
	return n, ok && err == nil
}
