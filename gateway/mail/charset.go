package mail

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// alias maps the labels that mailers made up to those that the charset
// registry knows; "" for those that say nothing. Labels come bare.
func alias(label string) string {
	switch label {
	case "utf8", "utf", "unicode", "utf8mb4", "utf08", "unicode11utf8", "cp65001", "65001":
		return "utf-8"
	case "utf7", "unicode11utf7", "unicode20utf7":
		return "utf-7"
	case "ansi", "latin1", "iso88591", "88591", "iso8859", "isolatin1", "l1", "cp819", "ibm819",
		"windows1252", "win1252", "cp1252", "ansi1252", "1252", "ansix31101983", "cp28591", "iso646us":
		return "windows-1252" // latin1 too: C1 controls are never meant
	case "koi8", "koi", "koi8r", "koi8ru", "cskoi8r", "koi8rus", "cp20866":
		return "koi8-r"
	case "koi8u", "cp21866":
		return "koi8-u"
	case "866", "cp866", "ibm866", "dos866", "dos", "csibm866", "oem866", "alt", "cp866u":
		return "ibm866"
	case "rus", "russian":
		return "windows-1251"
	case "cyrillic", "isoir144", "iso885951988":
		return "iso-8859-5"
	case "maccyrillic", "maccyrilic", "macukrainian", "cp10007":
		return "x-mac-cyrillic"
	case "cp932", "ms932", "windows31j", "sjis", "shiftjis", "mskanji", "windows932", "win932", "shiftjisx0213":
		return "shift_jis"
	case "cp936", "ms936", "windows936", "gbk", "gb", "gb2312", "gb231280", "cngb", "euccn", "gb23121980", "chinesegb", "hzgb", "cp54936", "gb18030":
		return "gb18030"
	case "cp949", "ms949", "uhc", "windows949", "ksc56011987", "ksc5601", "ksc56011989", "korean", "euckr", "ksc5861", "ksx1001":
		return "euc-kr"
	case "iso2022kr", "csiso2022kr":
		return "iso-2022-kr"
	case "cp950", "ms950", "big5", "cnbig5", "big5hkscs", "windows950", "big5et":
		return "big5"
	case "iso2022jp", "iso2022jp1", "iso2022jp2", "iso2022jp3", "iso2022jpms", "cp50220", "cp50221", "jis", "jis7":
		return "iso-2022-jp"
	case "eucjp", "ujis", "eucjpms", "cp51932":
		return "euc-jp"
	case "tis620", "cp874", "iso885911", "windows874", "thai", "tis6202533":
		return "windows-874"
	case "iso88598i", "iso88598e", "iso88598", "hebrew", "visual", "logical":
		return "iso-8859-8"
	case "utf16", "ucs2", "iso10646ucs2", "unicodefffe":
		return "utf-16"
	case "utf16le", "ucs2le":
		return "utf-16le"
	case "utf16be", "ucs2be":
		return "utf-16be"
	case "utf32", "ucs4", "iso10646ucs4", "utf32le", "utf32be":
		return "utf-32"
	case "iso88599", "latin5":
		return "windows-1254"
	case "usascii", "ascii", "7bit", "8bit", "binary", "unknown", "unknown8bit", "default", "none", "null",
		"usasci", "ansix341968", "us", "iso646", "default_charset", "defaultcharset", "unspecified", "auto",
		"charset", "xunknown", "userdefined", "plain", "base64", "quotedprintable", "en", "englishus", "usascii7bit":
		return ""
	}
	return label
}

// normalizeLabel turns a charset label as sent into one that the registry
// knows, "" for a label that says nothing.
func normalizeLabel(label string) string {
	switch label { // as nearly all mail has it
	case "utf-8", "UTF-8":
		return "utf-8"
	case "us-ascii", "US-ASCII", "":
		return ""
	case "iso-8859-1", "ISO-8859-1":
		return "windows-1252"
	}
	l := strings.ToLower(strings.Trim(label, "\"'` \t\r\n;,=<>"))
	l = strings.TrimPrefix(l, "charset=")
	if i := strings.IndexAny(l, " \t;*"); i > 0 {
		l = l[:i]
	}
	bare := bareWord(strings.TrimPrefix(l, "x-"))
	if a := alias(bare); a != bare {
		return a
	}
	for _, prefix := range []string{"windows", "win", "cp", "ansi", "mscp", "cswindows", "microsoftcp", "xcp", "ms"} {
		if n, ok := strings.CutPrefix(bare, prefix); ok && len(n) == 4 && strings.HasPrefix(n, "125") {
			return "windows-" + n
		}
	}
	if len(bare) == 4 && strings.HasPrefix(bare, "125") {
		return "windows-" + bare
	}
	for _, prefix := range []string{"iso8859", "8859", "isoir8859"} {
		if n, ok := strings.CutPrefix(bare, prefix); ok && n != "" && len(n) <= 2 {
			return "iso-8859-" + n
		}
	}
	if strings.HasPrefix(bare, "utf8") {
		return "utf-8"
	}
	return l
}

