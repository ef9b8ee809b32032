package mail

import (
	"bytes"
	"strings"

	"github.com/inbucket/html2text"
	k3a "github.com/k3a/html2text"
)

// maxRichHTML bounds the HTML that is laid out as text (tables, links), which
// costs several times what stripping the tags does.
const maxRichHTML = 512 << 10

// maxPlainHTML bounds the HTML that text is made of at all.
const maxPlainHTML = 2 << 20

// htmlText makes text of HTML.
func (p *parser) htmlText(html string) string {
	if len(html) <= maxRichHTML {
		if s, err := html2text.FromString(html, html2text.Options{TextOnly: true}); err == nil {
			return toUTF8Lossy([]byte(s))
		}
	}
	if len(html) > maxPlainHTML {
		p.defectf("the text is made of the first %d octets of the HTML", maxPlainHTML)
		html = html[:maxPlainHTML]
	}
	return strings.TrimSpace(toUTF8Lossy([]byte(k3a.HTML2TextWithOptions(html, k3a.WithUnixLineBreaks(), k3a.WithLinksInnerText()))))
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
