package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"postern/gateway/mail"
	"postern/retry"
)

// Messages opens stored messages; the retry queue is one.
type Messages interface {
	OpenMessage(ctx context.Context, messageID string) (retry.Message, retry.StoredBody, error)
}

// stored is a message of the store.
type stored struct {
	env  *mail.Envelope
	raw  mail.Source // our trace lines, then DATA as received
	body retry.StoredBody
}

// openStored opens a message; retry.ErrNotFound when it is gone. Its octets
// are not verified.
func openStored(ctx context.Context, from Messages, id string) (*stored, error) {
	m, body, err := from.OpenMessage(ctx, id)
	if err != nil {
		return nil, err
	}
	env := &mail.Envelope{}
	if err := json.Unmarshal(m.Envelope, env); err != nil {
		body.Close()
		return nil, fmt.Errorf("ops: the stored envelope of %s can't be read: %w", id, err)
	}
	return &stored{env: env, raw: mail.Prepend(env.Trace, bodySource{body}), body: body}, nil
}

func (s *stored) close() { s.body.Close() }

// bodySource reads a stored body through any number of readers.
type bodySource struct{ body retry.StoredBody }

// Open implements mail.Source.
func (b bodySource) Open() (io.ReadSeekCloser, error) {
	return section{io.NewSectionReader(b.body, 0, b.body.Size())}, nil
}

// Size implements mail.Source.
func (b bodySource) Size() int64 { return b.body.Size() }

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }
