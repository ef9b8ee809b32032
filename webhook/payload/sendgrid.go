package payload

import (
	"fmt"
	"strconv"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// SendGrid is SendGrid's Inbound Parse with parsed fields.
type SendGrid struct{}

// Name implements Format.
func (SendGrid) Name() string { return "sendgrid" }

// PerRecipient implements Format: envelope.to is a list.
func (SendGrid) PerRecipient() bool { return false }

// Render implements Format.
func (SendGrid) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(sendgridClaims)
	if err != nil {
		return Body{}, err
	}
	d = withOptions(d, o)
	f := sendgridForm{newForm(d.ID)}
	m := d.Message
	var headers strings.Builder
	for _, h := range fields(m, coded) {
		headers.WriteString(h.name + ": " + h.value + "\n")
	}
	f.field("headers", headers.String())
	f.common(&d)
	f.field("cc", shown(m.Cc))
	if m.Text != "" {
		f.field("text", m.Text)
	}
	if m.HTML != "" {
		f.field("html", m.HTML)
	}
	f.field("charsets", `{"to":"UTF-8","html":"UTF-8","subject":"UTF-8","from":"UTF-8","text":"UTF-8","cc":"UTF-8"}`)
	f.attachments(&d)
	return f.finish()
}

// SendGridRaw is SendGrid's Inbound Parse with "send raw": the whole message in
// the field email, and never a field headers, which would select parsed mode.
type SendGridRaw struct{}

// Name implements Format.
func (SendGridRaw) Name() string { return "sendgrid-raw" }

// PerRecipient implements Format.
func (SendGridRaw) PerRecipient() bool { return false }

// Render implements Format.
func (SendGridRaw) Render(d Delivery, _ Options) (Body, error) {
	d, err := d.without(sendgridClaims)
	if err != nil {
		return Body{}, err
	}
	raw, err := downgraded(&d)
	if err != nil {
		return Body{}, err
	}
	f := sendgridForm{newForm(d.ID)}
	f.value("email", raw)
	f.common(&d)
	f.field("charsets", `{"to":"UTF-8","subject":"UTF-8","from":"UTF-8"}`)
	return f.finish()
}

type sendgridForm struct{ *form }

// common are the fields of both modes.
func (f sendgridForm) common(d *Delivery) {
	f.field("from", shown(d.Message.From))
	f.field("to", shown(d.Message.To))
	f.field("subject", text.OneLine(d.Message.Subject))
	f.json("envelope", func(c *composer) {
		c.open('{')
		c.key("to")
		c.open('[')
		for _, r := range d.Recipients {
			c.str(r.Address)
		}
		c.close(']')
		c.field("from", d.Envelope.From)
		c.close('}')
	})
	f.field("sender_ip", clientIP(d.Envelope))
	spf, dkim, _ := verdicts(d.Envelope)
	if spf != "" {
		f.field("SPF", spf)
	}
	if dkim != "" {
		f.field("dkim", sendgridDKIM(d.Envelope.Verdict.DKIM))
	}
	if s := d.Envelope.Spam; s != nil {
		f.field("spam_score", decimal(s.Score))
		f.field("spam_report", strings.Join(symbolNames(s), "\n"))
	}
}

// sendgridDKIM is SendGrid's notation of the signatures, which isn't JSON.
func sendgridDKIM(signatures []mail.DKIMResult) string {
	if len(signatures) == 0 {
		return "none"
	}
	parts := make([]string, len(signatures))
	for i, k := range signatures {
		parts[i] = fmt.Sprintf("@%s : %s", text.OneLine(k.Domain), k.Result)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// attachments needs attachment-info: Anymail reads no file without it.
func (f sendgridForm) attachments(d *Delivery) {
	list := files(d)
	f.field("attachments", strconv.Itoa(len(list)))
	if len(list) == 0 {
		return
	}
	f.json("attachment-info", func(c *composer) {
		c.open('{')
		for i := range list {
			name := fileName(&list[i], i+1)
			c.key(attachmentKey(i))
			c.open('{')
			c.field("filename", name)
			c.field("name", name)
			c.field("type", fileType(&list[i]))
			if cid := inline(&list[i]); cid != "" {
				c.field("content-id", cid)
			}
			c.close('}')
		}
		c.close('}')
	})
	f.json("content-ids", func(c *composer) {
		c.open('{')
		for i := range list {
			if cid := inline(&list[i]); cid != "" {
				c.field(cid, attachmentKey(i))
			}
		}
		c.close('}')
	})
	for i := range list {
		f.file(attachmentKey(i), &list[i])
	}
}

func attachmentKey(i int) string { return "attachment" + strconv.Itoa(i+1) }
