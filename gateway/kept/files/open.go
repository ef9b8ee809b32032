package files

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"postern/gateway/kept"
	"postern/retry"
	"postern/retry/engine"
)

// How a message is opened: by few at once, since each may be left to a disk that
// hangs.
const (
	openTimeout = 10 * time.Second
	opening     = 8
)

// opened is what an open came to.
type opened struct {
	m    retry.Message
	body retry.StoredBody
	err  error
}

// OpenMessage implements kept.Store. A disk that hangs is an error in time.
func (s *Store) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	if !sound(id) {
		return retry.Message{}, nil, fmt.Errorf("kept: %w", kept.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return retry.Message{}, nil, fmt.Errorf("kept: the disk doesn't answer: %w", ctx.Err())
	}
	done := make(chan opened)
	go func() {
		defer func() { <-s.slots }()
		var o opened
		o.m, o.body, o.err = s.open(id)
		select {
		case done <- o:
		case <-ctx.Done():
			if o.err == nil {
				_ = o.body.Close()
			}
		}
	}()
	select {
	case o := <-done:
		return o.m, o.body, o.err
	case <-ctx.Done():
		return retry.Message{}, nil, fmt.Errorf("kept: the disk doesn't answer: %w", ctx.Err())
	}
}

// open looks for the message where it was kept last.
func (s *Store) open(id string) (retry.Message, retry.StoredBody, error) {
	for _, at := range slices.Backward(s.folders()) {
		f, err := os.Open(s.path(at, id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return retry.Message{}, nil, fmt.Errorf("kept: %w", err)
		}
		m, body, err := read(f)
		if err != nil {
			_ = f.Close()
			return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, err)
		}
		return m, body, nil
	}
	return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, kept.ErrNotFound)
}

func read(f *os.File) (retry.Message, retry.StoredBody, error) {
	r, begins, err := readRecord(f)
	if err != nil {
		return retry.Message{}, nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() != begins+r.Size+sha256.Size {
		return retry.Message{}, nil, errors.Join(kept.ErrNotFound, err)
	}
	r.SHA256 = make([]byte, sha256.Size)
	if _, err := f.ReadAt(r.SHA256, begins+r.Size); err != nil {
		return retry.Message{}, nil, err
	}
	m := r.Message()
	return m, engine.ReaderBody(io.NewSectionReader(f, begins, r.Size), f, m.Body, f.Name()), nil
}

// readRecord reads the line that a file begins with, and says where the octets
// begin.
func readRecord(f *os.File) (r kept.Record, begins int64, err error) {
	line, err := bufio.NewReaderSize(io.LimitReader(f, maxRecord), 8<<10).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, 0, fmt.Errorf("its record can't be read: %w", errors.Join(kept.ErrNotFound, err))
	}
	return r, int64(len(line)), nil
}
