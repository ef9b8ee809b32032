package mail

import (
	"io"
	"strings"
	"unicode"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/header"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// attach passes a leaf on as an attachment.
func (p *parser) attach(e entity, off, end int64) {
	if end == off && e.filename() == "" && e.disp.Value != "attachment" {
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
		Params:      e.ctype.List(),
		ContentType: e.ctype.Value,
		Charset:     strings.ToLower(e.ctype.Get("charset")),
		Disposition: "attachment",
		ContentID:   contentID(p.dec.Text(e.header.Get("Content-ID"))),
		Location:    strings.TrimSpace(p.dec.Text(e.header.Get("Content-Location"))),
		Size:        size,
		Content:     c,
	}
	if e.disp.Value == "inline" || e.disp.Value == "" && a.ContentID != "" && e.parent == "related" {
		a.Disposition = "inline"
	}
	if a.Filename == "" && (a.ContentType == "message/rfc822" || a.ContentType == "message/global") {
		a.Filename = p.subjectName(c)
	}
	p.msg.Attachments = append(p.msg.Attachments, a)
	switch p.book(perAttachment); {
	case isTNEF(e) && p.book(min(8*size, p.lim.TextBytes)*perTextOctet):
		p.openTNEF(c)
	case isOpaque(e):
		p.openSigned(c, size)
	}
}

// maxBelow bounds the text below an attachment's base64 that is looked at.
const maxBelow = 16 << 10

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

// subjectHeader bounds how far into a forwarded mail its subject is looked for.
const subjectHeader = 16 << 10

// subjectName is a name for a forwarded mail: its subject's.
func (p *parser) subjectName(c *leafContent) string {
	r, err := c.Open()
	if err != nil {
		p.err = err
		return ""
	}
	defer r.Close()
	b := make([]byte, min(subjectHeader, c.end-c.off))
	n, _ := io.ReadFull(r, b)
	h, _, _ := header.Reader{Max: 200, Room: 16}.Read(b[:n])
	subject := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '-'
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, text.Clip(strings.TrimSpace(p.dec.Text(h.Get("Subject"))), maxSubjectName))
	if subject = strings.Trim(subject, ". "); subject == "" {
		return ""
	}
	return noDevice(subject + ".eml")
}

// maxSubjectName bounds a name that is made of a subject, in octets: file systems
// take 255.
const maxSubjectName = 120
