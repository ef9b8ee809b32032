package mail

import (
	"io"
	"strings"

	"postern/gateway/mail/header"
	"postern/gateway/text"
)

// Report is what a mail system tells of another mail: a delivery report or bounce
// (RFC 3464), a complaint (RFC 5965), a receipt (RFC 8098).
type Report struct {
	Type       ReportType
	Recipients []ReportedRecipient
	MessageID  string   // of the mail that is reported on, without angle brackets; "" unknown
	Headers    []Header // of that mail, as far as the report quotes it
}

// ReportType is the kind of a Report: the report-type of multipart/report.
type ReportType string

// The kinds of reports.
const (
	DeliveryStatus ReportType = "delivery-status"
	Feedback       ReportType = "feedback-report"
	Disposition    ReportType = "disposition-notification"
)

// ReportedRecipient is whom a report is about, and what happened.
type ReportedRecipient struct {
	Address    string // whom the mail was sent to
	Action     string // failed, delayed, delivered, relayed, expanded; of a receipt displayed, deleted …; of a complaint abuse, fraud …; lower case
	Status     string // enhanced status code (RFC 3463), "" unknown
	Diagnostic string // what the other side said
	RemoteMTA  string // who said it
}

// Bounds of what is read of a report.
const (
	reportPart       = 256 << 10 // octets of a part
	reportRecipients = 1000
	reportText       = 2000 // octets of a diagnostic
)

// report reads the parts of a multipart/report, and bounces that are none.
func (p *parser) report(ct header.Parameters) *Report {
	r := &Report{}
	for i := range p.msg.Attachments {
		a := &p.msg.Attachments[i]
		switch a.ContentType {
		case "message/delivery-status", "message/global-delivery-status":
			r.Type = DeliveryStatus
			p.deliveryStatus(r, p.partOf(a, reportPart))
		case "message/feedback-report":
			r.Type = Feedback
			p.feedback(r, p.partOf(a, reportPart))
		case "message/disposition-notification", "message/global-disposition-notification":
			r.Type = Disposition
			p.disposition(r, p.partOf(a, reportPart))
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers":
			if r.Headers == nil && (r.Type != "" || ct.Value == "multipart/report") {
				p.original(r, p.partOf(a, reportPart))
			}
		}
	}
	if r.Type == "" {
		return p.plainBounce(r)
	}
	return r
}

// partOf is the beginning of an attachment's content.
func (p *parser) partOf(a *Attachment, most int64) []byte {
	if !p.book(min(a.Size, most) * perCodedOctet) {
		return nil
	}
	r, err := a.Content.Open()
	if err != nil {
		p.err = err
		return nil
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		p.err = err
	}
	return b
}

// groups cuts a part into its blocks of fields: blank lines stand between them.
func groups(b []byte) []header.Block {
	var out []header.Block
	for len(b) > 0 && len(out) <= reportRecipients {
		h, n, _ := header.Reader{Max: 50, Room: 8}.Read(b)
		if len(h.Fields) > 0 {
			out = append(out, h)
		}
		if n <= 0 {
			break
		}
		b = b[n:]
	}
	return out
}

// fieldText is a field's value, decoded, on one line.
func (p *parser) fieldText(h *header.Block, name string) string {
	return text.Clip(strings.TrimSpace(p.dec.Text(h.Get(name))), reportText)
}

// typed drops the type before a value: "rfc822; ann@x.org".
func typed(s string) string {
	if kind, value, ok := strings.Cut(s, ";"); ok && !strings.ContainsAny(kind, " <@") {
		return strings.TrimSpace(value)
	}
	return s
}

// typedAddress is the address of "rfc822; <ann@x.org>".
func typedAddress(s string) string { return strings.Trim(typed(s), " <>") }

// deliveryStatus reads RFC 3464.
func (p *parser) deliveryStatus(r *Report, b []byte) {
	for _, h := range groups(b) {
		h := &h
		who := typedAddress(p.fieldText(h, "Original-Recipient"))
		if who == "" {
			who = typedAddress(p.fieldText(h, "Final-Recipient"))
		}
		action := p.fieldText(h, "Action")
		if who == "" && action == "" || len(r.Recipients) >= reportRecipients {
			continue // the fields of the message
		}
		r.Recipients = append(r.Recipients, ReportedRecipient{
			Address: who, Action: firstWord(action), Status: statusCode(p.fieldText(h, "Status")),
			Diagnostic: typed(p.fieldText(h, "Diagnostic-Code")), RemoteMTA: typed(p.fieldText(h, "Remote-MTA")),
		})
	}
}

// feedback reads RFC 5965.
func (p *parser) feedback(r *Report, b []byte) {
	for _, h := range groups(b) {
		h := &h
		kind := firstWord(p.fieldText(h, "Feedback-Type"))
		diagnostic := p.fieldText(h, "User-Agent")
		mta := typed(p.fieldText(h, "Reporting-MTA"))
		for _, raw := range h.All("Original-Rcpt-To") {
			if len(r.Recipients) < reportRecipients {
				r.Recipients = append(r.Recipients, ReportedRecipient{Address: strings.Trim(strings.TrimSpace(p.dec.Text(raw)), "<>"), Action: kind, Diagnostic: diagnostic, RemoteMTA: mta})
			}
		}
		if kind != "" && len(r.Recipients) == 0 {
			r.Recipients = append(r.Recipients, ReportedRecipient{Action: kind, Diagnostic: diagnostic, RemoteMTA: mta})
		}
	}
}

// disposition reads RFC 8098: "manual-action/MDN-sent-manually; displayed/error".
func (p *parser) disposition(r *Report, b []byte) {
	for _, h := range groups(b) {
		h := &h
		who := typedAddress(p.fieldText(h, "Original-Recipient"))
		if who == "" {
			who = typedAddress(p.fieldText(h, "Final-Recipient"))
		}
		_, what, ok := strings.Cut(p.fieldText(h, "Disposition"), ";")
		if who == "" && !ok {
			continue
		}
		what, _, _ = strings.Cut(what, "/")
		r.Recipients = append(r.Recipients, ReportedRecipient{Address: who, Action: firstWord(what), Diagnostic: p.fieldText(h, "Error"), RemoteMTA: p.fieldText(h, "Reporting-UA")})
		if id := messageIDs(p.fieldText(h, "Original-Message-ID")); len(id) > 0 {
			r.MessageID = id[0]
		}
	}
}

// original reads the header of the mail that is reported on.
func (p *parser) original(r *Report, b []byte) {
	h, _, _ := header.Reader{Max: 200, Room: 24}.Read(b)
	for _, f := range h.Fields {
		r.Headers = append(r.Headers, Header{Name: f.Name, Value: strings.Trim(p.dec.Text(f.Raw), " \t")})
	}
	if id := firstID(messageIDs(p.dec.Text(h.Get("Message-ID")))); id != "" {
		r.MessageID = id
	}
}

// firstWord is a keyword, lower case, without a comment behind it.
func firstWord(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	s, _, _ = strings.Cut(s, "(")
	return strings.ToLower(s)
}

// statusCode finds an enhanced status code (RFC 3463) in a value.
func statusCode(s string) string {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) {
		if parts := strings.Split(w, "."); len(parts) == 3 && len(parts[0]) == 1 && strings.Contains("245", parts[0]) && len(parts[1]) > 0 && len(parts[1]) <= 3 && len(parts[2]) > 0 && len(parts[2]) <= 3 {
			return w
		}
	}
	return ""
}
