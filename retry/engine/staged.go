package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"postern/retry"
)

// InlineMax is the largest body that waits in memory between Stage and Enqueue.
const InlineMax = 64 << 10

// Staged are bodies that no message names yet.
type Staged struct {
	mu  sync.Mutex
	all map[string]StagedBody
}

// StagedBody is one of them.
type StagedBody struct {
	Body retry.Body // to be read again by Enqueue; nil: the ref or a file holds it
	File bool       // the engine has made a file of it
	res  *Reservation
	own  bool // the reservation is Stage's own
}

// Stage books a body's room unless the caller has, and has the engine take it
// in.
func (s *Staged) Stage(r retry.Reservation, book func() (*Reservation, error), take func() (retry.BodyRef, StagedBody, error)) (retry.BodyRef, error) {
	res, _ := r.(*Reservation)
	own := res == nil
	if own {
		var err error
		if res, err = book(); err != nil {
			return retry.BodyRef{}, err
		}
	}
	ref, b, err := take()
	if err != nil {
		if own {
			res.Release()
		}
		return retry.BodyRef{}, err
	}
	b.res, b.own = res, own
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]StagedBody{}
	}
	s.all[ref.ID] = b
	return ref, nil
}

// Get looks at a staged body.
func (s *Staged) Get(id string) StagedBody {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// End ends a staging: the reservation goes where the body is stored, and where
// it was Stage's own. It says false for a body that isn't staged.
func (s *Staged) End(id string, stored bool) (StagedBody, bool) {
	s.mu.Lock()
	b, ok := s.all[id]
	delete(s.all, id)
	s.mu.Unlock()
	if ok && (stored || b.own) {
		b.res.Release()
	}
	return b, ok
}

// NewRef names a body that is to be stored: 128 random bits, in hex.
func NewRef(size int64) retry.BodyRef {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return retry.BodyRef{ID: hex.EncodeToString(b[:]), Size: size}
}

// ReadInline takes a small body into its ref.
func ReadInline(src io.Reader, ref *retry.BodyRef) error {
	ref.Inline = make([]byte, ref.Size)
	if _, err := io.ReadFull(src, ref.Inline); err != nil {
		return fmt.Errorf("reading the message: %w", err)
	}
	ref.SHA256 = sha256.Sum256(ref.Inline)
	return nil
}

// Digest reads exactly the body and sets its checksum.
func Digest(src io.Reader, ref *retry.BodyRef) error {
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
