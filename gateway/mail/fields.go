package mail

import "strings"

// fill reads the top header into the message.
func (p *parser) fill(h header) {
	m := p.msg
	m.Headers = make([]Header, len(h.fields))
	for i, f := range h.fields {
		m.Headers[i] = Header{Name: f.name, Value: strings.Trim(p.dec.header(f.raw), " \t"), Raw: f.raw}
	}
	m.Subject = strings.TrimSpace(m.header("Subject"))
	m.Date = p.date(h.get("Date"))
	m.MessageID = firstID(messageIDs(p.dec.header(h.get("Message-ID"))))
	m.InReplyTo = p.ids(h, "In-Reply-To")
	m.References = p.ids(h, "References")
	m.From = p.dec.addresses(h.all("From"))
	m.ReplyTo = p.dec.addresses(h.all("Reply-To"))
	m.To = p.dec.addresses(h.all("To"))
	m.Cc = p.dec.addresses(h.all("Cc"))
	m.Bcc = p.dec.addresses(h.all("Bcc"))
	if s := p.dec.addresses(h.all("Sender")); len(s) > 0 {
		m.Sender = &s[0]
	}
	if len(h.all("From")) > 1 {
		p.defect("several From fields; the addresses of all are taken")
	}
	p.compose()
	ct := p.dec.parseParameters(h.get("Content-Type"))
	m.Automatic = automatic(h, ct, m)
	m.Report = p.report(ct)
	if m.Report != nil && m.Automatic == "" && m.Report.Type == DeliveryStatus {
		m.Automatic = Bounce
	}
	p.calendars()
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
func (p *parser) ids(h header, name string) []string {
	var ids []string
	for _, f := range h.all(name) {
		ids = append(ids, messageIDs(p.dec.header(f))...)
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
		id, after, ok := strings.Cut(rest[i+1:], ">")
		if !ok {
			id, after = rest[i+1:], ""
		}
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
	if s = strings.TrimSpace(s); len(ids) == 0 && s != "" && !strings.ContainsAny(s, " \t") {
		ids = append(ids, s)
	}
	return ids
}
