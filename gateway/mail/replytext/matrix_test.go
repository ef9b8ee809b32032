package replytext

import (
	"strings"
	"testing"
)

// gmail are attributions of Gmail by language. Each is followed by ">" lines.
var gmail = map[string]string{
	"English (US)":          "On Mon, Mar 2, 2026 at 10:00 AM Bob Stone <bob@in.example> wrote:",
	"English, long address": "On Mon, Mar 2, 2026 at 10:00 AM Support <4f2d3258d4d2fa4c85c44e1721d66e@in.example> wrote:",
	"English (UK)":          "On Mon, 2 Mar 2026 at 10:00, Bob Stone <bob@in.example> wrote:",
	"German":                "Bob Stone <bob@in.example> schrieb am Mo., 2. März 2026, 10:00:",
	"German, Am":            "Am Mo., 2. März 2026 um 10:00 Uhr schrieb Bob Stone <bob@in.example>:",
	"French":                "Le lun. 2 mars 2026 à 10:00, Bob Stone <bob@in.example> a écrit :",
	"Spanish":               "El lun, 2 mar 2026 a las 10:00, Bob Stone (<bob@in.example>) escribió:",
	"Catalan":               "Missatge de Bob Stone <bob@in.example> del dia dl., 2 de març 2026 a les 10:00:",
	"Portuguese (BR)":       "Em seg., 2 de mar. de 2026 às 10:00, Bob Stone <bob@in.example> escreveu:",
	"Portuguese (PT)":       "Bob Stone <bob@in.example> escreveu (segunda, 2/03/2026 à(s) 10:00):",
	"Italian":               "Il giorno lun 2 mar 2026 alle ore 10:00 Bob Stone <bob@in.example> ha scritto:",
	"Dutch":                 "Op ma 2 mrt 2026 om 10:00 schreef Bob Stone <bob@in.example>:",
	"Danish":                "Den man. 2. mar. 2026 kl. 10.00 skrev Bob Stone <bob@in.example>:",
	"Norwegian":             "man. 2. mars 2026 kl. 10:00 skrev Bob Stone <bob@in.example>:",
	"Swedish":               "Den mån 2 mars 2026 kl 10:00 skrev Bob Stone <bob@in.example>:",
	"Finnish":               "ma 2. maalisk. 2026 klo 10.00 Bob Stone (bob@in.example) kirjoitti:",
	"Icelandic":             "Þann mán., 2. mar. 2026 kl. 10:00 skrifaði Bob Stone <bob@in.example>:",
	"Estonian":              "Kasutaja Bob Stone (<bob@in.example>) kirjutas kuupäeval E, 2. märts 2026 kell 10:00:",
	"Latvian":               "pirmd., 2026. g. 2. marts, plkst. 10:00 — lietotājs Bob Stone (<bob@in.example>) rakstīja:",
	"Lithuanian":            "2026-03-02, pr, 10:00 Bob Stone <bob@in.example> rašė:",
	"Polish":                "pon., 2 mar 2026 o 10:00 Bob Stone <bob@in.example> napisał(a):",
	"Czech":                 "po 2. 3. 2026 v 10:00 odesílatel Bob Stone <bob@in.example> napsal:",
	"Slovak":                "po 2. 3. 2026 o 10:00 Bob Stone <bob@in.example> napísal(a):",
	"Slovenian":             "V V pon., 2. mar. 2026 ob 10:00 je oseba Bob Stone <bob@in.example> napisala:",
	"Croatian":              "pon, 2. ožu 2026. u 10:00 Bob Stone <bob@in.example> napisao je:",
	"Serbian":               "пон, 2. мар 2026. у 10:00 Bob Stone <bob@in.example> је написао/ла:",
	"Hungarian":             "Bob Stone <bob@in.example> ezt írta (időpont: 2026. márc. 2., H, 10:00):",
	"Romanian":              "În lun., 2 mar. 2026 la 10:00, Bob Stone <bob@in.example> a scris:",
	"Bulgarian":             "На пн, 2.03.2026 г. в 10:00 Bob Stone <bob@in.example> написа:",
	"Russian":               "пн, 2 мар. 2026 г. в 10:00, Bob Stone <bob@in.example>:",
	"Ukrainian":             "пн, 2 бер. 2026 р. о 10:00 Bob Stone <bob@in.example> пише:",
	"Greek":                 "Στις Δευ 2 Μαρ 2026 στις 10:00 π.μ., ο/η Bob Stone <bob@in.example> έγραψε:",
	"Turkish":               "Bob Stone <bob@in.example>, 2 Mar 2026 Pzt, 10:00 tarihinde şunu yazdı:",
	"Hebrew":                "\u202bבתאריך יום ב׳, 2 במרץ 2026 ב-10:00 מאת \u202aBob Stone\u202c\u200f <\u202abob@in.example\u202c\u200f>:\u202c",
	"Arabic":                "في الاثنين، 2 مارس 2026 في 10:00 ص تمت كتابة ما يلي بواسطة \u202aBob Stone\u202c\u200f <\u202abob@in.example\u202c\u200f>:",
	"Persian":               "در تاریخ دوشنبه ۲ مارس ۲۰۲۶،\u200f ۱۰:۰۰ Bob Stone <\u202abob@in.example\u202c\u200f> نوشت:",
	"Hindi":                 "सोम, 2 मार्च 2026, 10:00 am को Bob Stone <bob@in.example> ने लिखा:",
	"Thai":                  "ในวันที่ จ. 2 มี.ค. 2026 เวลา 10:00 Bob Stone <bob@in.example> เขียนว่า:",
	"Vietnamese":            "Vào Th 2, 2 thg 3, 2026 vào lúc 10:00 Bob Stone <bob@in.example> đã viết:",
	"Indonesian":            "Pada tanggal Sen, 2 Mar 2026 pukul 10.00 Bob Stone <bob@in.example> menulis:",
	"Chinese":               "Bob Stone <bob@in.example> 于2026年3月2日周一 10:00写道：",
	"Chinese (TW)":          "Bob Stone <bob@in.example> 於 2026年3月2日 週一 上午10:00寫道：",
	"Japanese":              "2026年3月2日(月) 10:00 Bob Stone <bob@in.example>:",
	"Korean":                "2026년 3월 2일 (월) AM 10:00, Bob Stone <bob@in.example>님이 작성:",
}

