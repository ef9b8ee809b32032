package mail

import (
	"fmt"

	"postern/gateway/mail/charset"
)

// Room is the memory that a mail may take while it is read and rendered.
type Room interface {
	// Reach reports whether n octets in all may be used. It never waits.
	Reach(n int64) bool
}

// TooHeavy is returned by ParseWithin when there was no room. Octets is what the
// mail needs: with so much it can be read.
type TooHeavy struct{ Octets int64 }

// Error implements error.
func (e *TooHeavy) Error() string {
	return fmt.Sprintf("mail: reading it takes %d octets of memory, and there was no room for them", e.Octets)
}

// Needs is Octets, for those who don't know this package.
func (e *TooHeavy) Needs() int64 { return e.Octets }

// What a mail takes at its peak, in octets of memory, until its text has been
// written into a body of any format (measured: TestWeight).
const (
	restsInMemory = 48 << 10  // around a mail that is in memory
	restsOnDisk   = 256 << 10 // around one on disk: windows of it and buffers

	perTextOctet   = 4       // of a text's octets as they are stored, in ASCII or UTF-8
	perCodedOctet  = 8       // the same in other charsets, which grow
	perNearOctet   = 16      // of the first of them, which are looked at line by line and element by element, more than that
	perReadHTML    = 8       // of HTML of which a text is made, more than that
	perHeaderOctet = 18      // of the mail's own header: lists of addresses
	perAttachment  = 4 << 10 // each one
	freeHeader     = 2 << 10 // of a header
)

// Least is the octets of memory that any mail takes beside its source, whatever
// is in it.
func Least(src Source) int64 {
	if _, ok := src.(Bytes); ok {
		return restsInMemory + min(src.Size(), maxCopy)
	}
	return restsOnDisk
}

// room is how the parser books what it is about to use.
type room struct {
	of   Room
	need int64
	near int64 // octets of text that were looked at closely
	over bool  // there was none: from here on the need is only measured
}

// book reports whether n more octets may be used.
func (r *room) book(n int64) bool {
	r.need += n
	if !r.over && r.of != nil && !r.of.Reach(r.need) {
		r.over = true
	}
	return !r.over
}

// nearText is how many octets of a mail's text are looked at closely.
const nearText = 1 << 20

// textWeight is the memory that n octets of the mail's next text take.
func (p *parser) textWeight(e entity, n int64) int64 {
	near := min(n, nearText-p.near)
	p.near += near
	return n*perStored(e) + near*perNearOctet
}

// perStored is what an octet of a text takes when it is decoded.
func perStored(e entity) int64 {
	switch charset.Normalize(e.ctype.Get("charset")) {
	case "", "utf-8", "us-ascii":
		return perTextOctet
	}
	return perCodedOctet
}
