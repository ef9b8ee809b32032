package mail

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

func encode(t testing.TB, e encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatalf("encode %q: %v", s, err)
	}
	return b
}

func TestNormalizeLabel(t *testing.T) {
	tests := map[string]string{
		"UTF-8": "utf-8", "utf8": "utf-8", "'utf-8'": "utf-8", `"UTF8"`: "utf-8", "utf-8;": "utf-8", "utf_8": "utf-8", "charset=utf-8": "utf-8",
		"windows-1251": "windows-1251", "cp1251": "windows-1251", "CP-1251": "windows-1251", "win-1251": "windows-1251", "windows1251": "windows-1251",
		"ansi-1251": "windows-1251", "x-cp1251": "windows-1251", "1251": "windows-1251", "cp1250": "windows-1250",
		"koi8": "koi8-r", "KOI8-R": "koi8-r", "koi8_r": "koi8-r", "koi8-u": "koi8-u", "cp-866": "ibm866", "dos-866": "ibm866", "IBM866": "ibm866",
		"latin1": "windows-1252", "iso-8859-1": "windows-1252", "ISO8859-1": "windows-1252", "iso_8859-5": "iso-8859-5", "iso8859_15": "iso-8859-15",
		"cp932": "shift_jis", "x-sjis": "shift_jis", "ks_c_5601-1987": "euc-kr", "gb2312": "gb18030", "x-gbk": "gb18030", "big5-hkscs": "big5",
		"us-ascii": "", "ANSI_X3.4-1968": "", "unknown-8bit": "", "8bit": "", "": "", "default": "",
		"utf-7": "utf-7", "unicode-1-1-utf-7": "utf-7", "iso-2022-kr": "iso-2022-kr", "utf-16le": "utf-16le", "x-mac-cyrillic": "x-mac-cyrillic",
	}
	for in, want := range tests {
		if got := normalizeLabel(in); got != want {
			t.Errorf("normalizeLabel(%q) = %q, want %q", in, got, want)
		}
		if want != "" {
			if _, ok := convert([]byte("x"), want); !ok {
				t.Errorf("nobody knows %q", want)
			}
		}
	}
}

func TestDecodeCharset(t *testing.T) {
	const russian = "Добрый день, высылаю счёт"
	tests := []struct {
		name, label string
		in          []byte
		want        string
	}{
		{"as labelled", "windows-1251", encode(t, charmap.Windows1251, russian), russian},
		{"alias", "win-1251", encode(t, charmap.Windows1251, russian), russian},
		{"labelled utf-8, is koi8-r", "utf-8", encode(t, charmap.KOI8R, russian), russian},
		{"labelled us-ascii, is utf-8", "us-ascii", []byte(russian), russian},
		{"labelled latin1, is utf-8", "iso-8859-1", []byte(russian), russian},
		{"labelled latin1, is windows-1251", "iso-8859-1", encode(t, charmap.Windows1251, russian), russian},
		{"latin1 quotes", "iso-8859-1", []byte("\x93caf\xe9\x94 \x80"), "“café” €"},
		{"mostly utf-8", "utf-8", []byte("Grüße aus Köln, schöne Tage, über\xfcber"), "Grüße aus Köln, schöne Tage, über\ufffdber"},
		{"unknown label", "x-nobody", encode(t, charmap.Windows1251, russian), russian},
		{"utf-16 with a mark", "utf-16", encode(t, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "héllo"), "héllo"},
		{"utf-16 without", "utf-16", encode(t, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "hello"), "hello"},
		{"utf-7", "utf-7", []byte("+BB8EQAQ4BDIENQRC-, a+-b"), "Привет, a+b"},
		{"iso-2022-kr", "iso-2022-kr", []byte("\x1b$)C\x0eGQ19>n\x0f ok"), "한국어 ok"},
		{"iso-2022-jp without a label", "", encode(t, japanese.ISO2022JP, "日本語"), "日本語"},
	}
	for _, tt := range tests {
		if got, _ := decodeCharset(tt.in, tt.label); strings.TrimPrefix(got, "\ufeff") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSniff(t *testing.T) {
	short := []string{"Привет", "Заявка", "Счёт на оплату", "Re: договор", "Срочно! Нужна помощь", "ООО «Ромашка»", "Встреча завтра в 15:00", "ПРИВЕТ", "СРОЧНО ОПЛАТИТЬ",
		"Коммерческое предложение", "Здравствуйте, Иван Петрович", "Отчёт за март 2024", "Поздравляем с днём рождения!", "Акт сверки", "Fwd: Фото с дачи", "Вопрос по заказу №123"}
	for name, cm := range map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R, "ibm866": charmap.CodePage866} {
		for _, s := range short {
			b, err := cm.NewEncoder().Bytes([]byte(s))
			if err != nil {
				continue // no such character there
			}
			if got := sniff(b); got != name {
				d, _ := convert(b, got)
				t.Errorf("%q in %s is taken for %s: %q", s, name, got, d)
			}
		}
	}
	others := []struct {
		want string
		enc  encoding.Encoding
		text string
	}{
		{"windows-1252", charmap.Windows1252, "Überweisung bestätigt"},
		{"windows-1252", charmap.Windows1252, "Größe: fünf Äpfel, süß und günstig für Sie"},
		{"windows-1252", charmap.Windows1252, "à la carte"},
		{"windows-1252", charmap.Windows1252, "déjà vu, où êtes-vous, naïve façon"},
		{"windows-1252", charmap.Windows1252, "El niño comió mañana ¿no?"},
		{"windows-1252", charmap.Windows1252, "smörgåsbord på vår ö"},
		{"windows-1252", charmap.Windows1252, "50 € – “quoted” ‘text’…"},
		{"windows-1252", charmap.Windows1252, "São Paulo, informações não disponíveis"},
		{"shift_jis", japanese.ShiftJIS, "日本語の件名テスト"},
		{"shift_jis", japanese.ShiftJIS, "お問い合わせありがとうございます"},
		{"euc-jp", japanese.EUCJP, "お問い合わせありがとうございます"},
		{"gb18030", simplifiedchinese.GBK, "中文主题测试邮件"},
		{"gb18030", simplifiedchinese.GBK, "您好，这是一封测试邮件，请查收附件。谢谢！"},
		{"big5", traditionalchinese.Big5, "您好，這是一封測試郵件，請查收附件。謝謝！"},
		{"euc-kr", korean.EUCKR, "안녕하세요 테스트 메일입니다"},
		{"utf-8", unicode.UTF8, "Grüße"},
		{"utf-16", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "hello"},
	}
	for _, tt := range others {
		b := encode(t, tt.enc, tt.text)
		if got := sniff(b); got != tt.want {
			d, _ := convert(b, got)
			t.Errorf("%q in %s is taken for %s: %q", tt.text, tt.want, got, d)
		}
	}
}

func FuzzDecodeCharset(f *testing.F) {
	f.Add([]byte("\xd0\xd2\xc9\xd7\xc5\xd4"), "koi8-r")
	f.Add([]byte("+BB8EQA-"), "utf-7")
	f.Add([]byte("\x1b$)C\x0eGQ"), "iso-2022-kr")
	f.Add([]byte("\xff\xfea\x00"), "utf-16")
	f.Add([]byte("\x82\xa0\x82"), "cp932")
	f.Add([]byte("abc"), "\"=?*")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		for _, l := range []string{label, "", "utf-8", "iso-8859-1"} {
			if s, _ := decodeCharset(b, l); !utf8.ValidString(s) {
				t.Errorf("%q as %q is no UTF-8: %q", b, l, s)
			}
		}
	})
}

func TestDecodeHeader(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"=?utf-8?Q?caf=C3=A9?=", "café"},
		{"=?UTF-8?q?a_b?= c", "a b c"},
		{"=?utf-8?B?0J/RgNC4?= =?utf-8?B?0LLQtdGC?=", "Привет"},
		{"=?utf-8?B?0J/RgNC40?=\r\n =?utf-8?B?LLQtdGC?=", "Привет"}, // base64 split inside a group
		{"=?utf-8?Q?=D0?= =?utf-8?Q?=9F?=", "П"},                    // a character split
		{"=?koi8-r?Q?=F0?= =?utf-8?Q?=D1=80?=", "Пр"},
		{"=?utf-8*ru?B?0J8?=", "П"},
		{"=?utf-8?B?0J8?=", "П"},
		{`"=?utf-8?Q?=D0=9F?="`, `"П"`},
		{"Re: =?utf-8?Q?x?=y", "Re: xy"},
		{"=?nobody?Q?x?=", "x"},
		{"=?utf-8?X?x?=", "=?utf-8?X?x?="},
		{"=?utf-8?Q?never closed", "=?utf-8?Q?never closed"},
		{"a =? b", "a =? b"},
		{"folded\r\n value", "folded value"},
		{"\xef\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0", "привет мир"},
		{"=?utf-8?Q?a=00b=0Ac?=", "ab c"},
		{"=?iso-8859-1?Q?=80?=", "€"},
	}
	for _, tt := range tests {
		if got := new(decoder).header([]byte(tt.in)); got != tt.want {
			t.Errorf("header(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	hinted := decoder{hint: func() string { return "iso-8859-5" }}
	if got := hinted.header(encode(t, charmap.ISO8859_5, "Привет")); got != "Привет" {
		t.Errorf("with a hint: %q", got)
	}
}

func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?B?0J8?= =?utf-8?q?a_?=", "=?a?b?c", "\xef\xf0", "=?utf-8?Q??=", "\r\n x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := new(decoder).header(b)
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("%q is %q", b, s)
		}
	})
}

