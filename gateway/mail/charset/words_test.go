package charset

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// everyday are words that subjects and short mails consist of.
var everyday = []struct {
	language string
	charsets map[string]encoding.Encoding
	words    string
}{
	{"Russian", map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R, "ibm866": charmap.CodePage866, "iso-8859-5": charmap.ISO8859_5, "x-mac-cyrillic": charmap.MacintoshCyrillic},
		"РФ Футбол Хлеб Зубатый Заочный мир ООО ЖЭК щи ёж Цех цифра эхо юг яд СРОЧНО фото шарф цирк США МЧС ФСБ жук чай счёт да нет ОК Привет заявка договор оплата письмо встреча завтра отчёт март " +
			"рак рад раб сад как так там дом кот хор Шуфутинский Ящур Эфиопия Юпитер фыркать щегол выхухоль съезд объявление подъезд ПФР ГИБДД НДС ИНН"},
	{"Ukrainian", map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "koi8-u": charmap.KOI8U},
		"Путін їжак Єва ґанок підприємство сьогодні завтра лист рахунок Київ Львів Харків щиро дякую вітаю зустріч договір оплата їм є і та це що"},
	{"Bulgarian", map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "iso-8859-5": charmap.ISO8859_5},
		"Здравейте ъгъл съобщение поръчка фактура благодаря утре среща договор София Пловдив щъркел път България ЕООД ДДС"},
	{"Serbian", map[string]encoding.Encoding{"windows-1251": charmap.Windows1251, "iso-8859-5": charmap.ISO8859_5},
		"Здраво љубав њива џак ђак ћуп јабука Београд поруџбина рачун хвала сутра састанак уговор што није"},
	{"German", map[string]encoding.Encoding{"iso-8859-1": charmap.Windows1252, "windows-1252": charmap.Windows1252, "iso-8859-15": charmap.ISO8859_15},
		"Grüße Straße Äpfel Öl ÜBER Übung süß fünf zwölf Größe Köln Fuß MÜSSEN GRÖSSE für ÄÖÜ ö ß Änderung Rückfrage bestätigt Schöne Tage"},
	{"French", map[string]encoding.Encoding{"iso-8859-1": charmap.Windows1252, "windows-1252": charmap.Windows1252},
		"ÀÀÀ été à É ÉTÉ ÇA œuvre où déjà français NOËL noël CŒUR garçon là-bas « voilà » élève ÊTRE crème brûlée aÿ"},
	{"Spanish and Portuguese", map[string]encoding.Encoding{"iso-8859-1": charmap.Windows1252, "windows-1252": charmap.Windows1252},
		"niño ¿Qué? ¡Olé! ÑANDÚ año São não NÃO ÃO ação informações à é ó reunião AÇÃO coração ¡ÁÉÍÓÚ! pingüino"},
	{"Nordic", map[string]encoding.Encoding{"iso-8859-1": charmap.Windows1252, "windows-1252": charmap.Windows1252},
		"å ö Å ØL ærø blåbærsyltetøy smörgåsbord Þórður Æ ÆØÅ ÅÄÖ på får får ÍSLAND já nei móðir"},
	{"Polish", map[string]encoding.Encoding{"iso-8859-2": charmap.ISO8859_2, "windows-1250": charmap.Windows1250},
		"żółw źdźbło Łódź ŁÓDŹ ćma ŻÓŁĆ ąę śnieg dzień proszę zamówienie faktura dziękuję są ń ŚĆ gęślą jaźń"},
	{"Czech and Hungarian", map[string]encoding.Encoding{"iso-8859-2": charmap.ISO8859_2, "windows-1250": charmap.Windows1250},
		"žluťoučký kůň ČÁST Říjen ŘÍJEN ďábelské šílený děkuji árvíztűrő tükörfúrógép ŐŰ őű köszönöm ŠŤĚŇŮ"},
	{"Turkish", map[string]encoding.Encoding{"iso-8859-9": charmap.Windows1254, "windows-1254": charmap.Windows1254},
		"ışık İSTANBUL ğ şŞ teşekkürler çığ ÇĞÖŞÜİ günaydın öğüt siparişiniz müşteri ÖĞÜT"},
	{"Greek", map[string]encoding.Encoding{"iso-8859-7": charmap.ISO8859_7, "windows-1253": charmap.Windows1253},
		"Ελλάδα ΑΘΗΝΑ ναι όχι και το η ευχαριστώ παραγγελία λογαριασμός αύριο συνάντηση Γιώργος ψάρι ξύλο ΩΜΕΓΑ ώρα έξι"},
	{"Hebrew", map[string]encoding.Encoding{"iso-8859-8": charmap.ISO8859_8, "windows-1255": charmap.Windows1255},
		"שלום תודה כן לא חשבונית הזמנה מחר פגישה ישראל ירושלים אב גן ספר טוב בוקר"},
	{"Arabic", map[string]encoding.Encoding{"iso-8859-6": charmap.ISO8859_6, "windows-1256": charmap.Windows1256},
		"مرحبا شكرا نعم لا فاتورة طلب غدا اجتماع من إلى كتاب"},
	{"Thai", map[string]encoding.Encoding{"tis-620": charmap.Windows874, "windows-874": charmap.Windows874},
		"สวัสดี ขอบคุณ ใช่ ไม่ ใบแจ้งหนี้ พรุ่งนี้ ประชุม ที่ และ กา"},
	{"Japanese", map[string]encoding.Encoding{"shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "iso-2022-jp": japanese.ISO2022JP},
		"日本 メール 件名 お知らせ ありがとう 注文 確認 東京 会議 請求書 ｶﾀｶﾅ の は 一"},
	{"Chinese", map[string]encoding.Encoding{"gb2312": simplifiedchinese.GBK, "gbk": simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030, "hz-gb-2312": simplifiedchinese.HZGB2312},
		"您好 订单 发票 谢谢 明天 会议 北京 中国 的 是 一 两个 请查收附件 价格 联系"},
	{"Chinese, traditional", map[string]encoding.Encoding{"big5": traditionalchinese.Big5},
		"您好 訂單 發票 謝謝 明天 會議 臺北 的 是 一 價格"},
	{"Korean", map[string]encoding.Encoding{"euc-kr": korean.EUCKR, "ks_c_5601-1987": korean.EUCKR},
		"안녕하세요 주문 송장 감사합니다 내일 회의 서울 네 아니오 가격 이 그"},
}

