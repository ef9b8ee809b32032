package wal

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Image writes the database db as it is with the first frames of its log, those
// that are damaged aside, into a file that stands alone.
func (l *Log) Image(to, db, wal string, frames int) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(copyInto(out, db), l.apply(out, wal, frames))
	if err == nil {
		// It stands alone: no log belongs to it any more.
		_, err = out.WriteAt([]byte{1, 1}, 18)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// copyInto copies a file that may be missing.
func copyInto(out *os.File, path string) error {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

func (l *Log) apply(out *os.File, wal string, frames int) error {
	if frames == 0 {
		return nil
	}
	in, err := os.Open(wal)
	if err != nil {
		return err
	}
	defer in.Close()
	page, pages := make([]byte, PageSize), uint32(0)
	for _, w := range l.frames[:frames] {
		if !w.good {
			continue
		}
		if _, err := in.ReadAt(page, w.at); err != nil {
			return err
		}
		if _, err := out.WriteAt(page, int64(w.page-1)*PageSize); err != nil {
			return err
		}
		if w.commit > 0 {
			pages = w.commit
		}
	}
	return out.Truncate(int64(pages) * PageSize)
}
