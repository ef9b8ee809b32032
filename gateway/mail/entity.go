package mail

import (
	"bytes"
	"cmp"
	"strings"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/header"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// entity is a part's header, read, and where its body starts.
type entity struct {
	header header.Block
	ctype  header.Parameters
	disp   header.Parameters
	enc    transfer.Encoding
	body   int64
	parent string // subtype of the multipart around it, "" at the top
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
