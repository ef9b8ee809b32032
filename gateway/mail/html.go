package mail

import "postern/gateway/mail/htmltext"

// Markdown is the mail as Markdown: what a reader sees of the HTML, or the text
// where there is none. It is made anew by each call, which costs about what
// html.Parse does: callers ask only where an endpoint wants it.
func (m *Message) Markdown() string {
	if m.HTML == "" {
		return m.Text
	}
	return htmltext.Read(m.HTML).Markdown()
}
