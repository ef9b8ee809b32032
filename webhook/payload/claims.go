package payload

import (
	"bytes"
	"slices"
	"strings"

	"postern/gateway/mail"
)

// claims are the header fields by which a dialect's service speaks to its
// receivers. They come from whoever wrote the mail here, so that dialect goes
// without them.
type claims struct {
	fields []string // beginnings of names, in lower case
	host   string   // of the service, in Authentication-Results; "" none
}

// routing is what Action Mailbox and others route by, as if the gateway had
// said it.
var routing = []string{"x-original-to", "x-forwarded-to"}

var (
	routeClaims       = claims{fields: routing}
	postmarkClaims    = serviceClaims("postmarkapp.com", "x-pm-")
	sendgridClaims    = serviceClaims("sendgrid.net", "x-sendgrid-")
	mailgunClaims     = serviceClaims("mailgun.org", "x-mailgun-", "x-envelope-from")
	mandrillClaims    = serviceClaims("mandrillapp.com", "x-mandrill-")
	cloudmailinClaims = serviceClaims("cloudmailin.net", "x-cloudmailin-")
	sesClaims         = serviceClaims("amazonses.com", "x-ses-")
)

// serviceClaims are those of a service, which also delivers finally and filters
// spam.
func serviceClaims(host string, fields ...string) claims {
	return claims{append(append(fields, routing...), "return-path", "x-spam-"), host}
}

// made reports whether a field, its name in mail.FindFields' spelling, is one.
func (c claims) made(name, value []byte) bool {
	if slices.ContainsFunc(c.fields, func(f string) bool { return bytes.HasPrefix(name, []byte(f)) }) {
		return true
	}
	if c.host == "" || !bytes.Contains(name, []byte("authentication-results")) {
		return false
	}
	by, _, _ := strings.Cut(mail.DecodeValue(value), "=")
	return strings.Contains(strings.ToLower(strings.ReplaceAll(by, `"`, "")), c.host)
}

// without is the delivery without the fields that c lists, in its message as
// well as in its octets.
func (d Delivery) without(c claims) (Delivery, error) {
	cut, err := mail.FindFields(d.Raw, func(_ int64, name, value []byte) bool { return c.made(name, value) })
	if err != nil || len(cut) == 0 {
		return d, err
	}
	m := *d.Message
	m.Headers = slices.DeleteFunc(slices.Clone(m.Headers), func(h mail.Header) bool { return c.made(mail.LooseName(h.Name), h.Raw) })
	d.Message, d.Raw, d.RawSum = &m, mail.Without(d.Raw, cut), nil
	return d, nil
}
