package mail

import (
	"slices"
	"strings"

	"postern/gateway/mail/transfer"
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
//  2. Only text/plain and text/html can be the mail's text, and any text/* that
//     is the whole mail; calendars, signatures, reports, forwarded mails, images
//     and all else are attachments.
//  3. A text with a file name is an attachment, unless it is the first leaf: then
//     the mailer named the text itself, or another text follows and it is a file.
//  4. A text without an alternative belongs to both the mail's text and its HTML
//     (RFC 8621 4.1.4).
func (p *parser) placeOf(e entity) place {
	to := asAttachment
	switch e.ctype.Value {
	case "text/plain", "text/x-plain", "plain/text":
		to = asText
	case "text/html", "text/xhtml", "application/xhtml+xml":
		to = asHTML
	case "text/calendar":
	default:
		whole := e.parent == "" && e.filename() == "" && strings.HasPrefix(e.ctype.Value, "text/")
		if whole || strings.HasPrefix(e.ctype.Value, "multipart/") {
			to = asText // a multipart without boundaries: its text is all there is
		}
	}
	switch {
	case e.disp.Value == "attachment":
		return asAttachment
	case e.filename() != "" && (p.started() || e.disp.Value != "" && e.disp.Value != "inline"):
		return asAttachment
	case e.enc == transfer.UU:
		return asAttachment
	}
	return to
}

// started says whether a leaf with content was seen.
func (p *parser) started() bool { return len(p.body)+len(p.msg.Attachments) > 0 }

// addText adds to the mail's text what stands outside of its texts.
func (p *parser) addText(s string) {
	if strings.TrimSpace(s) != "" {
		p.body = append(p.body, bodyPart{content: s})
	}
}

// namedFiles makes a file of a named text that came first, where a text without
// a name follows.
func (p *parser) namedFiles() {
	if len(p.body) < 2 || p.body[0].asFile == nil || !slices.ContainsFunc(p.body, func(b bodyPart) bool { return b.asFile == nil }) {
		return
	}
	before := len(p.msg.Attachments)
	p.body[0].asFile()
	if len(p.msg.Attachments) > before {
		last := p.msg.Attachments[before]
		p.msg.Attachments = slices.Insert(p.msg.Attachments[:before], p.body[0].at, last)
	}
	p.body = p.body[1:]
}
