package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"postern/gateway/mail"
	"postern/retry"
)

// inMemory is the size up to which an opened mail's octets are held: reading
// them once is cheaper than verifying the file and reading it again.
const inMemory = 256 << 10

// Open opens a stored message by its id, for as long as ctx lives.
func Open(ctx context.Context, from Messages, messageID string) (*Mail, error) {
	if all, ok := from.(anywhere); ok {
		return all.open(ctx, messageID)
	}
	m, err := Salvage(ctx, from, messageID)
	if err != nil {
		return nil, err
	}
	if err := m.body.(retry.StoredBody).Verify(); err != nil {
		m.Close()
		return nil, fmt.Errorf("archive: message %s: %w", messageID, err)
	}
	return m, nil
}

// OpenAside is Open for somebody who may read slowly: deliveries come first, and
// it is ErrBusy where they need the room.
func OpenAside(ctx context.Context, from Messages, messageID string) (*Mail, error) {
	return Open(retry.Aside(ctx), from, messageID)
}

// Salvage opens a stored message without looking whether its octets are those
// that were received: what is left of a damaged one, for an operator's eyes.
func Salvage(ctx context.Context, from Messages, messageID string) (*Mail, error) {
	record, body, err := from.OpenMessage(ctx, messageID)
	if err != nil {
		return nil, err
	}
	env, err := Envelope(record.Envelope)
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("message %s: %w", messageID, err)
	}
	return &Mail{Envelope: env, Data: source{body}, body: body}, nil
}

// OpenLease opens the message of a leased delivery, for as long as ctx lives.
func OpenLease(ctx context.Context, from Bodies, l retry.Lease) (*Mail, error) {
	m, err := OpenVerified(ctx, from, l)
	if err != nil || m.body == nil {
		return m, err
	}
	if err := m.body.(retry.StoredBody).Verify(); err != nil {
		m.Close()
		return nil, fmt.Errorf("archive: message %s: %w", l.MessageID, err)
	}
	return m, nil
}

// OpenVerified is OpenLease for a lease whose octets the queue's worker has
// verified: a large one isn't read a second time for it. A small one is read
// into memory.
func OpenVerified(ctx context.Context, from Bodies, l retry.Lease) (*Mail, error) {
	if l.Damaged {
		return nil, fmt.Errorf("archive: message %s: its record: %w", l.MessageID, retry.ErrCorrupt)
	}
	env, err := Envelope(l.Envelope)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", l.MessageID, err)
	}
	body, err := from.Open(ctx, l.Body)
	if err != nil {
		return nil, fmt.Errorf("archive: message %s: %w", l.MessageID, err)
	}
	if l.Body.Size > inMemory {
		return &Mail{Envelope: env, Data: source{body}, body: body}, nil
	}
	m, err := readAll(env, body, l.Body.Size)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("archive: message %s: %w", l.MessageID, err)
	}
	return m, nil
}

// readAll reads a body to its end, where the store says whether it is whole, and
// leaves room for our header lines before it.
func readAll(env *mail.Envelope, body io.Reader, size int64) (*Mail, error) {
	b := append(make(mail.Bytes, 0, int64(len(env.Trace))+size), env.Trace...)
	data := b[len(b):cap(b)]
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(body, make([]byte, 1)); !errors.Is(err, io.EOF) {
		return nil, errors.Join(retry.ErrCorrupt, err)
	}
	m := &Mail{Envelope: env, Data: data}
	if len(env.Removed) == 0 {
		m.raw = b[:cap(b)]
	}
	return m, nil
}

// source reads a stored body through any number of readers.
type source struct{ body retry.StoredBody }

// Open implements mail.Source.
func (s source) Open() (io.ReadSeekCloser, error) {
	return section{io.NewSectionReader(s.body, 0, s.body.Size())}, nil
}

// Size implements mail.Source.
func (s source) Size() int64 { return s.body.Size() }

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }
