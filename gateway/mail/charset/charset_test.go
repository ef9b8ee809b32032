package charset

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

func TestNormalize(t *testing.T) {
	tests := map[string]string{
		"UTF-8": "utf-8", "utf8": "utf-8", "'utf-8'": "utf-8", `"UTF8"`: "utf-8", "utf-8;": "utf-8", "utf_8": "utf-8", "charset=utf-8": "utf-8",
		"windows-1251": "windows-1251", "cp1251": "windows-1251", "CP-1251": "windows-1251", "win-1251": "windows-1251", "windows1251": "windows-1251",
		"ansi-1251": "windows-1251", "x-cp1251": "windows-1251", "1251": "windows-1251", "cp1250": "windows-1250",
		"koi8": "koi8-r", "KOI8-R": "koi8-r", "koi8_r": "koi8-r", "koi8-u": "koi8-u", "KOI8-RU": "koi8-u", "cp-866": "ibm866", "dos-866": "ibm866", "IBM866": "ibm866",
		"latin1": "windows-1252", "iso-8859-1": "windows-1252", "ISO8859-1": "windows-1252", "iso_8859-5": "iso-8859-5", "iso8859_15": "iso-8859-15",
		"cp932": "shift_jis", "x-sjis": "shift_jis", "ks_c_5601-1987": "euc-kr", "gb2312": "gb18030", "x-gbk": "gb18030", "big5-hkscs": "big5",
		"us-ascii": "", "ANSI_X3.4-1968": "", "unknown-8bit": "", "8bit": "", "": "", "default": "",
		"utf-7": "utf-7", "unicode-1-1-utf-7": "utf-7", "iso-2022-kr": "iso-2022-kr", "utf-16le": "utf-16le", "x-mac-cyrillic": "x-mac-cyrillic",
	}
	for in, want := range tests {
		if got := Normalize(in); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", in, got, want)
		}
		if want != "" {
			if _, ok := convert([]byte("x"), want); !ok {
				t.Errorf("nobody knows %q", want)
			}
		}
	}
}

func TestDecode(t *testing.T) {
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
		if got, _ := Decode(tt.in, tt.label); strings.TrimPrefix(got, "\ufeff") != tt.want {
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
			if got := Sniff(b); got != name {
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
		if got := Sniff(b); got != tt.want {
			d, _ := convert(b, got)
			t.Errorf("%q in %s is taken for %s: %q", tt.text, tt.want, got, d)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xd0\xd2\xc9\xd7\xc5\xd4"), "koi8-r")
	f.Add([]byte("+BB8EQA-"), "utf-7")
	f.Add([]byte("\x1b$)C\x0eGQ"), "iso-2022-kr")
	f.Add([]byte("\xff\xfea\x00"), "utf-16")
	f.Add([]byte("\x82\xa0\x82"), "cp932")
	f.Add([]byte("abc"), "\"=?*")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		for _, l := range []string{label, "", "utf-8", "iso-8859-1"} {
			if s, _ := Decode(b, l); !utf8.ValidString(s) {
				t.Errorf("%q as %q is no UTF-8: %q", b, l, s)
			}
		}
	})
}
