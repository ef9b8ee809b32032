package mail

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/header"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
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

// maxGuesses bounds how often a wrong boundary is guessed in one mail, because
// each guess reads the multipart once more.
const maxGuesses = 4

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
}

// entity is a part's header, read, and where its body starts.
type entity struct {
	header header.Block
	ctype  header.Parameters
	disp   header.Parameters
	enc    transfer.Encoding
	body   int64
	parent string // subtype of the multipart around it, "" at the top
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

// bodyCharset is the charset that the mail's text declares, for raw 8-bit
// header fields: of the top part, or of the first one below.
func (p *parser) bodyCharset(e entity) string {
	if c := e.ctype.Get("charset"); c != "" {
		return c
	}
	w := p.window(e.body)
	w = bytes.ToLower(w[:min(len(w), 4096)]) // all that follows is in it: lower case may have another length
	if i := bytes.Index(w, []byte("charset=")); i >= 0 && strings.HasPrefix(e.ctype.Value, "multipart/") {
		v := w[i+8:]
		if j := bytes.IndexAny(v, "; \t\r\n"); j >= 0 {
			v = v[:j]
		}
		return strings.Trim(string(v), "\"'")
	}
	return ""
}

// readHeader reads the header block at off and returns where its body starts.
// What exceeds the limits becomes an attachment.
func (p *parser) readHeader(off int64) (header.Block, int64) {
	block := p.window(off)
	h, n, over, defects := p.tryHeader(block)
	if n == len(block) && p.f != nil && off+int64(n) < p.size { // the window was too small
		block = p.bytes(off, min(p.size, off+p.lim.HeaderBytes))
		h, n, over, defects = p.tryHeader(block)
	}
	for _, d := range defects {
		p.defect(d)
	}
	body := off + int64(n)
	switch {
	case int64(n) >= p.lim.HeaderBytes && body < p.size && !endsBlank(block[:n]):
		p.defectf("the header is larger than %d octets; the rest of it is an attachment", p.lim.HeaderBytes)
		end := p.blankLine(body)
		p.attachRaw(body, end)
		body = p.lineEnd(end)
	case over >= 0:
		p.defectf("the header has more than %d fields; the rest of it is an attachment", p.lim.Headers)
		p.attachRaw(off+int64(over), body)
	}
	return h, body
}

// tryHeader reads the header that block starts with. Its fields outlive a
// window.
func (p *parser) tryHeader(block []byte) (h header.Block, n, over int, defects []string) {
	if int64(len(block)) > p.lim.HeaderBytes {
		block = block[:p.lim.HeaderBytes]
	}
	if p.f != nil {
		block = bytes.Clone(headerBlock(block))
	}
	room := 24 // of usual mail
	if len(p.split.open) > 0 {
		room = 4
	}
	r := header.Reader{Max: p.lim.Headers, Room: room, IsDelim: p.isOpenDelimiter, Defect: func(d string) { defects = append(defects, d) }}
	h, n, over = r.Read(block)
	return h, n, over, defects
}

func (p *parser) isOpenDelimiter(line []byte) bool {
	for _, b := range p.split.open {
		if ok, _ := isDelimiter(line, b); ok {
			return true
		}
	}
	return false
}

// headerBlock cuts a window behind its first blank line.
func headerBlock(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\r\n")) || bytes.HasPrefix(b, []byte("\n")) {
		return b[:bytes.IndexByte(b, '\n')+1]
	}
	i, j := bytes.Index(b, []byte("\n\r\n")), bytes.Index(b, []byte("\n\n"))
	switch {
	case i >= 0 && (j < 0 || i < j):
		return b[:i+3]
	case j >= 0:
		return b[:j+2]
	}
	return b
}

func endsBlank(b []byte) bool {
	return bytes.HasSuffix(b, []byte("\n\r\n")) || bytes.HasSuffix(b, []byte("\n\n")) ||
		bytes.Equal(b, []byte("\r\n")) || bytes.Equal(b, []byte("\n"))
}

