package transfer

import "strings"

// Encoding is a content transfer encoding (RFC 2045 6) that can be undone.
type Encoding uint8

const (
	Identity Encoding = iota // 7bit, 8bit, binary, and what nobody knows
	Base64
	QuotedPrintable
	UU
)

// Parse reads the value of a Content-Transfer-Encoding, unfolded and without
// comments; false when nobody knows it.
func Parse(s string) (Encoding, bool) {
	switch s { // as nearly all mail has it
	case "base64":
		return Base64, true
	case "quoted-printable":
		return QuotedPrintable, true
	case "7bit", "8bit":
		return Identity, true
	}
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.Trim(s, "\"'<> \t.,"))
	s = strings.TrimPrefix(s, "x-")
	switch strings.NewReplacer("-", "", "_", "", " ", "", ":", "", ".", "").Replace(s) {
	case "base64", "b64", "base64encoded", "mimebase64":
		return Base64, true
	case "quotedprintable", "qp", "quotedprintible", "quoteprintable", "quotedprint", "quotedprintablecharsetutf8":
		return QuotedPrintable, true
	case "uuencode", "uue", "uu", "UU":
		return UU, true
	case "7bit", "8bit", "binary", "", "7bits", "8bits", "none", "Identity", "7", "8", "plain":
		return Identity, true
	}
	return Identity, false
}

// Decoder undoes a transfer encoding piece by piece.
type Decoder interface {
	// Decode appends the decoded octets of the next piece of a body to dst; last
	// says that nothing follows.
	Decode(dst, src []byte, last bool) []byte
	// Clone is the decoder as it stands, to go on from here once more.
	Clone() Decoder
}

// Decoder starts decoding a body.
func (e Encoding) Decoder() Decoder {
	switch e {
	case Base64:
		return new(base64Decoder)
	case QuotedPrintable:
		return new(quotedDecoder)
	case UU:
		return new(uuDecoder)
	}
	return plainDecoder{}
}

// plainDecoder has nothing to undo.
type plainDecoder struct{}

func (plainDecoder) Decode(dst, src []byte, _ bool) []byte { return append(dst, src...) }

func (d plainDecoder) Clone() Decoder { return d }

// DecodeAll decodes a body that is in memory.
func (e Encoding) DecodeAll(b []byte) []byte {
	switch e {
	case Identity:
		return b
	case Base64:
		return DecodeBase64(b)
	}
	return e.Decoder().Decode(make([]byte, 0, len(b)), b, true)
}

// Unhex returns the value of a hexadecimal digit, -1 for anything else.
func Unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
