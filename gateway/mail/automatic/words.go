package automatic

import (
	"slices"
	"strings"
)

// bounceSubject knows the subjects of bounces, in lower case.
func bounceSubject(s string) bool {
	for _, w := range []string{"undeliver", "delivery status notification", "delivery failure", "mail delivery failed", "returned mail", "delivery has failed", "delivery failed", "delivery delayed",
		"message delayed", "delayed mail", "delivery notification", "failure notice", "returned to sender", "mail delivery system", "mail delivery subsystem", "message not delivered", "could not be delivered",
		"non-delivery", "nondeliverable", "delivery report", "warning: could not send", "mail system error", "mail failure",
		"недоставлен", "не доставлено", "не удалось доставить", "unzustellbar", "nicht zugestellt", "übermittlung nicht möglich", "non remis", "échec de la remise", "non distribuable", "no se puede entregar",
		"no entregado", "impossibile recapitare", "mancato recapito", "onbestelbaar", "não é possível entregar", "não entregue", "kunde inte levereras", "não foi entregue", "niedostarcz", "配信不能", "配信できません",
		"无法传递", "退信", "未传递", "無法傳遞", "배달되지 않음", "teslim edilemedi", "ikke leveret", "nedoručiteln"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// dmarcReport knows the subjects of aggregate reports (RFC 9990, RFC 7489 7.2.1.1)
// in lower case.
func dmarcReport(s string) bool {
	return strings.Contains(s, "report domain:") && (strings.Contains(s, "submitter:") || strings.Contains(s, "report-id:")) ||
		strings.HasPrefix(s, "dmarc aggregate report") || strings.Contains(s, "dmarc") && strings.Contains(s, "aggregate report")
}

// absence is what a subject says of an absence note.
type absence uint8

const (
	present absence = iota
	perhaps         // "Out of office: …": people write that, too
	away            // "Automatic reply: …": nobody does
)

// absenceOf knows the subjects that mailers put before an absence note: a
// phrase, then a colon or nothing.
func absenceOf(subject string) absence {
	phrase, colon := strings.TrimSpace(subject), false
	if i := strings.IndexAny(phrase, ":："); i >= 0 {
		phrase, colon = phrase[:i], true
	}
	if len(phrase) > maxPhrase {
		return present
	}
	phrase = strings.ToLower(strings.TrimRight(phrase, " \u00a0"))
	switch {
	case slices.Contains(automaticReplies[:], phrase):
		if colon {
			return away
		}
		return perhaps
	case slices.Contains(absences[:], phrase):
		return perhaps
	case phrase == "auto" && strings.HasPrefix(subject, "AUTO: ") && lotusAbsence(strings.ToLower(subject)):
		return away
	}
	return present
}

// maxPhrase is more than any of the phrases has, in octets.
const maxPhrase = 80

// lotusAbsence knows the wording of Notes behind "AUTO: ".
func lotusAbsence(s string) bool {
	for _, w := range []string{"out of the office", "is out of", "(returning ", "returning on", "abwesend", "außer haus", "nicht im büro", "absent", "fuori ufficio", "fuera de la oficina", "fora do escritório", "niet aanwezig", "不在"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// automaticReplies are what Exchange and Outlook put before the subject that
// they answer, in the languages that they are sold in.
var automaticReplies = [...]string{
	"automatic reply", "auto-reply", "auto reply", "autoreply", "automatic response", "auto response", "autoresponse", "out of office autoreply", "out of office auto-reply", "automatische antwort", "autom. antwort", "automatische abwesenheitsnotiz",
	"réponse automatique", "reponse automatique", "respuesta automática", "respuesta automatica", "risposta automatica", "resposta automática", "resposta automàtica",
	"automatisch antwoord", "automatische reactie", "automatiskt svar", "autosvar", "automatisk svar", "automaattinen vastaus", "odpowiedź automatyczna",
	"automatyczna odpowiedź", "automatická odpověď", "automatická odpoveď", "automatikus válasz", "răspuns automat", "автоматичен отговор", "автоответ", "автоматический ответ",
	"автоматична відповідь", "автовідповідь", "αυτόματη απάντηση", "otomatik yanıt", "otomatik yanit", "otomatik cevap", "תשובה אוטומטית", "מענה אוטומטי",
	"رد تلقائي", "الرد التلقائي", "پاسخ خودکار", "自動応答", "自動返信", "자동 회신", "자동 응답", "자동회신", "自动答复", "自动回复", "自動回覆", "自動回復", "การตอบกลับอัตโนมัติ", "ตอบกลับอัตโนมัติ",
	"trả lời tự động", "thư trả lời tự động", "balasan otomatis", "balasan automatik", "automatski odgovor", "аутоматски одговор", "samodejni odgovor", "automaatvastus",
	"automātiska atbilde", "automātiskā atbilde", "automatinis atsakymas", "erantzun automatikoa", "स्वचालित उत्तर", "автоматты жауап", "sjálfvirkt svar",
	"awtomatikong tugon", "majibu ya kiotomatiki", "avtomatik cavab", "avtomatik javob", "ავტომატური პასუხი", "ինքնաշխատ պատասխան",
}

// absences are subjects of absence notes that people write, too.
var absences = [...]string{
	"out of office", "out of the office", "out of office reply", "vacation reply", "away from my mail",
	"i am out of the office", "abwesenheitsnotiz", "abwesenheit", "nicht im büro", "absence du bureau", "absent(e) du bureau",
	"message d'absence", "fuera de la oficina", "fuera de oficina", "ausente de la oficina", "fuori ufficio", "fuori sede", "assente dall'ufficio", "fora do escritório",
	"ausência temporária", "ausente do escritório", "afwezig", "afwezigheidsbericht", "frånvarande", "ej på kontoret", "fraværende", "ikke til stede", "poissa",
	"nieobecność", "poza biurem", "mimo kancelář", "mimo kancelárie", "házon kívül", "în afara biroului", "извън офиса", "вне офиса", "нет на работе", "εκτός γραφείου",
	"ofis dışında", "מחוץ למשרד", "خارج المكتب", "不在通知", "외출 중",
}
