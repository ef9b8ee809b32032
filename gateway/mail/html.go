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
