package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// quoting is what an element's markup says of the mail that is answered.
type quoting uint8

const (
	ownWords   quoting = iota
	quotesMail         // it is quoted
	quotesRest         // it and all that follows
)

// quoteMarks are what mailers call the element that holds the mail they answer,
// or what introduces it, by class, id or name in lower case.
var quoteMarks = map[string]quoting{
	"gmail_quote": quotesMail, "gmail_attr": quotesMail, "moz-cite-prefix": quotesMail, "moz-forward-container": quotesMail, "moz-email-headers-table": quotesMail,
	"yahoo_quoted": quotesMail, "protonmail_quote": quotesMail, "tutanota_quote": quotesMail, "zmail_extra": quotesMail, "hmailquote": quotesMail, "iosymail": quotesMail,
	"mailru-blockquote": quotesMail, "front-blockquote": quotesMail, "ms-outlook-mobile-reference-message": quotesRest, "mail-editor-reference-message-container": quotesMail,
	"olk_src_body_section": quotesMail, "appleoriginalcontents": quotesMail, "bloop_original_html": quotesMail, "messagereplysection": quotesMail,
	"isreplycontent": quotesMail, "isforwardcontent": quotesMail, "xm_mail_oringinal_describe": quotesMail, "origbody": quotesMail, "quote": quotesMail,
	"composer_quote": quotesMail, "missive_quote": quotesMail, "k9mail_quote": quotesMail, "edo_quote": quotesMail, "qt": quotesMail, "ydp-quoted": quotesMail,
	"divrplyfwdmsg": quotesRest, "x_divrplyfwdmsg": quotesRest, "appendonsend": quotesRest, "outlookmessageheader": quotesRest, "replysplit": quotesRest,
}

// quotingOf reads an element's class, id, name and type.
func (p *Page) quotingOf(n *node) quoting {
	switch n.tag {
	case atom.Div, atom.Blockquote, atom.Span, atom.Table, atom.Section, atom.Font, atom.P, atom.Hr:
	default:
		return ownWords
	}
	for _, a := range p.attrs[n.attr : n.attr+int32(n.attrCount)] {
		v := p.chars[a.off : a.off+a.size]
		switch a.key {
		case attrClass, attrID, attrName:
			for name := range css.Fields(v) {
				if q := quoteMark(name); q != ownWords {
					return q
				}
			}
		case attrType:
			if n.tag == atom.Blockquote && css.Is(css.Trim(v), "cite") {
				return quotesMail
			}
		}
	}
	return ownWords
}

func quoteMark(name []byte) quoting {
	var room [48]byte
	if len(name) > len(room) {
		return ownWords
	}
	name = css.Lower(append(room[:0], name...))
	if bytes.HasPrefix(name, []byte("yahoo_quoted")) || bytes.HasPrefix(name, []byte("ydp")) && bytes.HasSuffix(name, []byte("yahoo_quoted")) || bytes.HasPrefix(name, []byte("zmail_extra")) {
		return quotesMail
	}
	return quoteMarks[string(name)]
}
