// Package smime reads the mail inside an opaque S/MIME signature (RFC 8551, 3.5.2):
// the smime.p7m of a mail that is signed and not encrypted.
//
// No signature is checked. Nothing here fails: what can't be read, or is
// encrypted, has no content.
package smime

import "bytes"

// maxDepth bounds how deep values stand in one another; the content's depth is 6.
const maxDepth = 12

// signedData is the object identifier of a signature with its content
// (1.2.840.113549.1.7.2, RFC 5652, 5.1), encoded.
var signedData = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// Tags of the values that are looked at (X.690, 8.1.2).
const (
	tagOctets   = 0x04
	tagOID      = 0x06
	tagSequence = 0x30
	tagContent  = 0xa0 // [0], constructed
	constructed = 0x20
)

// Content returns the octets that are signed, in memory of their own or of b's;
// false for anything but a signature with its content.
func Content(b []byte) ([]byte, bool) {
	info, ok := inside(b, tagSequence) // ContentInfo
	if !ok {
		return nil, false
	}
	kind, ok := next(&info, 0)
	if !ok || kind.tag != tagOID || !bytes.Equal(kind.body, signedData) {
		return nil, false
	}
	signed, ok := inside(info, tagContent, tagSequence) // SignedData
	for range 2 {                                       // its version and its digests
		if ok {
			_, ok = next(&signed, 0)
		}
	}
	if !ok {
		return nil, false
	}
	encap, ok := inside(signed, tagSequence) // EncapsulatedContentInfo
	if ok {
		_, ok = next(&encap, 0) // what it is
	}
	if !ok {
		return nil, false
	}
	content, ok := inside(encap, tagContent)
	if !ok {
		return nil, false
	}
	value, ok := next(&content, 0)
	if !ok || value.tag&^constructed != tagOctets {
		return nil, false
	}
	return value.octets(nil, 0)
}

// inside is the content of the first value of b, which has the first tag, and so
// on for further tags.
func inside(b []byte, tags ...byte) ([]byte, bool) {
	for _, tag := range tags {
		v, ok := next(&b, 0)
		if !ok || v.tag != tag {
			return nil, false
		}
		b = v.body
	}
	return b, true
}

// value is one value of BER.
type value struct {
	tag  byte
	body []byte
}

// next takes the value at the start of b from it. Mailers write both forms of
// length, so that it is known only at a value's end where that ends.
func next(b *[]byte, depth int) (value, bool) {
	s := *b
	if len(s) < 2 || s[0]&0x1f == 0x1f || depth > maxDepth {
		return value{}, false
	}
	v := value{tag: s[0]}
	n, s := int(s[1]), s[2:]
	switch {
	case n == 0x80:
		return endless(v, s, b, depth)
	case n > 0x84 || n > 0x80 && len(s) < n-0x80:
		return value{}, false
	case n > 0x80:
		octets := s[:n-0x80]
		s, n = s[len(octets):], 0
		for _, c := range octets {
			n = n<<8 | int(c)
		}
	}
	if n < 0 || n > len(s) { // an int of 32 bits holds no length of four octets
		return value{}, false
	}
	v.body, *b = s[:n], s[n:]
	return v, true
}

// endless reads a value whose end is marked by two zeros.
func endless(v value, s []byte, b *[]byte, depth int) (value, bool) {
	if v.tag&constructed == 0 {
		return value{}, false
	}
	for rest := s; ; {
		if bytes.HasPrefix(rest, []byte{0, 0}) {
			v.body, *b = s[:len(s)-len(rest)], rest[2:]
			return v, true
		}
		if _, ok := next(&rest, depth+1); !ok {
			return value{}, false
		}
	}
}

// octets appends an octet string that may come in pieces.
func (v value) octets(dst []byte, depth int) ([]byte, bool) {
	if v.tag&constructed == 0 {
		if dst == nil {
			return v.body, true
		}
		return append(dst, v.body...), true
	}
	if dst == nil {
		dst = make([]byte, 0, len(v.body))
	}
	for rest := v.body; len(rest) > 0; {
		piece, ok := next(&rest, depth)
		if !ok || piece.tag&^constructed != tagOctets || depth > maxDepth {
			return nil, false
		}
		if dst, ok = piece.octets(dst, depth+1); !ok {
			return nil, false
		}
	}
	return dst, true
}