func TestParseParameters(t *testing.T) {
	tests := []struct{ in, value, name, want string }{
		{`text/plain; charset=utf-8`, "text/plain", "charset", "utf-8"},
		{`TEXT/Plain; CharSet="UTF-8" ; x=y`, "text/plain", "charset", "UTF-8"},
		{`a/b;; x=1;;`, "a/b", "x", "1"},
		{`a/b; junk; x=1`, "a/b", "x", "1"},
		{`a/b x=1`, "a/b", "x", "1"},
		{`a/b, x=1`, "a/b", "x", "1"},
		{`filename="a.pdf"`, "", "filename", "a.pdf"},
		{`attachment; filename=a b c.pdf`, "attachment", "filename", "a b c.pdf"},
		{`attachment; filename="a;b.pdf"; size=1`, "attachment", "filename", "a;b.pdf"},
		{`attachment; filename="never closed.pdf`, "attachment", "filename", "never closed.pdf"},
		{`attachment; filename="never closed.pdf; size=3`, "attachment", "filename", "never closed.pdf"},
		{`attachment; filename="a\"b\\c.pdf"`, "attachment", "filename", `a"b\c.pdf`},
		{`attachment; filename="C:\temp\a.pdf"`, "attachment", "filename", `C:\temp\a.pdf`},
		{`attachment; filename='a.pdf'`, "attachment", "filename", "a.pdf"},
		{`attachment; filename==?utf-8?Q?=D0=9F.pdf?=`, "attachment", "filename", "П.pdf"},
		{`attachment; filename="=?koi8-r?B?8NLJ18XU?=.pdf"`, "attachment", "filename", "Привет.pdf"},
		{`attachment; filename*=utf-8''%D0%9F.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*=koi8-r'ru'%F0%D2.pdf; filename=x`, "attachment", "filename", "Пр.pdf"},
		{`attachment; filename=x; filename*=windows-1251''%CF.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*0*=utf-8''%D0; filename*1*=%9F; filename*2=.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*1=b; filename*0=a`, "attachment", "filename", "ab"},
		{`attachment; filename*=''%D0%9F`, "attachment", "filename", "П"},
		{`attachment; filename*=100%25.pdf`, "attachment", "filename", "100%.pdf"},
		{`attachment; filename=a; filename=b`, "attachment", "filename", "a"},
		{"attachment; filename=\"\xcf\xf0\xe8\xe2\xe5\xf2.pdf\"", "attachment", "filename", "Привет.pdf"},
		{`multipart/mixed; boundary="--=_x (y)"`, "multipart/mixed", "boundary", "--=_x (y)"},
		{`multipart/mixed; boundary=--=_x`, "multipart/mixed", "boundary", "--=_x"},
		{`text/plain (comment); charset=a`, "text/plain", "charset", "a"},
		{``, "", "x", ""},
		{`;=;==;`, "", "x", ""},
	}
	for _, tt := range tests {
		p := new(decoder).parseParameters([]byte(tt.in))
		if p.value != tt.value || p.get(tt.name) != tt.want {
			t.Errorf("%s: value %q, %s %q, want %q, %q", tt.in, p.value, tt.name, p.get(tt.name), tt.value, tt.want)
		}
	}
}