// outlook are the labels From, Sent, To, Subject of Outlook by language.
var outlook = map[string]string{
	"English": "From Sent To Subject", "German": "Von Gesendet An Betreff", "French": "De Envoyé À Objet", "Spanish": "De Enviado Para Asunto", "Catalan": "De Enviat Per_a Assumpte",
	"Portuguese (BR)": "De Enviada_em Para Assunto", "Portuguese (PT)": "De Enviado Para Assunto", "Italian": "Da Inviato A Oggetto", "Dutch": "Van Verzonden Aan Onderwerp", "Danish": "Fra Sendt Til Emne",
	"Norwegian": "Fra Sendt Til Emne", "Swedish": "Från Skickat Till Ämne", "Finnish": "Lähettäjä Lähetetty Vastaanottaja Aihe", "Icelandic": "Frá Sent Til Efni", "Estonian": "Saatja Saadetud Adressaat Teema",
	"Latvian": "No Nosūtīts Kam Tēma", "Lithuanian": "Nuo Išsiųsta Kam Tema", "Polish": "Od Wysłano Do Temat", "Czech": "Od Odesláno Komu Předmět", "Slovak": "Od Odoslané Komu Predmet",
	"Slovenian": "Od Poslano Za Zadeva", "Croatian": "Šalje Poslano Prima Predmet", "Serbian": "Од Послато За Тема", "Hungarian": "Feladó Elküldve Címzett Tárgy", "Romanian": "De_la Trimis Către Subiect",
	"Bulgarian": "От Изпратено До Относно", "Russian": "От Отправлено Кому Тема", "Ukrainian": "Від Надіслано Кому Тема", "Greek": "Από Στάλθηκε Προς Θέμα", "Turkish": "Kimden Gönderildi Kime Konu",
	"Hebrew": "מאת נשלח אל נושא", "Arabic": "من تم_الإرسال إلى الموضوع", "Thai": "จาก ส่งเมื่อ ถึง เรื่อง", "Chinese": "发件人 发送时间 收件人 主题", "Chinese (TW)": "寄件者 寄件日期 收件者 主旨",
	"Japanese": "差出人 送信日時 宛先 件名", "Korean": "보낸_사람 보낸_날짜 받는_사람 제목", "Vietnamese": "Từ Đã_gửi Đến Chủ_đề", "Indonesian": "Dari Dikirim Kepada Subjek",
}

