// Package directory says who is a recipient: by static patterns, or by asking
// a directory webhook at RCPT, VRFY and EXPN.
//
// A directory that can't be reached never refuses mail for good: its answer is
// 450, and the sender comes back. A refusal counts only where the answer's JSON
// body repeats the address that was asked, so that an ingress's default page or
// a rotated secret can't bounce mail.
package directory

import (
	"context"
	"strings"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// Config says who is a recipient.
type Config struct {
	Static   func(address string) bool // POSTERN_RECIPIENTS; nil: whoever Serves says
	Serves   func(address string) bool // an endpoint matches the address
	Accepted func(domain string) bool  // the domain stands in a pattern of ours
	Last     string                    // the endpoint that takes postmaster's mail where none matches
	Remote   *Remote                   // nil: patterns alone
	Domain   string                    // our host name, completes the bare <postmaster>
}

// Directory answers for addresses.
type Directory struct{ cfg Config }

// New returns a directory.
func New(cfg Config) *Directory { return &Directory{cfg: cfg} }

// Recipient answers RCPT. Postmaster skips the directory (RFC 5321, 4.5.1);
// whoever the static patterns name needs no asking.
func (d *Directory) Recipient(ctx context.Context, q Query) Answer {
	switch {
	case d.postmaster(q.Address):
		return d.toPostmaster(q.Address)
	case d.cfg.Static != nil && d.cfg.Static(q.Address):
		return known(q.Address)
	case d.cfg.Remote != nil:
		return d.cfg.Remote.Recipient(ctx, q, d.cfg.Serves)
	case d.cfg.Static == nil && d.cfg.Serves(q.Address):
		return known(q.Address)
	}
	return unknown(q.Address)
}

// Verify answers VRFY for an address or a name; the reply has a line for each
// mailbox.
func (d *Directory) Verify(ctx context.Context, q Query) Answer {
	switch {
	case d.cfg.Remote != nil:
		return d.cfg.Remote.Verify(ctx, q, d.cfg.Serves).listed()
	case !strings.Contains(q.Address, "@") && !strings.EqualFold(q.Address, "postmaster"):
		return cannot("Cannot verify a name, but will try to deliver to an address")
	}
	return d.Recipient(ctx, q).listed()
}

// Expand answers EXPN with a line for each member; without a directory there
// are no lists.
func (d *Directory) Expand(ctx context.Context, q Query) Answer {
	if d.cfg.Remote != nil {
		return d.cfg.Remote.Expand(ctx, q).listed()
	}
	return cannot("Cannot expand: there is no directory of lists")
}

func (d *Directory) postmaster(address string) bool {
	local, domain, found := text.CutAddress(address)
	return strings.EqualFold(local, "postmaster") && (!found || strings.EqualFold(domain, d.cfg.Domain) || d.cfg.Accepted(domain))
}

func (d *Directory) toPostmaster(address string) Answer {
	a := known(address)
	if !strings.Contains(address, "@") {
		a.Address = address + "@" + d.cfg.Domain
	}
	if !d.cfg.Serves(a.Address) {
		a.Endpoint = d.cfg.Last
	}
	return a
}

func known(address string) Answer { return Answer{Reply: replyKnown, Address: address} }

var replyKnown = reply.New(250, reply.Enhanced{2, 1, 5}, "Recipient OK")

func unknown(address string) Answer {
	return Answer{Reply: reply.New(550, reply.Enhanced{5, 1, 1}, "No such recipient here"), Address: address}
}

// cannot is the answer where nothing can be said.
func cannot(text string) Answer {
	return Answer{Reply: reply.New(252, reply.Enhanced{2, 5, 2}, text)}
}
