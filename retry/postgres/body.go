package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"postern/retry"
)

const (
	inlineMax = 64 << 10  // held in memory between Stage and Enqueue
	chunkSize = 256 << 10 // of a body's pieces
)

// usage is what the database last said and what is reserved here beside it.
type usage struct {
	mu                            sync.Mutex
	bytes, messages               int64
	deadBytes, deadMessages       int64
	reservedBytes, reservedNumber int64
}

func (q *Queue) readUsage(ctx context.Context) error {
	var b, m, db, dm int64
	err := q.pool.QueryRow(ctx, "SELECT sum(bytes)::bigint, sum(messages)::bigint, sum(dead_bytes)::bigint, sum(dead_messages)::bigint FROM postern.usage").Scan(&b, &m, &db, &dm)
	if err != nil {
		return err
	}
	q.usage.mu.Lock()
	defer q.usage.mu.Unlock()
	q.usage.bytes, q.usage.messages, q.usage.deadBytes, q.usage.deadMessages = b, m, db, dm
	return nil
}

// stored adds to the books what was just committed here, until they are read
// again.
func (u *usage) stored(n int64) {
	u.mu.Lock()
	u.bytes, u.messages = u.bytes+n, u.messages+1
	u.mu.Unlock()
}

func (u *usage) fits(n, maxBytes, maxMessages int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	bytes := u.bytes - min(u.deadBytes, maxBytes/retry.DeadShare) + u.reservedBytes
	messages := u.messages - min(u.deadMessages, maxMessages/retry.DeadShare) + u.reservedNumber
	if bytes+n > maxBytes || messages+1 > maxMessages {
		return false
	}
	u.reservedBytes, u.reservedNumber = u.reservedBytes+n, u.reservedNumber+1
	return true
}

// reservation holds booked bytes; Release gives them back once.
type reservation struct {
	u    *usage
	n    int64
	once sync.Once
}

// Release implements retry.Reservation.
func (r *reservation) Release() {
	r.once.Do(func() {
		r.u.mu.Lock()
		r.u.reservedBytes, r.u.reservedNumber = r.u.reservedBytes-r.n, r.u.reservedNumber-1
		r.u.mu.Unlock()
	})
}

// Reserve implements retry.Queue. The books are the database's as of a second
// ago at most; a refusal looks again.
func (q *Queue) Reserve(ctx context.Context, n int64) (retry.Reservation, error) {
	if !q.usage.fits(n, q.o.MaxBytes, q.o.MaxMessages) {
		if err := q.readUsage(ctx); err != nil {
			return nil, fmt.Errorf("reading the queue's size: %w", err)
		}
		if !q.usage.fits(n, q.o.MaxBytes, q.o.MaxMessages) {
			return nil, fmt.Errorf("%w: one more message of %d bytes is too many beside what waits", retry.ErrFull, n)
		}
	}
	return &reservation{u: &q.usage, n: n}, nil
}

// stagedBodies are bodies that no message names yet.
type stagedBodies struct {
	mu  sync.Mutex
	all map[string]stagedBody
}