// apple are attributions of Apple's mail programs by language.
var apple = map[string]string{
	"English": "On Mar 2, 2026, at 10:00 AM, Bob Stone <bob@in.example> wrote:", "English (UK)": "On 2 Mar 2026, at 10:00, Bob Stone <bob@in.example> wrote:",
	"English, no address": "On 2 Mar 2026, at 10:00, Bob Stone wrote:",
	"German":              "Am 02.03.2026 um 10:00 schrieb Bob Stone <bob@in.example>:", "French": "Le 2 mars 2026 à 10:00, Bob Stone <bob@in.example> a écrit :",
	"Spanish": "El 2 mar 2026, a las 10:00, Bob Stone <bob@in.example> escribió:", "Catalan": "El dia 2 de març 2026, a les 10:00, Bob Stone <bob@in.example> va escriure:",
	"Italian": "Il giorno 2 mar 2026, alle ore 10:00, Bob Stone <bob@in.example> ha scritto:", "Portuguese": "No dia 2 de mar. de 2026, à(s) 10:00, Bob Stone <bob@in.example> escreveu:",
	"Portuguese (BR)": "Em 2 de mar. de 2026, à(s) 10:00, Bob Stone <bob@in.example> escreveu:", "Dutch": "Op 2 mrt 2026, om 10:00 heeft Bob Stone <bob@in.example> het volgende geschreven:",
	"Danish": "Den 2. mar. 2026 kl. 10.00 skrev Bob Stone <bob@in.example>:", "Norwegian": "2. mars 2026 kl. 10:00 skrev Bob Stone <bob@in.example>:", "Swedish": "2 mars 2026 kl. 10:00 skrev Bob Stone <bob@in.example>:",
	"Finnish": "Bob Stone <bob@in.example> kirjoitti 2.3.2026 kello 10.00:", "Polish": "Wiadomość napisana przez Bob Stone <bob@in.example> w dniu 2 mar 2026, o godz. 10:00:",
	"Czech": "2. 3. 2026 v 10:00, Bob Stone <bob@in.example>:", "Hungarian": "2026. márc. 2. dátummal, 10:00 időpontban Bob Stone <bob@in.example> írta:", "Romanian": "Pe 2 mar. 2026, la 10:00, Bob Stone <bob@in.example> a scris:",
	"Russian": "2 марта 2026 г., в 10:00, Bob Stone <bob@in.example> написал(а):", "Ukrainian": "2 бер. 2026 р. о 10:00 Bob Stone <bob@in.example> пише:", "Greek": "Στις 2 Μαρ 2026, στις 10:00, ο χρήστης Bob Stone <bob@in.example> έγραψε:",
	"Turkish": "Bob Stone <bob@in.example> şunları yazdı (2 Mar 2026 10:00):", "Hebrew": "\u200fב-2 במרץ 2026, בשעה 10:00, \u200f\u2068Bob Stone\u2069 <\u2068bob@in.example\u2069> כתב/ה:", "Arabic": "في ٢ مارس ٢٠٢٦، الساعة ١٠:٠٠ ص، كتب/كتبت Bob Stone <bob@in.example>:",
	"Chinese": "2026年3月2日 10:00，Bob Stone <bob@in.example> 写道：", "Chinese (TW)": "Bob Stone <bob@in.example> 於 2026年3月2日 上午10:00 寫道：", "Japanese": "2026/03/02 10:00、Bob Stone <bob@in.example>のメール:", "Korean": "2026. 3. 2. 오전 10:00, Bob Stone <bob@in.example> 작성:",
	"Thai": "เมื่อ 2 มี.ค. 2026 เวลา 10:00 Bob Stone <bob@in.example> เขียนว่า:",
}

