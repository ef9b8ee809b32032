package mail

import (
	"bufio"
	"slices"
	"strings"

	"postern/gateway/mail/header"
	"postern/gateway/mail/tnef"
)

// isTNEF says whether a part is a winmail.dat.
func isTNEF(e entity) bool {
	switch e.ctype.Value {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return true
	}
	return strings.EqualFold(e.filename(), "winmail.dat")
}

// openTNEF adds the body and the attachments of a winmail.dat to the message.
func (p *parser) openTNEF(c *leafContent) {
	in := &container{leafContent: c}
	r, err := in.scan()
	if err != nil {
		p.err = err
		return
	}
	defer r.Close()
	t, ok := tnef.Read(bufio.NewReaderSize(r, in.piece()), p.lim.TextBytes)
	if !ok {
		p.defect("a winmail.dat could not be read to its end")
	}
	p.alternative(false, t.Text)
	p.alternative(true, t.HTML)
	for _, f := range t.Attachments {
		if p.parts++; p.parts > p.lim.Parts {
			p.defectf("more than %d parts; the rest is in winmail.dat only", p.lim.Parts)
			return
		}
		a := Attachment{Filename: p.safeName(p.dec.Clean(f.Name)), ContentType: strings.ToLower(header.Clean(f.Type)), Disposition: "attachment", ContentID: contentID(header.Clean(f.ContentID)),
			Size: f.Size, Content: &partContent{in: in, off: f.Offset, size: f.Size}}
		if a.ContentType == "" {
			a.ContentType = "application/octet-stream"
		}
		p.msg.Attachments = append(p.msg.Attachments, a)
	}
}

// alternative adds a body of a kind that the mail lacks: it is the same mail as
// what is there.
func (p *parser) alternative(html bool, content string) {
	if content == "" || slices.ContainsFunc(p.body, func(b bodyPart) bool { return b.html == html }) {
		return
	}
	if p.choices == 0 {
		p.choices = 1
	}
	for i := range p.body {
		p.body[i].choice = max(p.body[i].choice, 1)
	}
	p.body = append(p.body, bodyPart{html: html, choice: 1, content: p.tidy(content)})
}
