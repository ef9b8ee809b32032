package mail

import (
	"net/mail"
	"regexp"
	"strings"
	"time"

	gomail "github.com/emersion/go-message/mail"

	"postern/gateway/text"
)

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
	m.Automatic = automatic(h, p.dec.parseParameters(h.get("Content-Type")), m)
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

// date reads a Date field; the zero time and a defect when nobody could.
func (p *parser) date(raw []byte) time.Time {
	s := strings.TrimSpace(p.dec.header(raw[:min(len(raw), 200)]))
	if s == "" {
		return time.Time{}
	}
	for _, layout := range [...]string{"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700"} { // nearly all mail
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	var h gomail.Header
	h.Set("Date", s)
	if t, err := h.Date(); err == nil {
		return t
	}
	if t, ok := parseDate(s); ok {
		return t
	}
	p.defectf("unreadable Date %q", text.Shorten(s, 60))
	return time.Time{}
}

// looseDates are the forms of dates that mailers really send beside RFC 5322's.
var looseDates = [...]string{
	"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04 MST", "2 Jan 2006 15:04",
	"2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04:05 MST", "2 Jan 06 15:04:05", "2 Jan 06 15:04 MST", "2 Jan 06 15:04",
	"Jan 2 15:04:05 2006", "Jan 2 15:04:05 MST 2006", "Jan 2 15:04:05 -0700 2006", "Jan 2 15:04:05 2006 -0700", "Jan 2 2006 15:04:05 -0700", "Jan 2 2006 15:04:05",
	"Jan 2 2006 3:04:05 PM", "Jan 2 2006 3:04 PM",
	"2 January 2006 15:04:05 -0700", "2 January 2006 15:04:05", "January 2 2006 15:04:05", "January 2 2006 15:04",
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	"2.1.2006 15:04:05", "02.01.2006 15:04", "2006/01/02 15:04:05", "2-Jan-2006 15:04:05 -0700", "2-Jan-06 15:04:05 MST", "2 Jan 2006",
	"1/2/2006 3:04:05 PM", "1/2/2006 15:04:05",
}

// dateJunk is what is taken off a date before it is tried: the weekday, commas,
// comments, a repeated zone, GMT before an offset.
var dateJunk = regexp.MustCompile(`(?i)^\s*(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?\s*,?\s*|\([^)]*\)|,|\b(?:GMT|UTC|UT)\b\s*([+-])`)

func parseDate(s string) (time.Time, bool) {
	s = dateJunk.ReplaceAllString(s, " $2")
	s = strings.Join(strings.Fields(s), " ")
	if t, err := mail.ParseDate(s); err == nil {
		return t, true
	}
	for zone, offset := range map[string]string{" MSK": " +0300", " CET": " +0100", " CEST": " +0200", " JST": " +0900", " Z": " +0000"} {
		if strings.HasSuffix(s, zone) {
			s = strings.TrimSuffix(s, zone) + offset
		}
	}
	for i := 0; i < 2; i++ {
		for _, layout := range looseDates {
			if t, err := time.Parse(layout, s); err == nil {
				return t, true
			}
		}
		j := strings.LastIndexByte(s, ' ') // once more without its last word
		if j < 0 {
			break
		}
		s = s[:j]
	}
	return time.Time{}, false
}
