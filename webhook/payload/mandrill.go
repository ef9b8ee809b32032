package payload

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// maxMandrill bounds the events: Rack takes 16 MiB of form fields. Above it the
// attachments stand in raw_msg only.
const maxMandrill = 16 << 20

// Mandrill is Mandrill's inbound webhook, one event a POST since a bad one would
// fail its whole batch, as multipart since receivers take larger fields there.
type Mandrill struct{}

// Name implements Format.
func (Mandrill) Name() string { return "mandrill" }

// PerRecipient implements Format: an event has one email.
func (Mandrill) PerRecipient() bool { return true }

// NeedsKey implements Keyed.
func (Mandrill) NeedsKey() bool { return true }

// Render implements Format.
func (Mandrill) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(mandrillClaims)
	if err != nil {
		return Body{}, err
	}
	d = withOptions(d, o)
	raw, err := downgraded(&d)
	if err != nil {
		return Body{}, err
	}
	if raw, err = ofText(originalTo(&d)).then(raw).inJSON(); err != nil {
		return Body{}, err
	}
	events, err := mandrillEvents(&d, raw, true)
	if err == nil && events.Length > maxMandrill {
		events, err = mandrillEvents(&d, raw, false)
	}
	if err != nil {
		return Body{}, err
	}
	signature, err := mandrillSignature(signingKey(o.Secret), o.URL, events.Write)
	if err != nil {
		return Body{}, err
	}
	f := newForm(d.ID)
	f.value("mandrill_events", stream{events.Length, events.Write})
	b, err := f.finish()
	b.Header = http.Header{"X-Mandrill-Signature": {signature}}
	return b, err
}

// mandrillSignature covers the URL as configured, userinfo included, and the
// field's name and value.
func mandrillSignature(key, url string, events func(io.Writer) error) (string, error) {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(url + "mandrill_events"))
	if err := events(mac); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

func mandrillEvents(d *Delivery, raw stream, attachments bool) (Body, error) {
	c := mandrillBody{d: d, m: d.Message}
	c.literal("[")
	c.open('{')
	c.field("event", "inbound")
	c.key("ts")
	c.int(d.Envelope.Received.Unix())
	c.key("msg")
	c.open('{')
	c.key("raw_msg")
	c.quoted(raw)
	c.who()
	c.field("subject", text.OneLine(c.m.Subject))
	c.field("text", c.m.Text)
	c.key("text_flowed")
	c.bool(false)
	if c.m.HTML != "" {
		c.field("html", c.m.HTML)
	}
	c.headers()
	c.verdicts()
	if attachments {
		c.files("attachments", func(a *mail.Attachment) bool { return !isImage(a) })
		c.files("images", isImage)
	}
	c.text("}}]")
	return c.body("application/json")
}

type mandrillBody struct {
	composer
	d *Delivery
	m *mail.Message
}

func (c *mandrillBody) who() {
	c.field("email", recipient(c.d).Address)
	c.key("sender")
	c.null()
	var from mail.Address
	if len(c.m.From) > 0 {
		from = c.m.From[0]
	}
	c.field("from_email", text.OneLine(from.Address))
	c.field("from_name", text.OneLine(from.Name))
	c.pairs("to", c.m.To)
	if len(c.m.Cc) > 0 {
		c.pairs("cc", c.m.Cc)
	}
	c.key("tags")
	c.strs(nil)
	c.key("template")
	c.null()
}

func (c *mandrillBody) pairs(key string, list []mail.Address) {
	c.key(key)
	c.open('[')
	for _, a := range list {
		c.open('[')
		c.str(text.OneLine(a.Address))
		if name := text.OneLine(a.Name); name != "" {
			c.str(name)
		} else {
			c.null()
		}
		c.close(']')
	}
	c.close(']')
}

// headers is an object; a repeated field is an array.
func (c *mandrillBody) headers() {
	c.key("headers")
	c.grouped(c.m, func(name string) string { return name })
}

// grouped writes the decoded header fields as an object by name: a value, or an
// array of them where the field is repeated.
func (c *composer) grouped(m *mail.Message, as func(name string) string) {
	var order []string
	values := map[string][]string{}
	names := map[string]string{}
	for i := range m.Headers {
		h := &m.Headers[i]
		key := strings.ToLower(h.Name)
		if values[key] == nil {
			order = append(order, key)
			names[key] = as(h.Name)
		}
		values[key] = append(values[key], text.OneLine(h.Value))
	}
	c.open('{')
	for _, key := range order {
		c.key(names[key])
		if v := values[key]; len(v) == 1 {
			c.str(v[0])
		} else {
			c.strs(v)
		}
	}
	c.close('}')
}

func (c *mandrillBody) verdicts() {
	spf, dkim, _ := verdicts(c.d.Envelope)
	if spf != "" {
		c.key("spf")
		c.open('{')
		c.field("result", spf)
		c.field("detail", "")
		c.close('}')
	}
	if s := c.d.Envelope.Spam; s != nil {
		c.spamReport(s)
	}
	if dkim == "" {
		return
	}
	c.key("dkim")
	c.open('{')
	c.key("signed")
	c.bool(dkim != "none")
	c.key("valid")
	c.bool(dkim == "pass")
	c.close('}')
}

func (c *mandrillBody) spamReport(s *mail.Spam) {
	c.key("spam_report")
	c.open('{')
	c.key("score")
	c.literal(decimal(s.Score))
	c.key("matched_rules")
	c.open('[')
	for _, f := range s.Symbols {
		c.open('{')
		c.field("name", f.Name)
		c.key("score")
		c.literal(decimal(f.Score))
		c.field("description", "")
		c.close('}')
	}
	c.close(']')
	c.close('}')
}

// isImage reports whether an attachment is an image of the html.
func isImage(a *mail.Attachment) bool {
	return inline(a) != "" && strings.HasPrefix(a.ContentType, "image/")
}

// files is an object by file name, which so has to be unique; absent when empty.
func (c *mandrillBody) files(key string, want func(*mail.Attachment) bool) {
	used := map[string]int{} // how often a name was asked for
	for i := range c.m.Attachments {
		a := &c.m.Attachments[i]
		if !want(a) {
			continue
		}
		if len(used) == 0 {
			c.key(key)
			c.open('{')
		}
		asked := fileName(a, i+1)
		name := asked
		for used[name] > 0 {
			used[asked]++
			name = strconv.Itoa(used[asked]) + "-" + asked
		}
		used[name]++
		c.key(name)
		c.open('{')
		if isImage(a) {
			c.field("name", inline(a))
		} else {
			c.field("name", name)
		}
		c.field("type", fileType(a))
		c.key("content")
		c.base64(a)
		c.key("base64")
		c.bool(true)
		c.close('}')
	}
	if len(used) > 0 {
		c.close('}')
	}
}