func FuzzParseParameters(f *testing.F) {
	for _, s := range []string{`a/b; c*0*=utf-8''%D0; c*1="x\"`, `x="`, `;;=;a==?utf-8?Q?b?=`, "a/b;c=\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := new(decoder).parseParameters(b)
		if !utf8.ValidString(p.value) || !utf8.ValidString(strings.Join(p.vals, "")) || !utf8.ValidString(strings.Join(p.names, "")) {
			t.Errorf("%q: %+v", b, p)
		}
	})
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		in   string
		want []Address
	}{
		{"a@x.org", []Address{{"", "a@x.org"}}},
		{"<a@x.org>", []Address{{"", "a@x.org"}}},
		{"Ann <a@x.org>", []Address{{"Ann", "a@x.org"}}},
		{`"Doe, Ann" <a@x.org>`, []Address{{"Doe, Ann", "a@x.org"}}},
		{`Doe, Ann <a@x.org>`, []Address{{"Doe, Ann", "a@x.org"}}},
		{`a@x.org, Doe, Ann <b@x.org>, c@x.org`, []Address{{"", "a@x.org"}, {"Doe, Ann", "b@x.org"}, {"", "c@x.org"}}},
		{`"a \"q\" b" <a@x.org>`, []Address{{`a "q" b`, "a@x.org"}}},
		{"a@x.org (Ann)", []Address{{"Ann", "a@x.org"}}},
		{"a@x.org; b@x.org;", []Address{{"", "a@x.org"}, {"", "b@x.org"}}},
		{"Team: a@x.org, Bob <b@x.org>;, c@x.org", []Address{{"", "a@x.org"}, {"Bob", "b@x.org"}, {"", "c@x.org"}}},
		{"undisclosed-recipients:;", nil},
		{"Undisclosed recipients", nil},
		{"<undisclosed-recipients:;>", nil},
		{"<<a@x.org>>", []Address{{"", "a@x.org"}}},
		{"<@r1.org,@r2.org:a@x.org>", []Address{{"", "a@x.org"}}},
		{"Ann <a@x.org", []Address{{"Ann", "a@x.org"}}},
		{"Ann <a@x.org, b@x.org", []Address{{"Ann", "a@x.org"}, {"", "b@x.org"}}},
		{"Ann <a@x.org> Bob <b@x.org>", []Address{{"Ann", "a@x.org"}, {"Bob", "b@x.org"}}},
		{"a@x.org b@x.org", []Address{{"", "a@x.org"}, {"", "b@x.org"}}},
		{"a @ x.org", []Address{{"", "a@x.org"}}},
		{"'a@x.org'", []Address{{"", "a@x.org"}}},
		{"<mailto:a@x.org>", []Address{{"", "a@x.org"}}},
		{"a@x.org.", []Address{{"", "a@x.org"}}},
		{"a..b@x.org", []Address{{"", "a..b@x.org"}}},
		{`"a b"@x.org`, []Address{{"", `"a b"@x.org`}}},
		{`<"a b"@x.org>`, []Address{{"", `"a b"@x.org`}}},
		{"a@x.org <a@x.org>", []Address{{"a@x.org", "a@x.org"}}},
		{"Ann: <a@x.org>", []Address{{"Ann:", "a@x.org"}}},
		{"Ann [Sales] <a@x.org>", []Address{{"Ann [Sales]", "a@x.org"}}},
		{"=?utf-8?Q?D=C3=B6e,_Ann?= <a@x.org>", []Address{{"Döe, Ann", "a@x.org"}}},
		{"=?utf-8?Q?D=C3=B6e?=<a@x.org>", []Address{{"Döe", "a@x.org"}}},
		{`"=?utf-8?Q?D=C3=B6e?=" <a@x.org>`, []Address{{"Döe", "a@x.org"}}},
		{"a@x.org, broken <b@@x>, c@x.org", []Address{{"", "a@x.org"}, {"broken", "b@@x"}, {"", "c@x.org"}}},
		{"postmaster", []Address{{"", "postmaster"}}},
		{"Nobody at all", []Address{{"Nobody at all", ""}}},
		{"<>", nil},
		{"", nil},
		{",;,", nil},
		{"a@xn--e1afmkfd.xn--p1ai, б@пример.рф", []Address{{"", "a@xn--e1afmkfd.xn--p1ai"}, {"", "б@пример.рф"}}},
		{"Иван Петров <a@x.org>", []Address{{"Иван Петров", "a@x.org"}}},
		{"\"unclosed <a@x.org>, b@x.org", []Address{{"unclosed", "a@x.org"}, {"", "b@x.org"}}},
		{"Ann (never closed <a@x.org>", []Address{{"Ann (never closed", "a@x.org"}}},
	}
	for _, tt := range tests {
		got := new(decoder).addresses([][]byte{[]byte(tt.in)})
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q", tt.in, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %q, want %q", tt.in, got[i], tt.want[i])
			}
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"a" <b@c>, d@e (f); G: h@i;`, "<<", "((((", `"\`, "=?utf-8?Q?,?=", "a@b<c@d>e@f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, a := range new(decoder).addresses([][]byte{b}) {
			if !utf8.ValidString(a.Name + a.Address) {
				t.Errorf("%q: %q", b, a)
			}
		}
	})
}

// TestAddressesLosesNone wraps one recipient in junk.
func TestAddressesLosesNone(t *testing.T) {
	parts := []string{"", "x, ", "Name ", `"q" `, `"open `, "(c) ", "(open ", "<", "<<", "G: ", "; ", "a@b.org, ", "a@b.org ", "=?utf-8?Q?x?= ", "'", "[", "\\", "\xe9\xf1 ", "> "}
	for _, before := range parts {
		for _, more := range parts {
			in := before + more + "<keep@x.org>, last@x.org"
			found := 0
			for _, a := range new(decoder).addresses([][]byte{[]byte(in)}) {
				if strings.Contains(a.Address+a.Name, "keep@x.org") {
					found++
				}
				if strings.Contains(a.Address+a.Name, "last@x.org") {
					found++
				}
			}
			if found < 2 && !strings.Contains(in, "(open") {
				t.Errorf("%q: %q", in, new(decoder).addresses([][]byte{[]byte(in)}))
			}
		}
	}
}
