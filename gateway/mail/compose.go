package mail

import (
	"html"
	"slices"
	"strings"

	"postern/gateway/mail/htmltext"
	"postern/gateway/mail/replytext"
)

// bodyPart is one of the texts that make the message's body.
type bodyPart struct {
	html    bool
	choice  int // the alternatives that it is one of, 0 for none
	content string
	asFile  func() // it has a name: makes it an attachment,
	at      int    // before the one of this index
}

// compose makes the message's text and HTML of what the walk collected. Of
// alternatives each takes its own; a part without one belongs to both (RFC 8621
// section 4.1.4): a list's footer below an HTML mail, a disclaimer in HTML below
// a plain one.
func (p *parser) compose() {
	p.namedFiles()
	both := p.bothKinds()
	anyHTML := slices.ContainsFunc(p.body, func(b bodyPart) bool { return b.html })
	var c composing
	read := false
	for _, b := range p.body {
		alone := b.choice == 0 || !both[b.choice]
		switch {
		case !b.html && anyHTML && alone:
			c.text(b.content)
			if strings.TrimSpace(b.content) != "" && p.book(int64(len(b.content))*perTextOctet) {
				c.html(plainAsHTML(b.content))
			}
		case !b.html:
			c.text(b.content)
		default:
			c.html(b.content)
			if alone && p.book(int64(len(b.content))*perReadHTML) {
				read = true
				c.rendered(p.read(b.content))
			}
		}
	}
	m := p.msg
	m.Text, m.HTML, m.quoted = strings.Join(c.plain, "\n"), strings.Join(c.markup, "\n"), c.quoted
	m.alternatives = slices.Contains(both, true)
	m.Reply = m.split()
	if !read && m.HTML != "" && (p.lim.ReadsHTML || m.Reply.Quoted != "") { // it will be, for Markdown, Signals, ReplyHTML
		p.book(int64(len(m.HTML)) * perReadHTML)
	}
}

// bothKinds says which alternatives have words in both kinds.
func (p *parser) bothKinds() []bool {
	text, both := make([]bool, p.choices+1), make([]bool, p.choices+1)
	for _, html := range []bool{false, true} {
		for _, b := range p.body {
			switch {
			case b.choice == 0 || b.html != html || strings.TrimSpace(b.content) == "":
			case !html:
				text[b.choice] = true
			default:
				both[b.choice] = text[b.choice]
			}
		}
	}
	return both
}

// read makes text of HTML: what a reader sees of it.
func (p *parser) read(html string) (string, []htmltext.Span) {
	page := htmltext.Read(html)
	if page.Cut > 0 {
		p.defectf("the text is made of the first %d octets of the HTML", page.Cut)
	}
	r, quoted := page.Reply()
	return r.Text, quoted
}

// composing collects the parts; one alone isn't copied.
type composing struct {
	plain, markup []string
	size          int // of the text so far, with its line ends
	quoted        []replytext.Span
}

func (c *composing) text(s string) {
	c.plain = append(c.plain, s)
	c.size += len(s) + 1
}

func (c *composing) html(s string) { c.markup = append(c.markup, s) }

// rendered adds the text of an HTML part, and what its markup quotes.
func (c *composing) rendered(s string, quoted []htmltext.Span) {
	if len(c.plain) == 1 && strings.TrimSpace(c.plain[0]) == "" {
		c.plain, c.size = nil, 0
	}
	for _, q := range quoted {
		c.quoted = append(c.quoted, replytext.Span{Start: c.size + q.Start, End: c.size + q.End})
	}
	c.text(s)
}

// plainAsHTML is a plain text among HTML.
func plainAsHTML(s string) string {
	return `<div style="white-space:pre-wrap">` + html.EscapeString(s) + `</div>`
}

// split takes the text apart as the endpoint's marker and the markup say.
func (m *Message) split() Reply {
	return replytext.Split(m.Text, replytext.Options{Marker: m.marker, Quoted: m.quoted})
}

// WithMarker is the message for an application that puts a line with the marker
// above what it writes: Reply has what stands above it.
func (m *Message) WithMarker(marker string) *Message {
	if marker == "" {
		return m
	}
	marked := *m
	marked.marker = marker
	if strings.Contains(m.Text, marker) {
		marked.Reply = marked.split()
	}
	return &marked
}

// ReplyHTML is the HTML of what the author wrote now, "" where Reply quotes
// nothing or the HTML has no element for it. It reads the HTML: callers ask only
// where somebody wants it.
func (m *Message) ReplyHTML() string {
	if m.HTML == "" || m.Reply.Quoted == "" {
		return ""
	}
	page, quoted := htmltext.ReadReply(m.HTML).Reply()
	o := replytext.Options{Marker: m.marker}
	for _, q := range quoted {
		o.Quoted = append(o.Quoted, replytext.Span(q))
	}
	_, others := replytext.Parts(page.Text, o)
	spans := make([]htmltext.Span, len(others))
	for i, s := range others {
		spans[i] = htmltext.Span(s)
	}
	return page.Without(spans)
}
