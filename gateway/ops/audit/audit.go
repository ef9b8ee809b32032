// Package audit is the one log line of everything that an operator changes: who,
// by which way, what, and how many. Its message is always "operator", so that a
// search finds all of them.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"

	"postern/gateway/text"
)

// The ways to change something.
const (
	API  = "api"
	Page = "page"
	CLI  = "cli"
)

// What is done.
const (
	Retried  = "retried"
	Replayed = "replayed"
	Deleted  = "deleted"
	Paused   = "paused"
	Resumed  = "resumed"
	Sent     = "sent again"
	Forgot   = "forgot"
)

// maxWhy is how much of a pause's reason is kept, in octets.
const maxWhy = 200

// Why is an operator's reason as it is kept and shown: one line, not long.
func Why(reason string) string { return text.Clip(text.OneLine(reason), maxWhy) }

// Who is an operator.
type Who struct {
	Via    string // API, Page or CLI
	By     string // a fingerprint of the token or session, or a user's name
	Client string // the address that the request came from, "" on the machine itself
}

// String is who and how, for people.
func (w Who) String() string { return w.By + " (" + w.Via + ")" }

// Fingerprint tells secrets apart without telling them.
func Fingerprint(kind, secret string) string {
	sum := sha256.Sum256([]byte("postern audit\x00" + secret))
	return kind + ":" + hex.EncodeToString(sum[:4])
}

// Log writes the line: what was done, how often, and the attributes that say to
// what.
func Log(l *slog.Logger, w Who, did string, count int, what ...slog.Attr) {
	attrs := append([]slog.Attr{slog.String("did", did), slog.Int("count", count), slog.String("by", w.By), slog.String("via", w.Via), slog.String("client", w.Client)}, what...)
	l.LogAttrs(context.Background(), slog.LevelInfo, "operator", attrs...)
}
