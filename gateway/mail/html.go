package mail

import (
	"bytes"

	"postern/gateway/mail/htmltext"
)

// textOf makes text of HTML: what a reader sees of it.
func (p *parser) textOf(html string) string {
	page := htmltext.Read(html)
	if page.Cut > 0 {
		p.defectf("the text is made of the first %d octets of the HTML", page.Cut)
	}
	return page.Text()
}

// metaSize is how far into a page its <meta charset> is looked for.
const metaSize = 4096

// metaCharset returns the charset that a page declares, "" without.
func metaCharset(b []byte) string {
	b = bytes.ToLower(b[:min(len(b), metaSize)])
	for {
		i := bytes.Index(b, []byte("<meta"))
		if i < 0 {
			return ""
		}
		tag, rest, ok := bytes.Cut(b[i:], []byte(">"))
		if !ok {
			return ""
		}
		if _, v, ok := bytes.Cut(tag, []byte("charset=")); ok {
			v = bytes.TrimLeft(v, "\"' ")
			if j := bytes.IndexAny(v, "\"' ;/"); j >= 0 {
				v = v[:j]
			}
			return string(v)
		}
		b = rest
	}
}