type stagedBody struct {
	body retry.Body // nil when small: the ref holds it
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

func (s *stagedBodies) get(id string) stagedBody {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// drop ends a staging; the reservation goes when the body was stored or was
// Stage's own.
func (s *stagedBodies) drop(id string, stored bool) {
	s.mu.Lock()
	b, ok := s.all[id]
	delete(s.all, id)
	s.mu.Unlock()
	if ok && (stored || b.own) {
		b.res.Release()
	}
}

// Stage implements retry.Queue. A body over 64 KiB is read again by Enqueue,
// whose transaction stores it: b must stay readable until then.
func (q *Queue) Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error) {
	res, _ := r.(*reservation)
	own := res == nil
	if own {
		booked, err := q.Reserve(ctx, b.Size())
		if err != nil {
			return retry.BodyRef{}, err
		}
		res = booked.(*reservation)
	}
	ref, err := digest(b)
	if err != nil {
		if own {
			res.Release()
		}
		return retry.BodyRef{}, fmt.Errorf("reading the message: %w", err)
	}
	s := stagedBody{res: res, own: own}
	if ref.Inline == nil {
		s.body = b
	}
	q.staged.put(ref.ID, s)
	return ref, nil
}

// digest reads the body once for its checksum, and keeps a small one.
func digest(b retry.Body) (retry.BodyRef, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	ref := retry.BodyRef{ID: hex.EncodeToString(id[:]), Size: b.Size()}
	src, err := b.Open()
	if err != nil {
		return ref, err
	}
	defer src.Close()
	if ref.Size <= inlineMax {
		ref.Inline = make([]byte, ref.Size)
		_, err = io.ReadFull(src, ref.Inline)
		ref.SHA256 = sha256.Sum256(ref.Inline)
		return ref, err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(src, ref.Size+1))
	if err == nil && n != ref.Size {
		err = fmt.Errorf("the message has %d bytes and said %d", n, ref.Size)
	}
	h.Sum(ref.SHA256[:0])
	return ref, err
}

// Discard implements retry.Queue.
func (q *Queue) Discard(_ context.Context, ref retry.BodyRef) error {
	q.staged.drop(ref.ID, false)
	return nil
}

// writeBody stores a message's pieces.
func (q *Queue) writeBody(ctx context.Context, tx pgx.Tx, n int64, ref retry.BodyRef) error {
	const insert = "INSERT INTO postern.chunk (message, i, bytes) VALUES ($1, $2, $3)"
	if ref.Inline != nil {
		_, err := tx.Exec(ctx, insert, n, 0, ref.Inline)
		return err
	}
	s := q.staged.get(ref.ID)
	if s.body == nil {
		return fmt.Errorf("the message's bytes were never staged, or were discarded")
	}
	src, err := s.body.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	h := sha256.New()
	buf := make([]byte, chunkSize)
	for i, left := 0, ref.Size; left > 0; i++ {
		piece := buf[:min(left, chunkSize)]
		if _, err := io.ReadFull(src, piece); err != nil {
			return fmt.Errorf("reading the message again: %w", err)
		}
		h.Write(piece)
		if _, err := tx.Exec(ctx, insert, n, i, piece); err != nil {
			return err
		}
		left -= int64(len(piece))
	}
	if [32]byte(h.Sum(nil)) != ref.SHA256 {
		return errors.New("the message changed after it was staged")
	}
	return nil
}

// Open implements retry.Queue.
func (q *Queue) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	if ref.Inline != nil {
		return retry.MemoryBody(ref.Inline, ref)
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(ref.ID, "row:"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: no stored body has the name %q", retry.ErrNotFound, ref.ID)
	}
	c := &chunks{q: q, ctx: ctx, message: n, at: -1}
	if ref.Size > chunkSize {
		return retry.ReaderBody(c, closer{}, ref, ref.ID), nil
	}
	piece, err := c.piece(0)
	if err != nil {
		return nil, err
	}
	return retry.MemoryBody(piece, ref)
}

// chunks reads a body's pieces, one at a time, as long as Open's context lives.
type chunks struct {
	q       *Queue
	ctx     context.Context
	message int64

	mu   sync.Mutex
	at   int // which piece is held
	data []byte
}

func (c *chunks) piece(i int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == i {
		return c.data, nil
	}
	var data []byte
	err := c.q.pool.QueryRow(c.ctx, "SELECT bytes FROM postern.chunk WHERE message = $1 AND i = $2", c.message, i).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("%w: piece %d is gone", retry.ErrCorrupt, i)
	}
	if err != nil {
		return nil, err
	}
	c.at, c.data = i, data
	return data, nil
}

// ReadAt implements io.ReaderAt.
func (c *chunks) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		piece, err := c.piece(int((off + int64(n)) / chunkSize))
		if err != nil {
			return n, err
		}
		from := int((off + int64(n)) % chunkSize)
		if from >= len(piece) {
			return n, io.EOF
		}
		n += copy(p[n:], piece[from:])
	}
	return n, nil
}

type closer struct{}

func (closer) Close() error { return nil }
