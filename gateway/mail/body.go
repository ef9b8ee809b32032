package mail

import (
	"bytes"
	"strings"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// place is what becomes of a leaf.
type place uint8

const (
	asText place = iota
	asHTML
	asAttachment
)

// placeOf is the rule of what is text, HTML or an attachment:
//
//  1. What calls itself an attachment is one.
//  2. Only text/plain and text/html can be the mail's text; calendars,
//     signatures, reports, forwarded mails, images and all else are attachments.
//  3. A text with a file name is an attachment, unless it is the first leaf: then
//     the mailer named the text itself.
//  4. Several texts, or several HTML parts, are joined in their order.
func (p *parser) placeOf(e entity) place {
	to := asAttachment
	switch e.ctype.value {
	case "text/plain", "text/x-plain", "plain/text":
		to = asText
	case "text/html", "text/xhtml", "application/xhtml+xml":
		to = asHTML
	default:
		if strings.HasPrefix(e.ctype.value, "multipart/") {
			to = asText // one without boundaries: its text is all there is
		}
	}
	switch {
	case e.disp.value == "attachment":
		return asAttachment
	case e.filename() != "" && (p.started() || e.disp.value != "" && e.disp.value != "inline"):
		return asAttachment
	case e.enc == transfer.UU:
		return asAttachment
	}
	return to
}

// started says whether a leaf with content was seen.
func (p *parser) started() bool {
	return len(p.body)+len(p.msg.Attachments) > 0
}

// leaf takes a part without parts.
func (p *parser) leaf(e entity, off, end int64) {
	to := p.placeOf(e)
	p.parts++
	if to == asAttachment {
		p.attach(e, off, end)
		return
	}
	if limit := min(p.lim.TextBytes, p.texts); end-off > limit {
		p.defectf("a text of more than %d octets is cut; the whole of it is an attachment", limit)
		p.attach(e, off, end)
		end = off + limit
	}
	p.texts -= end - off
	if !p.book(e.textWeight(end - off)) {
		if to == asHTML { // a text will be made of it, if there is no other
			p.need += (end - off) * perReadHTML
		}
		return
	}
	raw := p.undo(e.enc, p.bytes(off, end))
	if end == off && e.filename() != "" || e.enc == transfer.Base64 && isBinary(raw, e.ctype.get("charset")) {
		p.attach(e, off, end)
		return
	}
	if to == asText && e.enc == transfer.Identity {
		raw = p.takeUU(off, raw)
	}
	s := p.decodeText(e, raw, to == asHTML)
	if strings.EqualFold(e.ctype.get("format"), "flowed") && to == asText {
		s = unflow(s, strings.EqualFold(e.ctype.get("delsp"), "yes"))
	}
	if s == "" || strings.TrimSpace(s) == "" && len(p.body) > 0 {
		return
	}
	p.body = append(p.body, bodyPart{to == asHTML, p.choice, s})
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
		p.msg.Attachments = append(p.msg.Attachments, Attachment{Filename: p.safeName(clean(charset.ToUTF8(b.Name))), ContentType: "application/octet-stream",
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
	label := e.ctype.get("charset")
	if html {
		label = charset.OfHTML(b, label)
	}
	s, used := charset.Decode(b, label)
	if used != "" {
		if label == "" {
			p.defectf("text without a charset is read as %s", used)
		} else {
			p.defectf("text labelled %s is read as %s", text.Shorten(clean(label), 40), used)
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

// attach passes a leaf on as an attachment.
func (p *parser) attach(e entity, off, end int64) {
	if end == off && e.filename() == "" && e.disp.value != "attachment" {
		return
	}
	c, size, m := p.measure(p.src, off, end, e.enc)
	if i := off + m.AfterPadding(); i > off && transfer.IsText(p.span(i, end)) {
		p.defect("text below base64 is taken as it is")
		s, _ := charset.Decode(p.bytes(i, min(end, i+maxBelow)), "")
		p.addText(p.tidy(s))
		c, size, _ = p.measure(p.src, off, i, e.enc)
	}
	a := Attachment{
		Filename:    p.safeName(e.filename()),
		ContentType: e.ctype.value,
		Charset:     strings.ToLower(e.ctype.get("charset")),
		Disposition: "attachment",
		ContentID:   contentID(p.dec.header(e.header.get("Content-ID"))),
		Size:        size,
		Content:     c,
	}
	if e.disp.value == "inline" || e.disp.value == "" && a.ContentID != "" && e.parent == "related" {
		a.Disposition = "inline"
	}
	p.msg.Attachments = append(p.msg.Attachments, a)
	if p.book(perAttachment) && isTNEF(e) && p.book(min(size, p.lim.TextBytes)*perTextOctet) {
		p.openTNEF(c)
	}
}

// maxBelow bounds the text below an attachment's base64 that is looked at.
const maxBelow = 16 << 10

// addText adds to the mail's text what stands outside of its texts.
func (p *parser) addText(s string) {
	if strings.TrimSpace(s) != "" {
		p.body = append(p.body, bodyPart{content: s})
	}
}

// attachRaw passes a stretch of the mail on undecoded.
func (p *parser) attachRaw(off, end int64) {
	if end <= off {
		return
	}
	p.msg.Attachments = append(p.msg.Attachments, Attachment{
		ContentType: "application/octet-stream",
		Disposition: "attachment",
		Size:        end - off,
		Content:     &leafContent{src: p.src, off: off, end: end},
	})
}

func contentID(s string) string {
	return strings.Trim(strings.TrimSpace(s), "<>")
}

// safeName takes a path off a file name that would lead out of a folder.
func (p *parser) safeName(name string) string {
	name = strings.TrimSpace(name)
	path := strings.ReplaceAll(name, `\`, "/")
	drive := len(path) > 2 && isLetter(path[0]) && path[1] == ':' && path[2] == '/'
	if drive || strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") {
		p.defect("a path is taken off an attachment's name")
		return path[strings.LastIndexByte(path, '/')+1:]
	}
	return name
}
