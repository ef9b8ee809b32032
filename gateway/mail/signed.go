package mail

import (
	"io"
	"strings"

	"postern/gateway/mail/smime"
)

// maxSigned bounds signatures inside of signatures.
const maxSigned = 3

// isOpaque says whether a part may be a mail inside its signature (RFC 8551, 3.5.2).
func isOpaque(e entity) bool {
	switch e.ctype.Value {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
	case "application/octet-stream":
		if !strings.HasSuffix(strings.ToLower(e.filename()), ".p7m") {
			return false
		}
	default:
		return false
	}
	kind := strings.ToLower(e.ctype.Get("smime-type"))
	return kind == "" || kind == "signed-data"
}

// openSigned reads the mail inside a signature, which stays an attachment. It is
// decoded into memory; a very large one is a file alone.
func (p *parser) openSigned(c *leafContent, size int64) {
	if size > p.lim.TextBytes {
		p.defect("a mail inside of its signature is too large to be opened; all of it is in its attachment")
		return
	}
	if p.signed == maxSigned || !p.book(2*size) {
		return
	}
	r, err := c.Open()
	if err != nil {
		p.err = err
		return
	}
	defer r.Close()
	b := make([]byte, size)
	n, _ := io.ReadFull(r, b)
	content, ok := smime.Content(b[:n])
	if !ok {
		return
	}
	p.signed++
	p.within(&octets{mem: content, size: int64(len(content))}, Bytes(content), func() {
		h, body := p.readHeader(0)
		e := p.newEntity(h, "")
		e.body = body
		p.entity(e, 1)
	})
	p.signed--
}
