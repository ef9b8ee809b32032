package charset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Order picks the byte order of UTF-16: by its mark, else by where the
// zeros are.
func utf16Order(b []byte) string {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe {
		return "utf-16le"
	}
	if len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff {
		return "utf-16be"
	}
	odd := 0
	for i := 1; i < len(b); i += 2 {
		if b[i] == 0 {
			odd++
		}
		if b[i-1] == 0 {
			odd--
		}
	}
	if odd > 0 {
		return "utf-16le"
	}
	return "utf-16be"
}

// decodeUTF32 decodes UTF-32 in the byte order that makes characters.
func decodeUTF32(b []byte) string {
	var order binary.ByteOrder = binary.BigEndian
	if len(b) >= 4 && binary.BigEndian.Uint32(b) > utf8.MaxRune {
		order = binary.LittleEndian
	}
	var out strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		r := rune(utf8.RuneError)
		if v := order.Uint32(b); v <= utf8.MaxRune {
			r = rune(v)
		}
		out.WriteRune(r)
	}
	return strings.TrimPrefix(out.String(), "\ufeff")
}

// mostlyUTF8 says whether text is UTF-8 but for a few octets.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			bad++
		} else if n > 1 {
			good++
		}
		i += n
	}
	return good >= 4*bad && good > 0
}

// ToUTF8 makes a valid string; what is no UTF-8 becomes U+FFFD.
func ToUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// decodeUTF7 decodes UTF-7 (RFC 2152); what is no UTF-7 stays.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		i := bytes.IndexByte(b, '+')
		if i < 0 {
			break
		}
		out.WriteString(ToUTF8(b[:i]))
		b = b[i+1:]
		n := 0
		for n < len(b) && isDigit64(b[n]) {
			n++
		}
		if n == 0 {
			out.WriteByte('+')
		} else {
			whole := n
			if n%4 == 1 { // a lone digit holds no octet
				whole--
			}
			units := make([]byte, base64.RawStdEncoding.DecodedLen(whole))
			k, _ := base64.RawStdEncoding.Decode(units, b[:whole])
			units = units[:k]
			writeUTF16(&out, units)
		}
		b = b[n:]
		if len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	out.WriteString(ToUTF8(b))
	return out.String()
}

// isDigit64 says whether c is of base64's alphabet.
func isDigit64(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// writeUTF16 decodes big-endian UTF-16; an odd octet at the end is padding.
func writeUTF16(out *strings.Builder, b []byte) {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	for _, r := range utf16.Decode(u) {
		out.WriteRune(r)
	}
}

// iso2022krToEUC turns ISO-2022-KR (RFC 1557) into EUC-KR: shift-out text gets
// its high bits, the designator and the shifts go.
func iso2022krToEUC(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\x1b$)C"), nil)
	out := make([]byte, 0, len(b))
	var high byte
	for _, c := range b {
		switch {
		case c == 0x0e:
			high = 0x80
		case c == 0x0f:
			high = 0
		case c == '\n':
			high = 0
			out = append(out, c)
		case c > ' ':
			out = append(out, c|high)
		default:
			out = append(out, c)
		}
	}
	return out
}
