package mail

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"postern/gateway/mail/header"
)

// Defaults of Limits.
const (
	defaultDepth       = 50
	defaultParts       = 1000
	defaultHeaderBytes = 1 << 20
	defaultHeaders     = 2000
)

// DefaultTextBytes is Limits.TextBytes where that is zero.
const DefaultTextBytes = 8 << 20

// maxDefects bounds the list of defects of one mail.
const maxDefects = 50

// allTexts is how many times Limits.TextBytes the texts of a mail may have
// together: once as text, once as HTML.
const allTexts = 2

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Parts <= 0 {
		l.Parts = defaultParts
	}
	if l.HeaderBytes <= 0 {
		l.HeaderBytes = defaultHeaderBytes
	}
	if l.Headers <= 0 {
		l.Headers = defaultHeaders
	}
	if l.TextBytes <= 0 {
		l.TextBytes = DefaultTextBytes
	}
	return l
}

// Parse reads a mail. It fails only when src can't be read: malformed mail is
// repaired or passed on undecoded, and Message.Defects says how. The Message
// refers to src, which must stay readable while attachments are.
func Parse(src Source, lim Limits) (*Message, error) { return ParseWithin(src, lim, nil) }

// ParseWithin is Parse within a room for its memory; nil: without a bound. Where
// there is none, what the mail needs is found out without using it, and the
// error is a *TooHeavy.
func ParseWithin(src Source, lim Limits, in Room) (*Message, error) {
	o, err := openOctets(src)
	if err != nil {
		return nil, err
	}
	defer o.close()
	memory := room{of: in, need: Least(src)}
	if b, ok := src.(Bytes); ok && onlyCR(b) && memory.book(src.Size()) {
		src = Bytes(bytes.ReplaceAll(b, []byte("\r"), []byte("\n")))
		o.mem = src.(Bytes)
	}
	p := &parser{octets: o, split: splitter{octets: o}, src: src, lim: lim.withDefaults(), msg: &Message{}, room: memory}
	p.texts = p.lim.TextBytes * allTexts
	p.mail()
	switch {
	case o.err != nil:
		return nil, o.err
	case p.over:
		return nil, &TooHeavy{p.need}
	}
	return p.msg, nil
}

// onlyCR says whether a mail uses bare carriage returns as line ends.
func onlyCR(b []byte) bool {
	return bytes.IndexByte(b[:min(len(b), 4096)], '\r') >= 0 && bytes.IndexByte(b, '\n') < 0 && bytes.Count(b, []byte("\r")) > 1
}

// parser walks one mail.
type parser struct {
	*octets
	room
	src     Source
	lim     Limits
	texts   int64 // octets that may still become text or HTML
	dec     header.Decoder
	split   splitter
	msg     *Message
	body    []bodyPart
	choice  int // the alternatives that are read, 0 for none
	choices int // so far
	parts   int
	guesses int
	signed  int // signatures around what is read
}

func (p *parser) defect(s string) {
	if len(p.msg.Defects) < maxDefects && !slices.Contains(p.msg.Defects, s) {
		p.msg.Defects = append(p.msg.Defects, s)
	}
}

func (p *parser) defectf(format string, args ...any) { p.defect(fmt.Sprintf(format, args...)) }

// mail reads the whole of it.
func (p *parser) mail() {
	start := int64(0)
	if bytes.HasPrefix(p.window(0), []byte("\xef\xbb\xbf")) {
		p.defect("a byte order mark precedes the header")
		start = 3
	}
	h, body := p.readHeader(start)
	e := p.newEntity(h, "")
	if len(h.Loose) > 0 {
		p.addText(p.tidy(p.dec.Raw(h.Loose)))
	}
	e.body = body
	p.dec.Hint = sync.OnceValue(func() string { return p.bodyCharset(e) })
	p.entity(e, 0)
	if p.book(max(0, body-start-freeHeader) * perHeaderOctet) {
		p.fill(h)
	}
	if p.dec.LeftOut {
		p.defect("a NUL or another control character is left out of a header field or a file's name")
	}
}
