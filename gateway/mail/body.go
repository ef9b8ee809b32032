package mail

import (
	"bytes"
	"strings"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/header"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// leaf takes a part without parts.
func (p *parser) leaf(e entity, off, end int64) {
	to := p.placeOf(e)
	p.parts++
	if to == asAttachment {
		p.attach(e, off, end)
		return
	}
	whole := end
	if limit := min(p.lim.TextBytes, p.texts); end-off > limit {
		p.defectf("a text of more than %d octets is cut; the whole of it is an attachment", limit)
		p.attach(e, off, end)
		end = off + limit
	}
	p.texts -= end - off
	if !p.book(p.textWeight(e, end-off)) {
		switch { // what would be made of it
		case to == asHTML:
			p.need += (end - off) * perReadHTML
		case e.parent != "":
			p.need += (end - off) * perTextOctet
		}
		return
	}
	raw := p.undo(e.enc, p.bytes(off, end))
	if end == off && e.filename() != "" || e.enc == transfer.Base64 && isBinary(raw, e.ctype.Get("charset")) {
		p.attach(e, off, end)
		return
	}
	if to == asText && e.enc == transfer.Identity {
		raw = p.takeUU(off, raw)
	}
	s := p.decodeText(e, raw, to == asHTML)
	if strings.EqualFold(e.ctype.Get("format"), "flowed") && to == asText {
		s = unflow(s, strings.EqualFold(e.ctype.Get("delsp"), "yes"))
	}
	if s == "" || strings.TrimSpace(s) == "" && len(p.body) > 0 {
		return
	}
	b := bodyPart{html: to == asHTML, choice: p.choice, content: s}
	if e.filename() != "" && p.choice == 0 {
		o, src := p.octets, p.src
		b.asFile, b.at = func() { p.within(o, src, func() { p.attach(e, off, whole) }) }, len(p.msg.Attachments)
	}
	p.body = append(p.body, b)
}

// maxUU bounds the uuencoded files that are taken out of one text.
const maxUU = 100

// takeUU makes attachments of the uuencoded files in a text and returns the
// text without them.
func (p *parser) takeUU(off int64, raw []byte) []byte {
	blocks := transfer.FindUU(raw, min(maxUU, p.lim.Parts-p.parts))
	if len(blocks) == 0 {
		return raw
	}
	p.parts += len(blocks)
	var text []byte
	pos := 0
	for _, b := range blocks {
		text = append(text, raw[pos:b.Start]...)
		pos = b.End
		c, size, _ := p.measure(p.src, off+int64(b.Start), off+int64(b.End), transfer.UU)
		p.msg.Attachments = append(p.msg.Attachments, Attachment{Filename: p.safeName(p.dec.Clean(charset.ToUTF8(b.Name))), ContentType: "application/octet-stream",
			Disposition: "attachment", Size: size, Content: c})
	}
	return append(text, raw[pos:]...)
}

// isBinary says whether octets labelled text are none: they hold NUL without
// being UTF-16.
func isBinary(b []byte, label string) bool {
	unicode := strings.HasPrefix(charset.Normalize(label), "utf-")
	return !unicode && bytes.IndexByte(b, 0) >= 0 && !charset.LooksUTF16(b[:len(b)&^1])
}

// decodeText undoes the charset of a text.
func (p *parser) decodeText(e entity, b []byte, html bool) string {
	label := e.ctype.Get("charset")
	if html {
		label = charset.OfHTML(b, label)
	}
	s, used := charset.Decode(b, label)
	if used != "" {
		if label == "" {
			p.defectf("text without a charset is read as %s", used)
		} else {
			p.defectf("text labelled %s is read as %s", text.Shorten(header.Clean(label), 40), used)
		}
	}
	return p.tidy(s)
}

// undo decodes the transfer encoding of a text.
func (p *parser) undo(enc transfer.Encoding, raw []byte) []byte {
	b, defect := enc.DecodeText(raw)
	if defect != "" {
		p.defect(defect)
	}
	return b
}

// tidy gives decoded text the form that every consumer can take: LF line ends,
// no byte order mark, U+FFFD for what can't be in a text (NUL).
func (p *parser) tidy(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.IndexByte(s, 0) >= 0 {
		p.defect("NUL in text is shown as U+FFFD")
		s = strings.ReplaceAll(s, "\x00", "\ufffd")
	}
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i+1:]
		if strings.HasPrefix(s, "\r\n") {
			s = s[1:]
		}
		if !strings.HasPrefix(s, "\n") {
			out.WriteByte('\n')
		}
	}
}
