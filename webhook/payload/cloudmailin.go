package payload

import (
	"strings"

	"postern/gateway/text"
)

// CloudMailin is CloudMailin's normalized JSON. Its receivers answer as to an
// SMTP client: every 4xx rejects.
type CloudMailin struct{}

// Name implements Format.
func (CloudMailin) Name() string { return "cloudmailin" }

// PerRecipient implements Format.
func (CloudMailin) PerRecipient() bool { return false }

// Stops implements Stopper.
func (CloudMailin) Stops(status int) bool { return status >= 400 && status <= 499 }

// Render implements Format.
func (CloudMailin) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(cloudmailinClaims)
	if err != nil {
		return Body{}, err
	}
	b, err := cloudmailinBody(&d, place(o.Attachments, Inline, d.Links))
	if err == nil && o.InlineLimit > 0 && b.Length > o.InlineLimit && d.Links != nil && !b.UsesLinks && len(d.Message.Attachments) > 0 {
		return cloudmailinBody(&d, place(URL, Inline, d.Links))
	}
	return b, err
}

func cloudmailinBody(d *Delivery, where Where) (Body, error) {
	var c composer
	m := d.Message
	c.open('{')
	c.key("headers")
	c.grouped(m, func(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") })
	cloudmailinEnvelope(&c, d)
	c.field("plain", m.Text)
	c.field("html", m.HTML)
	c.field("reply_plain", m.Reply.Text)
	c.key("attachments")
	c.open('[')
	for i := range m.Attachments {
		a := &m.Attachments[i]
		c.open('{')
		switch where {
		case Inline:
			c.key("content")
			c.base64(a)
		case URL:
			c.field("url", d.Links.Attachment(d.Envelope.ID, i, a.Filename))
		}
		c.field("file_name", fileName(a, i+1))
		c.field("content_type", a.ContentType)
		c.key("size")
		c.int(a.Size)
		c.field("disposition", a.Disposition)
		c.field("content_id", text.OneLine(a.ContentID))
		c.close('}')
	}
	c.close(']')
	c.close('}')
	b, err := c.body("application/json")
	b.UsesLinks = where == URL && len(m.Attachments) > 0
	return b, err
}

func cloudmailinEnvelope(c *composer, d *Delivery) {
	c.key("envelope")
	c.open('{')
	c.field("to", recipient(d).Address)
	c.field("from", d.Envelope.From)
	c.key("recipients")
	c.open('[')
	for _, r := range d.Recipients {
		c.str(r.Address)
	}
	c.close(']')
	c.field("helo_domain", d.Envelope.Hello)
	c.field("remote_ip", clientIP(d.Envelope))
	c.key("tls")
	c.bool(d.Envelope.TLS != nil)
	if spf, _, _ := verdicts(d.Envelope); spf != "" {
		c.key("spf")
		c.open('{')
		c.field("result", spf)
		c.field("domain", d.Envelope.Verdict.SPF.Domain)
		c.close('}')
	}
	c.close('}')
}
