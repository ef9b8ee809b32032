package mail

import "postern/gateway/mail/htmltext"

// textOf makes text of HTML: what a reader sees of it.
func (p *parser) textOf(html string) string {
	page := htmltext.Read(html)
	if page.Cut > 0 {
		p.defectf("the text is made of the first %d octets of the HTML", page.Cut)
	}
	return page.Text()
}

// Markdown is the mail as Markdown: what a reader sees of the HTML, or the text
// where there is none. It is made anew by each call, which costs about what
// html.Parse does: callers ask only where an endpoint wants it.
func (m *Message) Markdown() string {
	if m.HTML == "" {
		return m.Text
	}
	return htmltext.Read(m.HTML).Markdown()
}
