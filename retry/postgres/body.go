package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

const chunkSize = 256 << 10 // of a body's pieces

func (q *Queue) readUsage(ctx context.Context) error {
	var s engine.Stored
	added := q.usage.Added()
	err := q.pool.QueryRow(ctx, "SELECT sum(bytes)::bigint, sum(messages)::bigint, sum(dead_bytes)::bigint, sum(dead_messages)::bigint FROM postern.usage").Scan(s.Dest()...)
	if err == nil {
		q.usage.SetAsOf(s, added)
	}
	return err
}

// Reserve implements retry.Intake.
func (q *Queue) Reserve(ctx context.Context, n int64) (retry.Reservation, error) {
	r, err := q.reserve(ctx, n)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reserve goes by an account a second old at most; a refusal looks again.
func (q *Queue) reserve(ctx context.Context, n int64) (*engine.Reservation, error) {
	bounds := engine.Bounds{MaxBytes: q.o.MaxBytes, MaxMessages: q.o.MaxMessages}
	if r, err := q.usage.Reserve(n, bounds); err == nil {
		return r, nil
	}
	if err := q.readUsage(ctx); err != nil {
		return nil, fmt.Errorf("reading the queue's size: %w", err)
	}
	return q.usage.Reserve(n, bounds)
}

// Stage implements retry.Intake. A body over engine.InlineMax is read again by
// Enqueue, whose transaction stores it: b must stay readable until then.
func (q *Queue) Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error) {
	return q.staged.Stage(r, func() (*engine.Reservation, error) { return q.reserve(ctx, b.Size()) }, func() (retry.BodyRef, engine.StagedBody, error) {
		return q.stage(ctx, b)
	})
}

// stage reads the body once for its checksum: a small one stays in memory, a
// large one goes to where they lie.
func (q *Queue) stage(ctx context.Context, b retry.Body) (retry.BodyRef, engine.StagedBody, error) {
	if q.objects.Takes(b.Size()) {
		ref, err := q.objects.Stage(ctx, b)
		return ref, engine.StagedBody{}, err
	}
	ref := engine.NewRef(b.Size())
	src, err := b.Open()
	if err != nil {
		return ref, engine.StagedBody{}, fmt.Errorf("reading the message: %w", err)
	}
	defer src.Close()
	if ref.Size <= engine.InlineMax {
		err = engine.ReadInline(src, &ref)
		return ref, engine.StagedBody{}, err
	}
	if err = engine.Digest(src, &ref); err != nil {
		err = fmt.Errorf("reading the message: %w", err)
	}
	return ref, engine.StagedBody{Body: b}, err
}

// Discard implements retry.Queue.
func (q *Queue) Discard(_ context.Context, ref retry.BodyRef) error {
	if _, ok := q.staged.End(ref.ID, false); ok {
		q.discardObject(ref)
	}
	return nil
}

// writeBody stores a message's pieces.
func (q *Queue) writeBody(ctx context.Context, tx pgx.Tx, n int64, ref retry.BodyRef) error {
	const insert = "INSERT INTO postern.chunk (message, i, bytes) VALUES ($1, $2, $3)"
	if ref.Inline != nil {
		_, err := tx.Exec(ctx, insert, n, 0, ref.Inline)
		return err
	}
	if _, object := engine.ObjectName(ref.ID); object {
		return nil
	}
	s := q.staged.Get(ref.ID)
	if s.Body == nil {
		return fmt.Errorf("the message's bytes were never staged, or were discarded")
	}
	src, err := s.Body.Open()
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
		return engine.MemoryBody(ref.Inline, ref)
	}
	if name, ok := engine.ObjectName(ref.ID); ok {
		return q.objects.Open(ctx, name, ref)
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(ref.ID, rowPrefix), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: no stored body has the name %q", retry.ErrNotFound, ref.ID)
	}
	if ref.Size > chunkSize {
		return q.openLarge(ctx, n, ref)
	}
	r := &reading{message: n}
	if err := q.reads.Do(ctx, r, ref.Size); err != nil {
		return nil, err
	}
	return engine.MemoryBody(r.bytes, ref)
}

// reading is a body of one piece that is wanted.
type reading struct {
	message int64
	bytes   []byte
}

// readTogether reads bodies in one round trip.
func (q *Queue) readTogether(ctx context.Context, batch []*op[*reading]) {
	wanted := make([]int64, len(batch))
	for i, o := range batch {
		wanted[i] = o.It.message
	}
	found := map[int64][]byte{}
	p := q.begin(relaxed)
	p.query(func(rows pgx.Rows) error {
		var n int64
		var bytes []byte
		_, err := pgx.ForEachRow(rows, []any{&n, &bytes}, func() error { found[n] = bytes; return nil })
		return err
	}, "SELECT message, bytes FROM postern.chunk WHERE message = ANY($1) AND i = 0", wanted)
	err := q.send(ctx, p)
	for _, o := range batch {
		bytes, ok := found[o.It.message]
		switch o.It.bytes = bytes; {
		case err != nil:
			o.Err = err
		case !ok:
			o.Err = fmt.Errorf("%w: its bytes are gone", retry.ErrCorrupt)
		}
	}
}

// rowPrefix begins the name of a body in the database, before its message's
// row.
const rowPrefix = "row:"

// Times of a large body's copy: so long, and more with its size.
const (
	copyLimit = 15 * time.Second
	slowest   = 1 << 20 // octets a second that it must make at least
)

// openLarge copies a body to this machine: who works on it, often at one of few
// places, never waits for the database. What was copied stays readable when the
// message is gone.
func (q *Queue) openLarge(ctx context.Context, message int64, ref retry.BodyRef) (retry.StoredBody, error) {
	name := ref.ID + " " + string(ref.SHA256[:]) // a database that was set back gives the row to another
	return q.locals.Open(ctx, name, ref.Size, func(f *os.File) error {
		ctx, cancel := context.WithTimeout(ctx, copyLimit+time.Duration(ref.Size/slowest)*time.Second)
		defer cancel()
		whole := engine.ReaderBody(&chunks{q: q, ctx: ctx, message: message, at: -1}, closer{}, ref, ref.ID)
		_, err := io.CopyBuffer(f, whole, make([]byte, chunkSize))
		return err
	})
}

// chunks reads a body's pieces, one at a time, as long as its context lives.
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