// TestWordLists: a label by which a text can be read stands, for one to twelve
// everyday words in every charset of their language.
func TestWordLists(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	tried, wrong := 0, 0
	for _, list := range everyday {
		var words []string
		for _, w := range strings.Fields(list.words) {
			words = append(words, w, strings.ToUpper(w), strings.ToLower(w))
		}
		for label, enc := range list.charsets {
			for n := 1; n <= 12; n++ {
				for i := range max(len(words), 60) {
					text := sentence(rnd, words, n, i)
					b, err := enc.NewEncoder().Bytes([]byte(text))
					if err != nil {
						continue // no such character there
					}
					tried++
					for _, decode := range []func([]byte, string) (string, string){Decode, DecodeWord} {
						if got, used := decode(b, label); got != text || used != "" {
							wrong++
							t.Errorf("%s in %s: %q is read as %q in %q", list.language, label, text, got, used)
						}
					}
				}
			}
		}
	}
	t.Logf("%d texts, %d wrong", tried, wrong)
}

// sentence is n words, the i-th first, or n times that word.
func sentence(rnd *rand.Rand, words []string, n, i int) string {
	out := make([]string, n)
	for k := range out {
		out[k] = words[rnd.IntN(len(words))]
		if i%7 == 0 && k > 0 {
			out[k] = out[0]
		}
	}
	out[0] = words[i%len(words)]
	return strings.Join(out, " ")
}

