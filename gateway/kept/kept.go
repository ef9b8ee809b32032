// Package kept keeps delivered mail for a while (POSTERN_KEEP), so that an
// operator can have it sent again.
//
// It is never in the way of mail: a Keeper takes a message without waiting,
// writes it behind everybody's back, and drops and counts what its store can't
// take. Its room is its own, apart from the queue's: the oldest mail goes first,
// and it gives way to a queue that needs the disk. A crash loses what was about
// to be written; what must not be lost is the queue's, which knows nothing of it.
package kept

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"postern/gateway/mail"
	"postern/gateway/text"
	"postern/retry"
)

// ErrNotFound is returned when a message isn't kept (any more).
var ErrNotFound = retry.ErrNotFound

// Record is what is kept of a message beside its octets. Its JSON form is what
// stores keep; fields are added, never changed.
type Record struct {
	ID       string    `json:"id"`
	Key      string    `json:"key"`
	Received time.Time `json:"received"`
	From     string    `json:"from"`
	Subject  string    `json:"subject"`
	Envelope []byte    `json:"envelope"` // mail.Envelope as JSON
	Names    []string  `json:"names"`    // the addresses that a person has in it, in lower case
	Size     int64     `json:"size"`
	SHA256   []byte    `json:"sha256,omitempty"`
}

// Message is the record as the queue has it.
func (r *Record) Message() retry.Message {
	m := retry.Message{ID: r.ID, Key: r.Key, Received: r.Received, From: r.From, Subject: r.Subject, Envelope: r.Envelope, Body: retry.BodyRef{ID: r.ID, Size: r.Size}}
	copy(m.Body.SHA256[:], r.SHA256)
	return m
}

// names are the addresses of a mail that Forget goes by.
func names(env *mail.Envelope, head *mail.Message) []string {
	all := []string{}
	add := func(address string) {
		if address != "" {
			all = append(all, Name(address))
		}
	}
	add(env.From)
	add(env.Auth)
	for _, to := range env.To {
		add(to.Address)
	}
	if head != nil {
		for _, from := range head.From {
			add(from.Address)
		}
	}
	return all
}

// Name is an address as Record.Names has it.
func Name(address string) string { return strings.Clone(text.FoldAddress(address)) }

// Sum stands for a name in what remembers that it was forgotten.
func Sum(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// forgottenFor is how long it is remembered at least that somebody was forgotten:
// mail may have waited so long for its webhook.
const forgottenFor = 7 * 24 * time.Hour

// ForgottenBefore is who need not be remembered, where mail is kept that came
// after before.
func ForgottenBefore(before, now time.Time) time.Time {
	if last := now.Add(-forgottenFor); last.Before(before) {
		return last
	}
	return before
}

// Store keeps messages. Its methods are safe for concurrent use.
type Store interface {
	// Put keeps a message whose octets are r.Size of body; the store sums them up.
	Put(ctx context.Context, r Record, body io.Reader) error
	// OpenMessage reads one; ErrNotFound when it is gone. The caller closes the
	// body, which lives as long as ctx.
	OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error)
	// Names counts the messages that Forget would remove.
	Names(ctx context.Context, address string) (int, error)
	// Forget removes every message that names the address, and counts them. What
	// was received before isn't kept any more, whoever is about to Put it.
	Forget(ctx context.Context, address string) (int, error)
	// Prune removes what was kept before, and what is oldest while the store is
	// beyond its bounds. It is called every few seconds.
	Prune(ctx context.Context, before time.Time) error
	Close() error
}
