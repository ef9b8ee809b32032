package payload

import (
	"net/url"
	"strings"

	"postern/gateway/text"
)

// Raw is the message itself, octet for octet: Rails Action Mailbox's relay
// ingress (message/rfc822) and Laravel's MailCare driver, which wants its own
// spelling of the type and is known by its path. The envelope's recipients come
// first, each in an X-Original-To field: it is by these that Action Mailbox
// routes what is not addressed in To or Cc. The mail's own fields of that kind go.
type Raw struct{}

// Name implements Format.
func (Raw) Name() string { return "raw" }

// PerRecipient implements Format.
func (Raw) PerRecipient() bool { return false }

// Render implements Format.
func (Raw) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(routeClaims)
	if err != nil {
		return Body{}, err
	}
	var c composer
	c.text(originalTo(&d))
	c.stream(ofSource(d.Raw))
	contentType := "message/rfc822"
	if u, err := url.Parse(o.URL); err == nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/mailcare") {
		contentType = "message/rfc2822"
	}
	return c.body(contentType)
}

// originalTo is an X-Original-To field for each recipient.
func originalTo(d *Delivery) string {
	var b strings.Builder
	for _, r := range d.Recipients {
		b.WriteString("X-Original-To: " + text.OneLine(r.Address) + "\r\n")
	}
	return b.String()
}