// TestOverruled: a long text that its label makes gibberish of is read as what
// it is, and the caller learns of it.
func TestOverruled(t *testing.T) {
	const russian = "Добрый день! Высылаем счёт на оплату и договор за март, просим подтвердить получение письма до завтра. С уважением, отдел продаж."
	koi, win := encode(t, charmap.KOI8R, russian), encode(t, charmap.Windows1251, russian)
	for _, tt := range []struct {
		label, is string
		b         []byte
	}{
		{"windows-1251", "koi8-r", koi}, {"koi8-r", "windows-1251", win}, {"iso-8859-1", "windows-1251", win}, {"windows-1252", "koi8-r", koi},
		{"iso-8859-5", "windows-1251", win}, {"windows-1251", "utf-8", []byte(russian)}, {"gb2312", "utf-8", []byte("请查收附件，谢谢您的订单。")}, {"us-ascii", "utf-8", []byte("Grüße")},
		{"iso-2022-jp", "euc-jp", encode(t, japanese.EUCJP, "お問い合わせありがとうございます")}, {"iso-2022-kr", "euc-kr", encode(t, korean.EUCKR, "안녕하세요 테스트 메일입니다")},
		{"utf-7", "windows-1251", win},
	} {
		want := russian
		if got, used := Decode(tt.b, tt.label); used != tt.is || utf8.RuneCountInString(want) == 0 {
			t.Errorf("%s labelled %s is read as %q: %q", tt.is, tt.label, used, got)
		}
	}
}

// TestWordsThatAreUTF8: a word's label doesn't stand against octets that are UTF-8
// beyond doubt, in a subject, a name or a file's name.
func TestWordsThatAreUTF8(t *testing.T) {
	for label, want := range map[string]string{
		"iso-8859-1": "Café", "windows-1252": "Счёт", "windows-1251": "Счёт на оплату заказа", "koi8-r": "Договор с подписью", "gb2312": "请查收附件，谢谢您的订单", "big5": "請查收附件，謝謝",
		"euc-kr": "안녕하세요", "shift_jis": "ご注文ありがとう", "iso-2022-jp": "ご注文ありがとう",
	} {
		if got, used := DecodeWord([]byte(want), label); got != want || used != "utf-8" {
			t.Errorf("%s labelled %s: %q in %q", want, label, got, used)
		}
	}
}

// TestUnlabelled: words of alphabets without a label.
func TestUnlabelled(t *testing.T) {
	for name, enc := range map[string]encoding.Encoding{"windows-1253": charmap.Windows1253, "windows-1255": charmap.Windows1255, "windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R} {
		texts := map[string][]string{
			"windows-1253": {"Καλημέρα σας", "Παραγγελία αριθμός 12", "Ευχαριστώ πολύ για την απάντηση", "ΤΙΜΟΛΟΓΙΟ ΠΩΛΗΣΗΣ", "Συνάντηση αύριο στην Αθήνα", "Γειά σου Γιώργο"},
			"windows-1255": {"שלום רב", "חשבונית מס 12", "תודה רבה על התשובה", "פגישה מחר בירושלים", "הזמנה מספר 7", "בוקר טוב לכולם"},
			"windows-1251": {"Вот так вот", "Хлеб и зрелища", "Оплата прошла", "Договор готов", "Фото с дачи"},
			"koi8-r":       {"Вот так вот", "Хлеб и зрелища", "Оплата прошла", "Договор готов", "Фото с дачи"},
		}[name]
		for _, s := range texts {
			if got := Sniff(encode(t, enc, s)); got != name {
				d, _ := convert(encode(t, enc, s), got)
				t.Errorf("%q in %s is taken for %s: %q", s, name, got, d)
			}
		}
	}
	for _, s := range []string{"Price:\u00a0\u00a0\u00a012\u00a0EUR", "\u00a0\u00a0\u00a0", "a\u00a0\u00a0\u00a0b – c", "1\u00a0000\u00a0000\u00a0€", "Überweisung\u00a0\u00a0für"} {
		if got := Sniff(encode(t, charmap.Windows1252, s)); got != "windows-1252" && strings.IndexFunc(s, unicode.IsLetter) >= 0 {
			t.Errorf("%q is taken for %s", s, got)
		}
	}
}
