package mail

import "strings"

// transfer is a content transfer encoding (RFC 2045 6) that can be undone.
type transfer uint8

const (
	identity transfer = iota // 7bit, 8bit, binary, and what nobody knows
	base64Encoded
	quotedPrintable
	uuencoded
)

// parseTransfer reads a Content-Transfer-Encoding as sent; false when nobody
// knows it.
func (d *decoder) parseTransfer(raw []byte) (transfer, bool) {
	raw = unfold(raw)
	switch string(raw) { // as nearly all mail has it
	case "base64":
		return base64Encoded, true
	case "quoted-printable":
		return quotedPrintable, true
	case "7bit", "8bit":
		return identity, true
	}
	s := string(stripComments(raw))
	if strings.Contains(s, "=?") {
		s = d.header([]byte(s))
	}
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.Trim(s, "\"'<> \t.,"))
	s = strings.TrimPrefix(s, "x-")
	switch bareWord(s) {
	case "base64", "b64", "base64encoded", "mimebase64":
		return base64Encoded, true
	case "quotedprintable", "qp", "quotedprintible", "quoteprintable", "quotedprint", "quotedprintablecharsetutf8":
		return quotedPrintable, true
	case "uuencode", "uue", "uu", "uuencoded":
		return uuencoded, true
	case "7bit", "8bit", "binary", "", "7bits", "8bits", "none", "identity", "7", "8", "plain":
		return identity, true
	}
	return identity, false
}

// transferDecoder undoes a transfer encoding piece by piece.
type transferDecoder interface {
	// decode appends the decoded octets of the next piece of a body to dst; last
	// says that nothing follows.
	decode(dst, src []byte, last bool) []byte
	// clone is the decoder as it stands, to go on from here once more.
	clone() transferDecoder
}

// decoder starts decoding a body.
func (t transfer) decoder() transferDecoder {
	switch t {
	case base64Encoded:
		return new(base64Decoder)
	case quotedPrintable:
		return new(quotedDecoder)
	case uuencoded:
		return new(uuDecoder)
	}
	return plainDecoder{}
}

// plainDecoder has nothing to undo.
type plainDecoder struct{}

func (plainDecoder) decode(dst, src []byte, _ bool) []byte { return append(dst, src...) }

func (d plainDecoder) clone() transferDecoder { return d }

// decodeAll decodes a body that is in memory.
func (t transfer) decodeAll(b []byte) []byte {
	switch t {
	case identity:
		return b
	case base64Encoded:
		return decodeBase64(b)
	}
	return t.decoder().decode(make([]byte, 0, len(b)), b, true)
}
