package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"

	"postern/retry"
	"postern/retry/engine"
)

// Open implements engine.Bodies.
func (s *Store) Open(ctx context.Context, name string, ref retry.BodyRef) (retry.StoredBody, error) {
	return s.local.Open(ctx, name, ref.Size, func(f *os.File) error {
		// Others may wait for it too: it doesn't end with who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit(ref.Size))
		defer cancel()
		return s.fetch(ctx, name, ref, f)
	})
}

// errDiffers is of a body whose octets aren't those that were put.
var errDiffers = errors.New("its octets differ from those that were stored")

// fetch copies a body to a file. One that differs is read once more: what was
// damaged on the way isn't damaged there.
func (s *Store) fetch(ctx context.Context, name string, ref retry.BodyRef, f *os.File) error {
	err := s.copy(ctx, name, ref, f)
	if errors.Is(err, errDiffers) {
		err = s.copy(ctx, name, ref, f)
	}
	switch {
	case errors.Is(err, errDiffers):
		return fmt.Errorf("%w: body %s: %w", retry.ErrCorrupt, name, err)
	case isMissing(err):
		return s.missing(ctx, name)
	}
	return err
}

func (s *Store) copy(ctx context.Context, name string, ref retry.BodyRef, f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w := &writer{w: f, left: ref.Size}
	h := sha256.New()
	var n int64
	err := s.state.try(opGet, func() error {
		r, _, _, err := s.core.GetObject(ctx, s.cfg.Bucket, s.key(name), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer r.Close()
		n, err = io.CopyBuffer(io.MultiWriter(h, w), io.LimitReader(r, ref.Size+1), make([]byte, 64<<10))
		if w.err != nil { // our own disk's
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case w.err != nil:
		return fmt.Errorf("copying a body to read it: %w", w.err)
	case n != ref.Size || [32]byte(h.Sum(nil)) != ref.SHA256:
		return errDiffers
	}
	return nil
}

// writer writes what fits and keeps its error apart.
type writer struct {
	w    io.Writer
	left int64
	err  error
}

func (w *writer) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.left)
	w.left -= n
	if _, w.err = w.w.Write(p[:n]); w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// missing tells a body that is gone from a store that is another one: ours has
// the folder's mark.
func (s *Store) missing(ctx context.Context, name string) error {
	folder, _, _ := strings.Cut(name, "/")
	if err := s.marked(ctx, folder); err != nil {
		return err
	}
	return fmt.Errorf("%w: body %s is gone", retry.ErrCorrupt, name)
}

// marked fails where a folder has no mark.
func (s *Store) marked(ctx context.Context, folder string) error {
	err := s.state.try(opGet, func() error {
		_, err := s.core.StatObject(ctx, s.cfg.Bucket, s.key(folder+markName), minio.StatObjectOptions{})
		return err
	})
	if isMissing(err) {
		return fmt.Errorf("%w: s3://%s/%s isn't where the body was put: set POSTERN_BODY_STORE as it was then", engine.ErrBodiesAway, s.cfg.Bucket, s.cfg.Prefix)
	}
	return err
}
