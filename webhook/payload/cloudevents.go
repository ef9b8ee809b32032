package payload

import (
	"net/http"
	"net/url"
	"strings"
)

// CloudEvents is a CloudEvents 1.0.2 event in binary mode: the body is the
// message itself, the attributes are in the header.
type CloudEvents struct{}

// Name implements Format.
func (CloudEvents) Name() string { return "cloudevents" }

// PerRecipient implements Format.
func (CloudEvents) PerRecipient() bool { return false }

// Render implements Format. Extensions carry the envelope, recipients separated
// by commas.
func (CloudEvents) Render(d Delivery, o Options) (Body, error) {
	var c composer
	c.stream(ofSource(d.Raw))
	b, err := c.body("message/rfc822")
	to := make([]string, len(d.Recipients))
	for i, r := range d.Recipients {
		to[i] = r.Address
	}
	b.Header = http.Header{}
	for name, value := range map[string]string{
		"specversion":  "1.0",
		"id":           d.ID,
		"source":       "smtp://" + o.Hostname + "/" + url.PathEscape(d.Endpoint),
		"type":         "email.received",
		"time":         d.Envelope.Received.UTC().Format(instant),
		"subject":      d.Message.MessageID,
		"envelopefrom": d.Envelope.From,
		"envelopeto":   strings.Join(to, ","),
	} {
		if value != "" {
			b.Header.Set("Ce-"+name, attribute(value))
		}
	}
	b.Header.Set("WebHook-Request-Origin", o.Hostname)
	return b, err
}

// attribute encodes a value for the header (CloudEvents HTTP binding, 3.1.3.2):
// space, double quote, percent and everything outside of U+0021 to U+007E.
func attribute(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == '"' || c == '%' || c > '~' {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
