package mail

import (
	"strings"
	"time"

	"postern/gateway/mail/automatic"
	"postern/gateway/mail/date"
	"postern/gateway/mail/header"
)

// fill reads the top header into the message.
func (p *parser) fill(h header.Block) {
	m := p.msg
	m.Headers = make([]Header, len(h.Fields))
	for i, f := range h.Fields {
		m.Headers[i] = Header{Name: f.Name, Value: strings.Trim(p.dec.Text(f.Raw), " \t"), Raw: f.Raw}
	}
	m.Subject = strings.TrimSpace(m.header("Subject"))
	m.Date = p.date(h.Get("Date"))
	m.MessageID = firstID(messageIDs(p.dec.Text(h.Get("Message-ID"))))
	m.InReplyTo = p.ids(h, "In-Reply-To")
	m.References = p.ids(h, "References")
	m.From = p.dec.Addresses(h.All("From"))
	m.ReplyTo = p.dec.Addresses(h.All("Reply-To"))
	m.To = p.dec.Addresses(h.All("To"))
	m.Cc = p.dec.Addresses(h.All("Cc"))
	m.Bcc = p.dec.Addresses(h.All("Bcc"))
	if s := p.dec.Addresses(h.All("Sender")); len(s) > 0 {
		m.Sender = &s[0]
	}
	if len(h.All("From")) > 1 {
		p.defect("several From fields; the addresses of all are taken")
	}
	p.compose()
	ct := p.dec.Parameters(h.Get("Content-Type"))
	m.Automatic = automatic.Of(automatic.Mail{Header: h, ContentType: ct, From: m.From, Subject: m.Subject})
	m.Report = p.report(ct)
	if m.Report != nil && m.Automatic == "" && m.Report.Type == DeliveryStatus {
		m.Automatic = Bounce
	}
	p.calendars()
}

// maxDate bounds what is read of a Date field, in octets.
const maxDate = 2000

// date reads a Date field; the zero time for what can't be read.
func (p *parser) date(raw []byte) time.Time {
	if len(raw) > maxDate { // a piece of it is another date
		p.defect("the Date is too long to be one")
		return time.Time{}
	}
	t, defect := date.Parse(p.dec.Text(raw))
	if defect != "" {
		p.defect(defect)
	}
	return t
}

// header returns the value of the first field of that name.
func (m *Message) header(name string) string {
	for i := range m.Headers {
		if strings.EqualFold(m.Headers[i].Name, name) {
			return m.Headers[i].Value
		}
	}
	return ""
}

func firstID(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// ids reads a list of message identifiers (RFC 5322 3.6.4) from every field of
// a name.
func (p *parser) ids(h header.Block, name string) []string {
	var ids []string
	for _, f := range h.All(name) {
		ids = append(ids, messageIDs(p.dec.Text(f))...)
	}
	return ids
}

// messageIDs takes what stands in angle brackets, else words with an "@", else
// the whole value as one identifier.
func messageIDs(s string) []string {
	var ids []string
	for rest := s; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		id, after, _ := strings.Cut(strings.TrimLeft(rest[i:], "< "), ">")
		if id = strings.Join(strings.Fields(id), ""); id != "" {
			ids = append(ids, id)
		}
		rest = after
	}
	if len(ids) > 0 {
		return ids
	}
	for _, f := range strings.Fields(s) {
		if strings.Contains(f, "@") {
			ids = append(ids, strings.Trim(f, `",;`))
		}
	}
	if s = strings.Trim(s, " \t\r\n<>"); len(ids) == 0 && s != "" && !strings.ContainsAny(s, " \t") {
		ids = append(ids, s)
	}
	return ids
}