// bareWord drops what spellings of one word differ in.
func bareWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == ':' || r == '.' {
			return -1
		}
		return r
	}, s)
}

// decodeCharset turns octets into UTF-8 by a charset label as sent. What is
// valid UTF-8 and more than ASCII is taken as that whatever single-byte
// charset the label names, and a label that can't be true makes room for a
// sniff. The second result names the charset that was used where it isn't the
// one labelled, "" else. The string may hold U+FFFD, never an invalid octet.
func decodeCharset(b []byte, label string) (string, string) {
	l := normalizeLabel(label)
	if l == "" && !bytes.Contains(b, []byte("\x1b$")) || l == "utf-8" || l == "windows-1252" {
		if utf8.Valid(b) {
			return string(b), ""
		}
	}
	switch {
	case l == "":
		s := sniff(b)
		return mustDecode(b, s), s
	case l == "utf-8":
		if s := brokenUTF8(b); s != "" {
			return s, ""
		}
		s := sniff(b)
		return mustDecode(b, s), s
	case l == "windows-1252":
		if s := sniff(b); s == "windows-1251" || s == "koi8-r" {
			return mustDecode(b, s), s
		}
	case certainlyUTF8(b):
		return string(b), "utf-8"
	default:
		if s := cyrillicText.correct(sample(b), l); s != "" {
			return mustDecode(b, s), s
		}
	}
	if s, ok := convert(b, l); ok {
		return s, ""
	}
	if utf8.Valid(b) {
		return string(b), "utf-8"
	}
	s := sniff(b)
	return mustDecode(b, s), s
}

// certainlyUTF8 says whether octets are UTF-8 whatever their label says: text in
// another charset may be valid UTF-8 when it is short, but hardly with
// characters of three octets.
func certainlyUTF8(b []byte) bool {
	two, three := 0, 0
	for _, c := range b[:min(len(b), sampleSize)] {
		switch {
		case c >= 0xe0:
			three++
		case c >= 0xc0:
			two++
		}
	}
	return (three > 0 || two >= 8) && two+three >= 3 && utf8.Valid(b)
}

// mustDecode decodes by a charset that the sniffer named.
func mustDecode(b []byte, label string) string {
	if s, ok := convert(b, label); ok {
		return s
	}
	return toUTF8Lossy(b)
}

// convert decodes by a normalised label, false when nobody knows it.
func convert(b []byte, label string) (string, bool) {
	switch label {
	case "utf-8":
		return toUTF8Lossy(b), true
	case "utf-7":
		return decodeUTF7(b), true
	case "iso-2022-kr":
		b, label = iso2022krToEUC(b), "euc-kr"
	case "utf-16":
		label = utf16Order(b)
	case "utf-32":
		return decodeUTF32(b), true
	}
	e := encodingOf(label)
	if e == nil {
		return "", false
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return "", false
	}
	return toUTF8Lossy(out), true
}

// encodingOf finds a charset by any of its registered names (IANA, WHATWG), nil
// for one that nobody knows.
func encodingOf(label string) encoding.Encoding {
	for _, name := range [...]string{label, "cs" + label} {
		if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
			return e
		}
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	return e
}

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

// brokenUTF8 repairs text that is UTF-8 but for a few octets, which are read as
// windows-1252; "" when it is no UTF-8 at all.
func brokenUTF8(b []byte) string {
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
	if good < 4*bad || good == 0 {
		return ""
	}
	return toUTF8Lossy(b)
}

// toUTF8Lossy makes a valid string; what is no UTF-8 becomes U+FFFD.
func toUTF8Lossy(b []byte) string {
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
		out.WriteString(toUTF8Lossy(b[:i]))
		b = b[i+1:]
		n := 0
		for n < len(b) && base64Value[b[n]] < 64 && b[n] != '-' && b[n] != '_' {
			n++
		}
		if n == 0 {
			out.WriteByte('+')
		} else {
			writeUTF16(&out, decodeBase64(b[:n]))
		}
		b = b[n:]
		if len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	out.WriteString(toUTF8Lossy(b))
	return out.String()
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
