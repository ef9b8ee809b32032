package charset

import "strings"

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
	case "koi8", "koi", "koi8r", "cskoi8r", "koi8rus", "cp20866":
		return "koi8-r"
	case "koi8u", "koi8ru", "cp21866": // the letters of KOI8-RU are KOI8-U's
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

// Normalize turns a charset label as sent into one that the registry
// knows, "" for a label that says nothing.
func Normalize(label string) string {
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
