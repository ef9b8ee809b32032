package payload

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// Mailgun is a Mailgun route's POST with parsed fields.
type Mailgun struct{}

// Name implements Format.
func (Mailgun) Name() string { return "mailgun" }

// PerRecipient implements Format.
func (Mailgun) PerRecipient() bool { return true }

// NeedsKey implements Keyed.
func (Mailgun) NeedsKey() bool { return true }

// Render implements Format.
func (Mailgun) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(mailgunClaims)
	if err != nil {
		return Body{}, err
	}
	d = withOptions(d, o)
	f := mailgunForm{newForm(d.ID)}
	f.common(&d, o)
	m := d.Message
	f.field("body-plain", m.Text)
	if m.HTML != "" {
		f.field("body-html", m.HTML)
	}
	f.field("stripped-text", m.Reply.Text)
	f.field("stripped-signature", m.Reply.Signature)
	if m.HTML != "" {
		f.field("stripped-html", cmp.Or(m.ReplyHTML(), m.HTML))
	}
	f.headers(&d)
	f.attachments(&d)
	return f.finish()
}

// MailgunMIME is a Mailgun route's POST with the whole message in body-mime, as
// Mailgun sends it to a URL that ends in "mime".
type MailgunMIME struct{}

// Name implements Format.
func (MailgunMIME) Name() string { return "mailgun-mime" }

// PerRecipient implements Format.
func (MailgunMIME) PerRecipient() bool { return true }

// NeedsKey implements Keyed.
func (MailgunMIME) NeedsKey() bool { return true }

// Render implements Format.
func (MailgunMIME) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(mailgunClaims)
	if err != nil {
		return Body{}, err
	}
	raw, err := downgraded(&d)
	if err != nil {
		return Body{}, err
	}
	f := mailgunForm{newForm(d.ID)}
	f.common(&d, o)
	head := ""
	for _, h := range mailgunVerdicts(d.Envelope) {
		head += h.name + ": " + h.value + "\r\n"
	}
	f.value("body-mime", ofText(head).then(raw))
	return f.finish()
}

type mailgunForm struct{ *form }

// common are the fields of both modes. The token is the same for all attempts,
// since receivers tell replays by it; the timestamp is the attempt's, since they
// refuse one older than two minutes.
func (f mailgunForm) common(d *Delivery, o Options) {
	f.field("recipient", recipient(d).Address)
	f.field("sender", d.Envelope.From)
	f.field("from", shown(d.Message.From))
	f.field("subject", text.OneLine(d.Message.Subject))
	timestamp, token := unixSeconds(o.At), mailgunToken(d.ID)
	f.field("timestamp", timestamp)
	f.field("token", token)
	f.field("signature", mailgunSignature(signingKey(o.Secret), timestamp, token))
}

// mailgunToken has 50 characters, as Mailgun's own.
func mailgunToken(id string) string {
	sum := sha256.Sum256([]byte("token " + id))
	return hex.EncodeToString(sum[:25])
}

// mailgunSignature covers time and token; not the message.
func mailgunSignature(key, timestamp, token string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp + token))
	return hex.EncodeToString(mac.Sum(nil))
}

// headers gives the fields twice, as Mailgun does: as a list, and each by its
// name, where adapters look for To, Cc and From.
func (f mailgunForm) headers(d *Delivery) {
	list := append(mailgunVerdicts(d.Envelope), fields(d.Message, plainText)...)
	f.json("message-headers", func(c *composer) {
		c.open('[')
		for _, h := range list {
			c.strs([]string{h.name, h.value})
		}
		c.close(']')
	})
	for _, name := range []string{"From", "To", "Cc", "Subject", "Date", "Message-Id", "Reply-To", "In-Reply-To", "References"} {
		if v := firstValue(d.Message, name); v != "" {
			f.field(name, v)
		}
	}
}

// mailgunVerdicts are the header fields in which Mailgun says what it checked.
func mailgunVerdicts(e *mail.Envelope) []field {
	spf, dkim, _ := verdicts(e)
	var list []field
	if word, ok := map[string]string{"pass": "Pass", "fail": "Fail", "softfail": "SoftFail", "neutral": "Neutral"}[spf]; ok {
		list = append(list, field{"X-Mailgun-Spf", word})
	}
	switch dkim {
	case "pass":
		list = append(list, field{"X-Mailgun-Dkim-Check-Result", "Pass"})
	case "fail", "permerror", "policy":
		list = append(list, field{"X-Mailgun-Dkim-Check-Result", "Fail"})
	}
	if s := e.Spam; s != nil {
		list = append(list, field{"X-Mailgun-Sflag", yesNo(s)}, field{"X-Mailgun-Sscore", decimal(s.Score)})
	}
	return list
}

func (f mailgunForm) attachments(d *Delivery) {
	list := files(d)
	if len(list) == 0 {
		return
	}
	f.field("attachment-count", strconv.Itoa(len(list)))
	f.json("content-id-map", func(c *composer) {
		c.open('{')
		for i := range list {
			if cid := inline(&list[i]); cid != "" {
				c.field("<"+cid+">", "attachment-"+strconv.Itoa(i+1))
			}
		}
		c.close('}')
	})
	for i := range list {
		f.file("attachment-"+strconv.Itoa(i+1), &list[i])
	}
}
