package smtp

import (
	"context"
	"io"
)

// Collector is a Handler that has mail waiting for clients who come for it
// with TURN (RFC 821 section 3.8).
type Collector interface {
	// Collect opens the mail that waits for the client. A 4xx or 5xx reply
	// refuses the TURN.
	Collect(ctx context.Context, c *Client) (Collection, Reply)
}

// Collection yields waiting mails one after the other.
type Collection interface {
	// Next is the next mail, or io.EOF. Each is settled, or skipped, before
	// the next is asked for.
	Next(ctx context.Context) (Waiting, error)
	// Close ends the collection; a mail under way was settled before.
	Close() error
}

// Waiting is one mail to hand over.
type Waiting struct {
	From       Address
	Recipients []Address
	Size       int64 // octets of content
	UTF8       bool  // needs SMTPUTF8
	EightBit   bool  // needs 8BITMIME
	Binary     bool  // has a lone CR or LF or a NUL: goes by BDAT or not at all
	RequireTLS bool  // RFC 8689
	Open       func(ctx context.Context) (io.ReadCloser, error)
	// Settle reports what the peer answered; err is set where the connection
	// broke before it did, and code is 0 then. A 2xx settles the delivery for good.
	Settle func(ctx context.Context, code int, text string, err error)
	// Skip gives the mail back untouched: the peer can't take it.
	Skip func(ctx context.Context, why string)
}

// turn swaps the roles.
func (s *session) turn([]byte) Reply {
	return replyOff
}
