package charset

import (
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// common are the labels that the frameworks of our receivers know (Python's
// codecs, Ruby's encodings, iconv): what isn't here stops some of them.
var common = func() map[string]bool {
	known := map[string]bool{}
	for _, l := range strings.Fields(`utf-8 utf8 utf-7 utf-16 utf-16le utf-16be utf-32 us-ascii ascii
		iso-8859-1 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-9
		iso-8859-10 iso-8859-11 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16
		windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258
		cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
		koi8-r koi8-u ibm866 cp866 cp874 tis-620 maccyrillic shift_jis cp932 euc-jp iso-2022-jp iso-2022-kr euc-kr cp949
		gb2312 gbk gb18030 big5 big5-hkscs`) {
		known[l] = true
	}
	return known
}()

// Common is the name by which every framework knows the charset of a label, for
// messages that others will decode. A label that they know stays as it is; one
// that nobody knows becomes utf-8, by which they show what they can.
func Common(label string) string {
	if common[strings.ToLower(label)] {
		return label
	}
	name := Normalize(label)
	if e := encodingOf(name); !common[name] && e != nil {
		name, _ = htmlindex.Name(e)
	}
	switch {
	case name == "shift_jis": // with the characters that Windows adds
		return "cp932"
	case name == "windows-874":
		return "cp874"
	case name == "x-mac-cyrillic":
		return "maccyrillic"
	case common[name]:
		return name
	}
	return "utf-8"
}
