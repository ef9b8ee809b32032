// Package archive is the one codec between a mail and what the queue stores:
// the envelope as JSON with our header lines frozen in it, and the octets of
// DATA as they were received. The parsed form is never stored, so that a
// better parser reaches mail that waits.
//
// What Open and OpenLease give was read once as a whole before: octets that
// differ from their SHA-256 are retry.ErrCorrupt and never leave the store, a
// message that is gone is ErrNotFound. Any other error is the store's
// and may pass; ErrEnvelope doesn't.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/gateway/mail"
	"postern/gateway/text"
	"postern/retry"
)

// ErrEnvelope is returned when a stored envelope can't be read: it was written
// by a newer version, or the store is damaged.
var ErrEnvelope = errors.New("archive: the stored envelope can't be read")

// ErrNotFound is returned when a message is gone.
var ErrNotFound = retry.ErrNotFound

// ErrBusy is returned when a message can't be read now, but later.
var ErrBusy = retry.ErrBusy

// maxSubject is the octets of a subject that lists show.
const maxSubject = 200

// Messages opens stored messages by their id.
type Messages interface {
	OpenMessage(ctx context.Context, messageID string) (retry.Message, retry.StoredBody, error)
}

// Anywhere opens a message where the first of several can give it; those that
// are nil have none.
func Anywhere(of ...Messages) Messages { return anywhere(of) }

type anywhere []Messages

// OpenMessage implements Messages.
func (a anywhere) OpenMessage(ctx context.Context, messageID string) (m retry.Message, body retry.StoredBody, err error) {
	err = a.first(func(from Messages) (err error) {
		m, body, err = from.OpenMessage(ctx, messageID)
		return err
	})
	return m, body, err
}

// open is Open: a message that is damaged in one place, or just leaves it, may be
// whole in the next.
func (a anywhere) open(ctx context.Context, messageID string) (m *Mail, err error) {
	err = a.first(func(from Messages) (err error) {
		m, err = Open(ctx, from, messageID)
		return err
	})
	return m, err
}

// first tries one after the other until one can; else it is the error that says
// most.
func (a anywhere) first(try func(Messages) error) error {
	failed := error(ErrNotFound)
	for _, from := range a {
		if from == nil {
			continue
		}
		err := try(from)
		if err == nil {
			return nil
		}
		if errors.Is(failed, ErrNotFound) {
			failed = err
		}
	}
	return failed
}

// Bodies opens stored octets by what a lease says of them.
type Bodies interface {
	Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error)
}

// Mail is a stored mail. Close it when its sources are no longer needed.
type Mail struct {
	Envelope *mail.Envelope
	Data     mail.Source // as received

	raw  mail.Source // where it lies in memory in one piece
	body io.Closer   // nil: all of it is in memory
}

// Held are the octets as received for somebody who reads them when the message may
// be gone. Who opens them, once, has them until Close, whenever the mail is closed.
func (m *Mail) Held() mail.Source {
	if m.body == nil {
		return m.Data
	}
	return &held{m}
}

type held struct{ m *Mail }

// Size implements mail.Source.
func (h *held) Size() int64 { return h.m.Data.Size() }

// Open implements mail.Source.
func (h *held) Open() (io.ReadSeekCloser, error) {
	body := h.m.body.(retry.StoredBody)
	h.m.body = nil
	return owned{io.NewSectionReader(body, 0, body.Size()), body}, nil
}

// owned closes the body that it reads.
type owned struct {
	*io.SectionReader
	io.Closer
}

// Raw is the message as webhooks and people see it: our header lines, then the
// octets as received.
func (m *Mail) Raw() mail.Source {
	if m.raw != nil {
		return m.raw
	}
	return Raw(m.Envelope, m.Data)
}

// Close lets go of the stored octets.
func (m *Mail) Close() error {
	if m.body == nil {
		return nil
	}
	return m.body.Close()
}

// Raw is the message as webhooks see it: the header lines of
// the envelope, then the octets of DATA without the fields that were removed. Only
// the check of signatures needs data itself.
func Raw(env *mail.Envelope, data mail.Source) mail.Source {
	return mail.Prepend(env.Trace, mail.Without(data, env.Removed))
}

// Whole is Raw for those who may never open it: nothing is copied before.
func Whole(env *mail.Envelope, data mail.Source) mail.Source { return whole{env, data} }

type whole struct {
	env  *mail.Envelope
	data mail.Source
}

// Open implements mail.Source.
func (w whole) Open() (io.ReadSeekCloser, error) { return Raw(w.env, w.data).Open() }

// Size implements mail.Source.
func (w whole) Size() int64 { return Raw(w.env, w.data).Size() }

// Record is a message as the queue keeps it, its body still to be staged. It
// waits for the webhooks for life.
func Record(env *mail.Envelope, subject string, life time.Duration) (retry.Message, error) {
	frozen, err := json.Marshal(env)
	if err != nil {
		return retry.Message{}, fmt.Errorf("archive: envelope of %s: %w", env.ID, err)
	}
	return retry.Message{
		ID: env.ID, Key: env.Key, Received: env.Received, Life: life,
		From: env.From, Subject: text.Clip(subject, maxSubject), Envelope: frozen,
	}, nil
}

// Envelope reads a stored envelope.
func Envelope(stored []byte) (*mail.Envelope, error) {
	env := &mail.Envelope{}
	if err := json.Unmarshal(stored, env); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return env, nil
}

// Recipients are those of the envelope that a stored delivery is for, in the
// envelope's order.
func Recipients(env *mail.Envelope, addresses []string) []mail.Recipient {
	set := make(map[string]bool, len(addresses))
	for _, a := range addresses {
		set[a] = true
	}
	var to []mail.Recipient
	for _, r := range env.To {
		if set[r.Address] {
			to = append(to, r)
		}
	}
	return to
}