// blankLine returns where the first blank line at or after off starts.
func (p *parser) blankLine(off int64) int64 {
	for off = p.lineEnd(off); off < p.size; off = p.lineEnd(off) {
		w := p.window(off)
		if w[0] == '\n' || w[0] == '\r' && len(w) > 1 && w[1] == '\n' {
			return off
		}
	}
	return p.size
}

// newEntity interprets a part's header; parent is the subtype of the multipart
// around it.
func (p *parser) newEntity(h header.Block, parent string) entity {
	e := entity{header: h, parent: parent}
	e.ctype = p.contentType(h)
	if d := h.Get("Content-Disposition"); d != nil {
		e.disp = p.dec.Parameters(d)
	}
	var known bool
	if cte := h.Get("Content-Transfer-Encoding"); cte != nil {
		if e.enc, known = p.dec.Transfer(cte); !known {
			p.defectf("unknown Content-Transfer-Encoding %q; the part is passed on as it is", text.Shorten(header.Clean(charset.ToUTF8(header.Unfold(cte))), 40))
		}
	}
	p.settleType(&e)
	return e
}

// contentType reads the Content-Type. Of several the first one that fits is
// taken: a multipart that names its boundary, else one that is a type at all;
// what only the others say is taken from them.
func (p *parser) contentType(h header.Block) header.Parameters {
	types := h.All("Content-Type")
	if len(types) == 0 {
		return header.Parameters{}
	}
	first := p.dec.Parameters(types[0])
	if len(types) == 1 {
		return first
	}
	p.defect("several Content-Type fields; the first one that fits is taken")
	for _, t := range types[1:min(len(types), maxContentTypes)] {
		c := p.dec.Parameters(t)
		multipart := strings.HasPrefix(c.Value, "multipart/") && c.Get("boundary") != ""
		if multipart && !strings.HasPrefix(first.Value, "multipart/") || !strings.Contains(first.Value, "/") && strings.Contains(c.Value, "/") {
			first, c = c, first
		}
		first.Merge(c)
	}
	return first
}

// maxContentTypes bounds how many Content-Type fields of a part are looked at.
const maxContentTypes = 5

// settleType gives a part without a usable Content-Type one: by its file name,
// else by what such parts are.
func (p *parser) settleType(e *entity) {
	major, minor, ok := strings.Cut(e.ctype.Value, "/")
	byName := typeByName(e.filename())
	switch {
	case e.ctype.Value == "" && e.parent == "digest":
		e.ctype.Value = "message/rfc822"
	case e.ctype.Value == "":
		e.ctype.Value = cmp.Or(byName, "text/plain")
	case e.ctype.Value == "text":
		e.ctype.Value = "text/plain"
	case e.ctype.Value == "html":
		e.ctype.Value = "text/html"
	case e.ctype.Value == "multipart":
		e.ctype.Value = "multipart/mixed"
	case !ok || !isType(major) || !isType(minor):
		p.defectf("unusable Content-Type %q", text.Shorten(e.ctype.Value, 60))
		e.ctype.Value = "text/plain"
		if e.filename() != "" || e.disp.Value == "attachment" || e.enc == transfer.Base64 {
			e.ctype.Value = cmp.Or(byName, "application/octet-stream")
		}
	}
}

// filename is the name that the sender gave a part.
func (e *entity) filename() string {
	for _, n := range []string{e.disp.Get("filename"), e.ctype.Get("name"), e.disp.Get("name"), e.ctype.Get("filename")} {
		if n = strings.TrimSpace(n); n != "" {
			return n
		}
	}
	return ""
}

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
	if d.close { // its final boundary is all it has
		p.defect("a multipart without a boundary line is read as one part")
		p.leaf(e, e.body, max(e.body, d.prev))
	}
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
	outer := *p
	p.octets, p.src = &octets{mem: b, size: int64(len(b))}, b
	p.split = splitter{octets: p.octets}
	e.body, e.enc = 0, transfer.Identity
	p.multipart(e, depth+1)
	p.octets, p.src, p.split = outer.octets, outer.src, outer.split
	return true
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