// clients are what mail programs write above a quote; "|" ends a line, "Q" is
// the quoted mail as it is, ">" the same behind ">".
var clients = map[string]string{
	"Thunderbird": "On 3/2/26 10:00 AM, Bob Stone wrote:|>", "Thunderbird, German": "Am 02.03.26 um 10:00 schrieb Bob Stone:|>", "Thunderbird, author only": "Bob Stone wrote:|>", "Thunderbird, forwarded": "-------- Forwarded Message --------|Subject: Order|Date: Mon, 2 Mar 2026 10:00:00 +0100|From: Bob Stone <bob@in.example>|To: Ann <ann@client.example>||Q",
	"Outlook, plain": "-----Original Message-----|From: Bob Stone [mailto:bob@in.example] |Sent: Monday, March 2, 2026 10:00 AM|To: Ann|Subject: Order||Q", "Outlook.com": "________________________________|From: Bob Stone <bob@in.example>|Sent: Monday, March 2, 2026 10:00 AM|To: Ann <ann@client.example>|Subject: Order||Q",
	"Outlook for Mac": "From: Bob Stone <bob@in.example>|Date: Monday, March 2, 2026 at 10:00|To: Ann <ann@client.example>|Subject: Order||Q", "Outlook, stars": "*From:* Bob Stone <bob@in.example>|*Sent:* Monday, March 2, 2026 10:00 AM|*To:* Ann|*Subject:* Order||Q",
	"Outlook Express": "----- Original Message ----- |From: Bob Stone|To: Ann|Sent: Monday, March 02, 2026 10:00 AM|Subject: Order||Q", "Outlook iOS": "Get Outlook for iOS<https://aka.ms/o0ukef>|________________________________|From: Bob Stone <bob@in.example>|Sent: Monday, March 2, 2026 10:00:00 AM|To: Ann <ann@client.example>|Subject: Order||Q",
	"Windows Mail": "Von: Bob Stone|Gesendet: Montag, 2. März 2026 10:00|An: Ann|Betreff: Order||Q", "Windows Live Mail": "From: Bob Stone |Sent: Monday, March 02, 2026 10:00 AM|To: ann@client.example |Subject: Order||Q", "Hotmail": "> Date: Mon, 2 Mar 2026 10:00:00 +0100|> From: bob@in.example|> To: ann@client.example|>",
	"Yahoo": "On Monday, March 2, 2026 at 10:00:00 AM GMT+1, Bob Stone <bob@in.example> wrote: ||Q", "Yahoo, German": "Am Montag, 2. März 2026 um 10:00:00 MEZ hat Bob Stone <bob@in.example> Folgendes geschrieben: ||Q", "Yahoo, French": "Le lundi 2 mars 2026 à 10:00:00 UTC+1, Bob Stone <bob@in.example> a écrit : ||Q",
	"AOL": "-----Original Message-----|From: Bob Stone <bob@in.example>|To: ann@client.example|Sent: Mon, Mar 2, 2026 10:00 am|Subject: Order||Q", "GMX": "Gesendet: Montag, 02. März 2026 um 10:00 Uhr|Von: \"Bob Stone\" <bob@in.example>|An: ann@client.example|Betreff: Order||Q", "GMX, English": "Sent: Monday, March 02, 2026 at 10:00 AM|From: \"Bob Stone\" <bob@in.example>|To: ann@client.example|Subject: Order||Q",
	"Proton": "On Monday, March 2nd, 2026 at 10:00 AM, Bob Stone <bob@in.example> wrote:||>", "Proton, older": "------- Original Message -------|On Monday, March 2nd, 2026 at 10:00 AM, Bob Stone <bob@in.example> wrote:|||>", "Proton, oldest": "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐|On Monday, March 2, 2026 10:00 AM, Bob Stone <bob@in.example> wrote:||>", "Tutanota": "Mar 2, 2026, 10:00 by bob@in.example:||>",
	"Zoho": "---- On Mon, 02 Mar 2026 10:00:00 +0100 Bob Stone <bob@in.example> wrote ----||Q", "Zoho, new": "---- On Mon, 02 Mar 2026 10:00:00 +0100 bob@in.example wrote ---||Q", "Zoho, German": "---- Am Mo., 02 März 2026 10:00:00 +0100 Bob Stone <bob@in.example> schrieb ----||Q", "Zoho, Chinese": "---- 在 星期一, 02 三月 2026 10:00:00 +0100 Bob Stone <bob@in.example> 撰写 ----||Q",
	"Fastmail": "On Mon, Mar 2, 2026, at 10:00, Bob Stone wrote:|>", "HEY": "On March 2, 2026, Bob Stone <bob@in.example> wrote:||Q", "Superhuman": "On Mon, Mar 02, 2026 at 10:00 AM, Bob Stone < bob@in.example > wrote:||>", "Spark": "On 2 Mar 2026, 10:00 +0100, Bob Stone <bob@in.example>, wrote:|>", "Airmail": "On 2 March 2026 at 10:00:00, Bob Stone (bob@in.example) wrote:||Q",
	"Mailspring": "On Mar 2 2026, at 10:00 am, Bob Stone <bob@in.example> wrote:|Q", "Newton": "On Mon, Mar 2, 2026 at 10:00 AM, Bob Stone <bob@in.example> wrote:||Q", "eM Client": "------ Original Message ------|From: \"Bob Stone\" <bob@in.example>|To: \"Ann\" <ann@client.example>|Sent: 02.03.2026 10:00:00|Subject: Order||>", "eM Client, new": "------ Original Message ------|From \"Bob Stone\" <bob@in.example>|To \"Ann\" <ann@client.example>|Date 02.03.2026 10:00:00|Subject Order||Q",
	"BlueMail": "On Mar 2, 2026, at 10:00, Bob Stone <bob@in.example> wrote:|>", "K-9": "Am 2. März 2026 10:00:00 MEZ schrieb Bob Stone <bob@in.example>:|>", "FairEmail": "On March 2, 2026 10:00:00 AM GMT+01:00, Bob Stone <bob@in.example> wrote:|>", "AquaMail": "On 2 March 2026 10:00:00 Bob Stone <bob@in.example> wrote:||>", "Nine": "-------- Original Message --------|From: Bob Stone <bob@in.example>|Sent: Monday, March 2, 2026 10:00|To: ann@client.example|Subject: Order||Q",
	"Samsung": "-------- Original message --------|From: Bob Stone <bob@in.example> |Date: 02/03/2026 10:00 (GMT+01:00) |To: Ann <ann@client.example> |Subject: Order ||Q", "Samsung, German": "-------- Ursprüngliche Nachricht --------|Von: Bob Stone <bob@in.example> |Datum: 02.03.26 10:00 (GMT+01:00) |An: Ann <ann@client.example> |Betreff: Order ||Q", "Samsung, Greek": "-------- Αρχικό μήνυμα --------|Από: Bob Stone <bob@in.example>|Ημερομηνία: 02/03/2026 10:00 (GMT+01:00)|Προς: Ann <ann@client.example>|Θέμα: Order||Q",
	"Samsung, Slovenian": "-------- Izvirno sporočilo --------|Od: Bob Stone <bob@in.example>|Datum: 2. 3. 26 10:00 (GMT+01:00)|Za: Ann <ann@client.example>|Zadeva: Order||Q", "Samsung, Thai": "-------- ข้อความต้นฉบับ --------|จาก: Bob Stone <bob@in.example>|วันที่: 2/3/26 10:00 (GMT+07:00)|ถึง: Ann <ann@client.example>|เรื่อง: Order||Q",
	"BlackBerry": "-----Original Message-----|From: Bob Stone <bob@in.example>|Date: Mon, 2 Mar 2026 10:00:00 |To: <ann@client.example>|Subject: Order||Q", "Android": "Bob Stone <bob@in.example> wrote:||>", "Evolution": "On Mon, 2026-03-02 at 10:00 +0100, Bob Stone wrote:|>", "KMail": "On Monday, March 2, 2026 10:00:00 AM CET Bob Stone wrote:|>", "Claws": "On Mon, 2 Mar 2026 10:00:00 +0100|Bob Stone <bob@in.example> wrote:||>",
	"mutt": "On Mon, Mar 02, 2026 at 10:00:00AM +0100, Bob Stone wrote:|>", "Alpine": "On Mon, 2 Mar 2026, Bob Stone wrote:||>", "Gnus": "Bob Stone <bob@in.example> writes:||>", "Gnus, date": "On Mon, Mar 02 2026, Bob Stone wrote:||>", "The Bat": "Monday, March 2, 2026, 10:00:00 AM, you wrote:||>", "Opera": "On Mon, 02 Mar 2026 10:00:00 +0100, Bob Stone <bob@in.example> wrote:||>",
	"Roundcube": "On 2026-03-02 10:00, Bob Stone wrote:|>", "Roundcube, German": "Am 02.03.2026 10:00, schrieb Bob Stone:|>", "RainLoop": "March 2, 2026 10:00 AM, \"Bob Stone\" <bob@in.example> wrote:|>", "SquirrelMail": ">", "Horde": "Quoting Bob Stone <bob@in.example>:||>", "Horde, German": "Zitat von Bob Stone <bob@in.example>:||>", "Horde, Spanish": "Bob Stone <bob@in.example> escribió:||>", "SOGo": "On Monday, March 02, 2026 10:00 CET, Bob Stone <bob@in.example> wrote:| |Q",
	"Zimbra": "----- Original Message -----|From: \"Bob Stone\" <bob@in.example>|To: \"Ann\" <ann@client.example>|Sent: Monday, March 2, 2026 10:00:00 AM|Subject: Order||Q", "Zimbra, German": "----- Ursprüngliche Mail -----|Von: \"Bob Stone\" <bob@in.example>|An: \"Ann\" <ann@client.example>|Gesendet: Montag, 2. März 2026 10:00:00|Betreff: Order||Q", "Zimbra, French": "De: \"Bob Stone\" <bob@in.example>|À: \"Ann\" <ann@client.example>|Envoyé: Lundi 2 Mars 2026 10:00:00|Objet: Order||Q",
	"Mail.ru": "Понедельник, 2 марта 2026, 10:00 +03:00 от Bob Stone <bob@in.example>:| |>", "Yandex": "02.03.2026, 10:00, \"Bob Stone\" <bob@in.example>:|Q", "QQ": "------------------ 原始邮件 ------------------|发件人: \"Bob Stone\" <bob@in.example>;|发送时间: 2026年3月2日(星期一) 上午10:00|收件人: \"Ann\" <ann@client.example>;|主题: Order||Q", "163": "在 2026-03-02 10:00:00，\"Bob Stone\" <bob@in.example> 写道：||>", "Naver": "-----Original Message-----|From: \"Bob Stone\"<bob@in.example>|To: <ann@client.example>|Cc:|Sent: 2026-03-02 (월) 10:00:00 (GMT+09:00)|Subject: Order||Q", "Becky": "On Mon, 2 Mar 2026 10:00:00 +0900|Bob Stone <bob@in.example> wrote:||>", "Shuriken": "2026年3月2日 10:00、Bob Stone <bob@in.example>さんは書きました:||>",
	"Lotus Notes": "From:\tBob Stone <bob@in.example>|To:\tann@client.example|Date:\t02.03.2026 10:00|Subject:\tOrder||Q", "Lotus Notes, dashes": "-----Bob Stone <bob@in.example> wrote: -----|To: ann@client.example|From: Bob Stone <bob@in.example>|Date: 03/02/2026 10:00AM|Subject: Order||Q", "Lotus Notes, verb": "Bob Stone <bob@in.example> wrote on 03/02/2026 10:00:00 AM:||>", "GroupWise": ">>> Bob Stone <bob@in.example> 03/02/26 10:00 AM >>>|Q", "Mailbird": "On 02/03/2026 10:00:00, Bob Stone <bob@in.example> wrote:|Q", "Postbox": "Bob Stone wrote on 3/2/26 10:00 AM:|>", "Missive": "On March 2, 2026 at 10:00 AM, Bob Stone (bob@in.example) wrote:||Q", "Front": "On March 2, 2026, 10:00 AM GMT+1 bob@in.example wrote:||Q",
	"Apple Mail, forwarded": "Begin forwarded message:||From: Bob Stone <bob@in.example>|Subject: Order|Date: 2 March 2026 at 10:00:00 CET|To: ann@client.example||Q", "a name between dashes": "---- Bob Stone wrote ----||Q", "a bare title": "Mensagem original|De: Bob Stone <bob@in.example>|Data: 02/03/2026 10:00|Para: ann@client.example|Assunto: Order||Q",
	"Open-Xchange": "Bob Stone <bob@in.example> hat am 02.03.2026 10:00 CET geschrieben:|||Q", "Eudora": "At 10:00 AM 3/2/2026, Bob Stone wrote:|>", "sup": "Excerpts from Bob Stone's message of March 2, 2026 10:00 am:|>",
	"Zendesk": "##- Please type your reply above this line -##||Q", "Help desk": "--- Reply above this line ---||Q", "Help desk, German": "--- Bitte antworten Sie oberhalb dieser Zeile ---||Q", "Help desk, bare": "Please reply above this line||Q", "Help desk, quoted": "On Mon, Mar 2, 2026 at 10:00 AM Support <bob@in.example> wrote:||> ##- Please type your reply above this line -##|>",
}

