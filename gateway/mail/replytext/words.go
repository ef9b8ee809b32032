package replytext

import (
	"strings"
	"unicode/utf8"
)

// The words by which mailers of many languages introduce quotes and sign.

// hasWritingVerb looks for "wrote" in a lower-case attribution.
func hasWritingVerb(s string) bool {
	for _, w := range writingVerbs {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var writingVerbs = [...]string{
	"wrote", "writes", "schrieb", "hat geschrieben", "geschrieben", "a écrit", "écrit", "a ecrit", "escribió", "escribio", "ha escrito", "escreveu",
	"ha scritto", "scrive", "skrev", "kirjoitti", "napisał", "napisal", "pisze", "schreef", "het volgende geschreven", "geschreven",
	"написал", "пишет", "писал", "написав", "пише", "напісаў", "написа", "yazdı", "şunu yazdı", "írta", "a scris", "έγραψε", "napsal", "napísal", "napisao",
	"napisala", "raše", "rakstīja", "kirjutas", "va escriure", "ha scrit", "skrifaði", "viết", "menulis", "เขียน", "כתב", "كتب", "写道", "寫道", "のメール", "が書きました",
	"書きました", "wrote", "작성", "님이 씀", "님이 쓴",
}

// opensAttribution says whether a line can be the first of an attribution: a
// number, a weekday, or the word that stands before a date.
func opensAttribution(line string) bool {
	line = strings.TrimLeft(line, "*_[(")
	if line == "" {
		return false
	}
	if line[0] >= '0' && line[0] <= '9' {
		return hasYear(line)
	}
	first, _, _ := strings.Cut(line, " ")
	switch strings.ToLower(strings.TrimRight(first, ",.:")) {
	case "on", "am", "le", "el", "il", "em", "op", "den", "på", "dnia", "w", "dne", "dňa", "în", "la", "στις", "ב", "в", "на", "vào", "pada", "tarihinde",
		"mon", "tue", "wed", "thu", "fri", "sat", "sun",
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
		"понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье", "пн", "вт", "ср", "чт", "пт", "сб", "вс", "нд",
		"ma", "ti", "ke", "to", "pe", "su", "lördag", "søndag", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "man", "tir", "ons", "tor", "fre", "lør", "søn",
		"mån", "tis", "lör", "sön", "от", "від":
		return true
	}
	return strings.HasPrefix(line, "在") || strings.HasPrefix(line, "于") || strings.HasPrefix(line, "於")
}

// originalMessage are the words between the dashes of a separator.
var originalMessage = [...]string{
	"original message", "original appointment", "ursprüngliche nachricht", "originalnachricht", "original-nachricht", "ursprungliche nachricht",
	"message d'origine", "message d’origine", "message original", "message initial", "mensaje original", "mensagem original", "messaggio originale",
	"oorspronkelijk bericht", "origineel bericht", "oprindelig meddelelse", "oprindelig besked", "opprinnelig melding", "ursprungligt meddelande",
	"originalmeddelande", "alkuperäinen viesti", "wiadomość oryginalna", "oryginalna wiadomość", "původní zpráva", "pôvodná správa", "eredeti üzenet", "mesajul original",
	"исходное сообщение", "исходное письмо", "пересылаемое сообщение", "пересланное сообщение", "пересылаемое письмо", "конец пересылаемого",
	"оригинальное сообщение", "початкове повідомлення", "вихідне повідомлення", "orijinal mesaj", "özgün ileti", "αρχικό μήνυμα", "original e-mail", "original email",
	"weitergeleiteten nachricht", "message réexpédié", "message transmis", "mensaje original", "переадресованного сообщения", "転送されたメッセージ", "转发的邮件", "轉寄的郵件", "전달된 메시지",
	"przekazana wiadomość", "przekazywana wiadomość", "přeposlaná zpráva", "iletilen ileti", "προωθημένο μήνυμα", "הודעה שהועברה",
	"originální e-mail", "reply message", "forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado", "mensagem encaminhada",
	"messaggio inoltrato", "doorgestuurd bericht", "videresendt", "vidarebefordrat", "原始邮件", "原邮件", "原始郵件", "转发邮件", "元のメッセージ", "転送メッセージ", "원본 메시지", "원본 메일", "הודעה מקורית", "الرسالة الأصلية",
}

// fieldWord is a header field that mailers print above a quoted mail.
type fieldWord uint8

const (
	fieldFrom fieldWord = iota + 1
	fieldSent
	fieldTo
	fieldCc
	fieldSubject
)

// fieldWords translates a field's name, in lower case.
func fieldWords(w string) fieldWord {
	switch w {
	case "from", "von", "de", "da", "van", "från", "fra", "lähettäjä", "od", "от", "от кого", "кто", "kimden", "gönderen", "feladó", "de la", "από", "від", "odesílatel", "odosielateľ",
		"expéditeur", "remitente", "mittente", "afzender", "nadawca", "发件人", "寄件者", "寄件人", "差出人", "보낸 사람", "보낸사람", "reply-to", "מאת", "من", "absender",
		"nuo", "dari", "saatja", "од", "từ", "frá", "šalje", "no", "จาก", "od koga":
		return fieldFrom
	case "sent", "date", "gesendet", "gesendet am", "datum", "envoyé", "envoyé le", "inviato", "inviato il", "data", "verzonden", "enviado", "enviado el", "enviada em", "enviado em", "enviada",
		"fecha", "skickat", "sendt", "dato", "lähetetty", "päivämäärä", "päiväys", "pvm", "wysłano", "wysłane", "отправлено", "дата", "отправлен", "надіслано", "gönderilen", "gönderme tarihi", "tarih", "küldve", "dátum",
		"elküldve", "odesláno", "odoslané", "trimis", "στάλθηκε", "ημερομηνία", "发送时间", "日期", "发送日期", "寄件日期", "送信日時", "日時", "日付", "보낸 날짜", "보낸날짜", "날짜", "נשלח", "תאריך", "sent at",
		"išsiųsta", "dikirim", "saadetud", "послато", "đã gửi", "poslano", "ส่งเมื่อ", "วันที่", "enviat", "nosūtīts", "изпратено", "gönderildi", "تم الإرسال", "التاريخ", "poslato", "ngày":
		return fieldSent
	case "to", "an", "à", "a", "aan", "para", "till", "til", "vastaanottaja", "do", "кому", "кому:", "kime", "alıcı", "címzett", "komu", "către", "catre", "προς", "收件人", "收件者", "宛先", "받는 사람", "받는사람",
		"destinataire", "destinatario", "אל", "إلى", "pour", "empfänger",
		"kam", "kepada", "adressaat", "за", "đến", "za", "prima", "ถึง", "per a":
		return fieldTo
	case "cc", "kopie", "copie", "copia", "cópia", "kopia", "копия", "копія", "cc to", "抄送", "副本", "참조", "kopio", "kopi", "bilgi", "másolat":
		return fieldCc
	case "subject", "betreff", "objet", "oggetto", "onderwerp", "asunto", "assunto", "ämne", "emne", "aihe", "temat", "тема", "тема письма", "konu", "tárgy", "předmět", "predmet", "subiect", "θέμα",
		"主题", "主旨", "件名", "제목", "נושא", "الموضوع", "re",
		"subjek", "teema", "chủ đề", "efni", "zadeva", "เรื่อง", "assumpte", "tēma", "относно", "tema":
		return fieldSubject
	}
	return 0
}

// aboveThisLine is what applications write above their words.
var aboveThisLine = [...]string{
	"reply above this line", "reply above the line", "reply above this text", "type your reply above", "write your reply above", "respond above this line", "write above this line", "type above this line",
	"reply above here", "reply by typing above", "do not write below this line", "don't write below this line", "please do not edit below", "please reply above",
	"oberhalb dieser zeile", "über dieser zeile", "au-dessus de cette ligne", "por encima de esta línea", "encima de esta línea", "acima desta linha", "sopra questa riga", "al di sopra di questa riga",
	"boven deze regel", "ovanför den här raden", "ovanför denna rad", "over denne linje", "over denne linjen", "tämän rivin yläpuolelle", "powyżej tej linii", "nad touto čárou", "nad tímto řádkem", "nad túto čiaru",
	"выше этой строки", "вище цього рядка", "bu satırın üzerine", "bu satırın üstüne", "fölé írja", "deasupra acestei linii", "πάνω από αυτή τη γραμμή", "מעל שורה זו", "فوق هذا السطر",
	"この行より上", "この線より上", "在此行上方", "在此行以上", "在這行上方", "이 줄 위에",
}

// mobileSignature knows the one-line signatures that mailers add by themselves.
func mobileSignature(line string) bool {
	if len(line) > 140 || strings.HasSuffix(line, ".") && strings.Count(line, " ") > 7 {
		return false
	}
	l := strings.ReplaceAll(strings.Trim(line, "*_[]() "), "’", "'")
	switch first, _, spaced := strings.Cut(l, " "); {
	case spaced && first[0] < utf8.RuneSelf && !opensMobile(first):
		return false // as nearly all lines
	case !spaced && !strings.ContainsFunc(l, func(r rune) bool { return r >= utf8.RuneSelf }):
		return false // as those of base64 and of keys: no signature is one word of ASCII
	}
	l = strings.ToLower(l)
	for _, p := range mobilePrefixes {
		if rest, ok := strings.CutPrefix(l, p); ok {
			words := strings.Fields(rest)
			return len(words) > 0 && len(words) <= 8 && !strings.Contains(rest, ", ")
		}
	}
	for _, w := range mobileLines {
		if strings.HasPrefix(l, w) {
			return len(strings.Fields(l)) <= len(strings.Fields(w))+5
		}
	}
	return false
}

// opensMobile says whether a word can be the first of a mobile signature.
func opensMobile(word string) bool {
	switch strings.ToLower(word) {
	case "sent", "gesendet", "von", "envoyé", "enviado", "inviato", "verzonden", "verstuurd", "skickat", "sendt", "lähetetty", "wysłano", "wysłane", "odesláno",
		"odoslané", "iphone'umdan", "gönderen:", "trimis", "elküldve", "get", "outlook", "holen", "télécharger", "obtener", "obtenir", "obter", "ottieni", "hämta", "hent",
		"enviat", "dikirim", "dihantar", "poslano", "poslato", "saadetud", "senda", "download", "my", "diese", "ce", "se", "mobiililaitteesta":
		return true
	}
	return false
}

var mobilePrefixes = [...]string{
	"sent from my ", "sent from outlook", "sent from mail for", "sent from yahoo", "sent from proton", "sent from samsung", "sent from gmail",
	"sent from the ", "sent from aol", "sent from windows mail", "sent from nine", "sent from blue", "sent from spark", "sent via ", "sent with ", "sent using ", "sent by ",
	"gesendet von ", "von meinem ", "gesendet mit ", "gesendet über ", "envoyé de mon ", "envoyé depuis ", "envoyé à partir de ", "envoyé avec ", "envoyé de ", "envoyé via ",
	"enviado desde ", "enviado do meu ", "enviado de mi ", "enviado do ", "enviado a partir ", "enviado pelo ", "enviado via ", "inviato da ", "inviato dal ", "inviato con ",
	"verzonden vanaf ", "verstuurd vanaf ", "verzonden met ", "verzonden via ", "skickat från ", "sendt fra ", "lähetetty ", "wysłano z ", "wysłane z ",
	"отправлено с ", "отправлено из ", "отправлено от ", "отправлено через ", "надіслано з ", "odesláno z ", "odoslané z ", "iphone'umdan ", "gönderen: ", "trimis de pe ", "elküldve ", "发自我的", "从我的", "發自我的", "寄自我的", "从 ",
	"enviat des d", "στάλθηκε από ", "נשלח מה", "נשלח מ", "أُرسلت من ", "مرسل من ", "نُشر من ", "ส่งจาก", "được gửi từ ", "dikirim dari ", "dihantar dari ", "從我的", "nosūtīts no ", "išsiųsta iš ",
	"poslano z ", "poslano s ", "poslato sa ", "послато са ", "изпратено от ", "saadetud minu ", "sent fra ", "senda úr ", "trimis de la ",
}

var mobileLines = [...]string{
	"get outlook for ", "outlook für ", "holen sie sich outlook", "télécharger outlook", "obtener outlook", "obtenir outlook", "obter o outlook", "ottieni outlook", "outlook voor ", "загрузить outlook",
	"скачать outlook", "hämta outlook", "hent outlook", "download outlook", "iphoneから送信", "my ipadから送信", "나의 iphone에서 보냄", "내 iphone에서 보냄", "发自", "發自", "iphone'umdan gönderildi",
	"von meinem iphone gesendet", "von meinem ipad gesendet", "diese nachricht wurde von meinem", "ce message a été envoyé de", "se envió desde", "sendt fra min", "mobiililaitteesta lähetetty",
}
