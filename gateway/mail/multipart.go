package mail

import (
	"bytes"
	"strings"

	"postern/gateway/mail/transfer"
)

// entity reads a part and returns the delimiter that ends it.
func (p *parser) entity(e entity, depth int) delimiter {
	if strings.HasPrefix(e.ctype.Value, "multipart/") {
		if depth < p.lim.Depth {
			return p.multipart(e, depth)
		}
		p.defectf("multiparts nested deeper than %d; the rest is one attachment", p.lim.Depth)
		e.disp.Value = "attachment"
	}
	d := p.split.next(e.body)
	p.leaf(e, e.body, max(e.body, d.prev))
	return d
}

// multipart reads the parts of a multipart. Text before its first and after
// its final boundary is no content (RFC 2046 5.1.1).
func (p *parser) multipart(e entity, depth int) delimiter {
	level := len(p.split.open)
	d, ok := p.firstDelimiter(e, level)
	if !ok {
		if p.encodedMultipart(e, d, depth) {
			return d
		}
		p.defect("a multipart without a boundary line is read as one part")
		p.leaf(e, e.body, max(e.body, d.prev))
		return d
	}
	p.preamble(e, &d)
	_, minor, _ := strings.Cut(e.ctype.Value, "/")
	outer := p.choice
	if minor == "alternative" && outer == 0 {
		p.choices++
		p.choice = p.choices
	}
	d = p.children(d, level, minor, depth)
	p.choice = outer
	p.split.open = p.split.open[:level]
	return d
}

// preamble looks at what stands before a multipart's first boundary line. Nobody is
// shown it: what may be parts is attached as it is. Where that line is the final one,
// and no part follows it, it is all there is, and the multipart's text.
func (p *parser) preamble(e entity, first *delimiter) {
	end := max(e.body, first.prev)
	if first.close {
		p.defect("a multipart begins with its final boundary")
		if first.close = !hasPrefixFold(p.bytes(first.end, min(p.size, first.end+20)), "content-"); first.close {
			p.leaf(e, e.body, end)
			return
		}
	} else if _, parts := p.split.guess(e.body, first.start); !parts {
		return
	}
	if !p.blank(e.body, end) {
		p.defect("what stands before a multipart's first boundary is an attachment")
		p.attachRaw(e.body, end)
	}
}

// blank reports whether nothing but white space stands in [off, end).
func (p *parser) blank(off, end int64) bool {
	for off < end {
		w := p.span(off, end)
		if len(w) == 0 || len(bytes.TrimSpace(w)) > 0 {
			return len(w) == 0
		}
		off += int64(len(w))
	}
	return true
}

// firstDelimiter opens the multipart's boundary, the one that it declares or the
// one that it uses, and finds its first line; false when there is none, with
// where the multipart ends.
func (p *parser) firstDelimiter(e entity, level int) (delimiter, bool) {
	for i, boundary := range append([]string{e.ctype.Get("boundary")}, e.ctype.Boundaries...) {
		if boundary == "" {
			continue
		}
		p.split.open = append(p.split.open[:level], boundary)
		if d := p.split.next(e.body); d.level == level {
			if i > 0 {
				p.defect("a multipart's boundary is not the one it declares")
			}
			return d, true
		}
	}
	p.split.open = p.split.open[:level]
	d := p.split.next(e.body)
	if p.guesses >= maxGuesses {
		return d, false
	}
	p.guesses++
	guessed, ok := p.split.guess(e.body, d.start)
	if !ok {
		return d, false
	}
	p.defect("a multipart's boundary is not the one it declares")
	p.split.open = append(p.split.open, guessed)
	return p.split.next(e.body), true
}

// encodedMultipart reads a multipart that somebody encoded as a whole, against
// RFC 2045 6.4. It is decoded into memory, so that a very large one stays a file.
func (p *parser) encodedMultipart(e entity, d delimiter, depth int) bool {
	end := max(e.body, d.prev)
	if e.enc == transfer.Identity || end-e.body > p.lim.TextBytes || !p.book(2*(end-e.body)) {
		return false
	}
	b := Bytes(e.enc.DecodeAll(p.bytes(e.body, end)))
	if boundary := e.ctype.Get("boundary"); boundary == "" || !bytes.Contains(b, []byte("--"+boundary)) {
		return false
	}
	p.defect("a multipart is encoded as a whole")
	e.body, e.enc = 0, transfer.Identity
	p.within(&octets{mem: b, size: int64(len(b))}, b, func() { p.multipart(e, depth+1) })
	return true
}

// within reads octets that stand encoded in the mail as if they were the mail.
func (p *parser) within(o *octets, src Source, read func()) {
	octets, source, split := p.octets, p.src, p.split
	p.octets, p.src, p.split = o, src, splitter{octets: o}
	read()
	p.octets, p.src, p.split = octets, source, split
}

// children reads the parts that follow the delimiters of one level.
func (p *parser) children(d delimiter, level int, minor string, depth int) delimiter {
	for d.level == level {
		if d.close {
			p.split.open = p.split.open[:level]
			return p.epilogue(d)
		}
		if p.parts >= p.lim.Parts {
			p.defectf("more than %d parts; the rest is one attachment", p.lim.Parts)
			p.attachRaw(d.start, p.size)
			return p.split.eof()
		}
		h, body := p.readHeader(d.end)
		e := p.newEntity(h, minor)
		e.body = body
		d = p.entity(e, depth+1)
	}
	p.defect("a multipart's final boundary is missing")
	return d
}

// epilogue skips what stands between a final boundary and the next delimiter
// of a multipart around it.
func (p *parser) epilogue(final delimiter) delimiter {
	d := p.split.next(final.end)
	if d.prev > final.end && len(bytes.TrimSpace(p.span(final.end, d.prev))) > 0 {
		p.defect("text after a multipart's final boundary is no content")
	}
	return d
}

// maxGuesses bounds how often a wrong boundary is guessed in one mail, because
// each guess reads the multipart once more.
const maxGuesses = 4