// TestMatrix: what mailers write above a quote, as they write it and wrapped.
func TestMatrix(t *testing.T) {
	tried, held := 0, 0
	check := func(group, name, quote string) {
		t.Helper()
		for _, own := range []string{"Thanks, that is fine.", "Thanks.\n\nWe take 3 of them on 12 May."} {
			tried++
			if r := Split(own+"\n\n"+quote+"\n", Options{}); r.Text == own {
				held++
			} else {
				t.Errorf("%s, %s: %q", group, name, r.Text)
			}
		}
	}
	quoted := "> Is it fine?\n>\n> Bob"
	for lang, s := range gmail {
		check("Gmail", lang, s+"\n\n"+quoted)
		check("Gmail, wrapped", lang, wrapAt(s, 60)+"\n\n"+quoted)
		check("Gmail, wrapped short", lang, wrapAt(s, 36)+"\n"+quoted)
		check("Gmail, unquoted", lang, s+"\n\nIs it fine?\n\nBob")
	}
	for lang, s := range apple {
		check("Apple", lang, s+"\n\n"+quoted)
		check("Apple, wrapped", lang, wrapAt(s, 50)+"\n\n"+quoted)
	}
	for lang, s := range outlook {
		f := strings.Fields(s)
		for i := range f {
			f[i] = strings.ReplaceAll(f[i], "_", " ")
		}
		for _, colon := range []string{": ", " : ", "： "} {
			block := f[0] + colon + "Bob Stone <bob@in.example>\n" + f[1] + colon + "2. 3. 2026 10:00\n" + f[2] + colon + "Ann <ann@client.example>\n" + f[3] + colon + "Order\n\nIs it fine?\n\nBob"
			check("Outlook", lang, block)
			check("Outlook, without addresses", lang, f[0]+colon+"Bob Stone\n"+f[1]+colon+"Monday, 2 March 2026 10:00\n"+f[2]+colon+"Ann\n"+f[3]+colon+"Order\n\nIs it fine?")
			check("Outlook, rule", lang, "________________________________\n"+block)
		}
	}
	for name, s := range clients {
		s = strings.ReplaceAll(s, "|", "\n")
		switch {
		case strings.HasSuffix(s, "Q"):
			s = strings.TrimSuffix(s, "Q") + "Is it fine?\n\nBob"
		default:
			s = strings.TrimSuffix(s, ">") + quoted
		}
		check("client", name, s)
	}
	t.Logf("%d of %d hold: %d languages of Gmail, %d of Outlook, %d of Apple, %d clients", held, tried, len(gmail), len(outlook), len(apple), len(clients))
}

// wrapAt breaks a line at blanks.
func wrapAt(s string, width int) string {
	var out strings.Builder
	n := 0
	for i, w := range strings.Fields(s) {
		if i > 0 {
			if n+len([]rune(w)) > width {
				out.WriteByte('\n')
				n = 0
			} else {
				out.WriteByte(' ')
			}
		}
		out.WriteString(w)
		n += len([]rune(w)) + 1
	}
	return out.String()
}
