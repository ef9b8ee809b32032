package payload

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// Postmark is Postmark's inbound JSON, with RawEmail. It has no signature.
type Postmark struct{}

// Name implements Format.
func (Postmark) Name() string { return "postmark" }

// PerRecipient implements Format: OriginalRecipient is one.
func (Postmark) PerRecipient() bool { return true }

// Stops implements Stopper: Postmark gives up at 403.
func (Postmark) Stops(status int) bool { return status == 403 }

// Render implements Format.
func (Postmark) Render(d Delivery, o Options) (Body, error) {
	d, err := d.without(postmarkClaims)
	if err != nil {
		return Body{}, err
	}
	d = withOptions(d, o)
	raw, err := downgraded(&d)
	if err != nil {
		return Body{}, err
	}
	// Action Mailbox before 8.0 looks only into the message for recipients
	escaped, err := ofText(originalTo(&d)).then(raw).inJSON()
	if err != nil {
		return Body{}, err
	}
	p := postmarkBody{d: &d, m: d.Message, rcpt: recipient(&d)}
	p.open('{')
	p.addresses()
	p.texts()
	p.headers()
	p.attachments()
	p.key("RawEmail")
	p.quoted(escaped)
	p.close('}')
	return p.body("application/json; charset=utf-8")
}

type postmarkBody struct {
	composer
	d    *Delivery
	m    *mail.Message
	rcpt mail.Recipient
}

func (p *postmarkBody) addresses() {
	var from mail.Address
	if len(p.m.From) > 0 {
		from = p.m.From[0]
	}
	p.field("From", text.OneLine(from.Address))
	p.field("FromName", text.OneLine(from.Name))
	p.key("FromFull")
	if deliverable(from.Address) {
		p.full(from)
	} else {
		p.null()
	}
	p.field("To", shown(p.m.To))
	p.list("ToFull", p.m.To)
	p.field("Cc", shown(p.m.Cc))
	p.list("CcFull", p.m.Cc)
	bcc := p.m.Bcc
	if !p.addressed() {
		bcc = append(append([]mail.Address(nil), bcc...), mail.Address{Address: p.rcpt.Address})
	}
	p.field("Bcc", shown(bcc))
	p.list("BccFull", bcc)
	p.field("OriginalRecipient", p.rcpt.Address)
	p.field("MailboxHash", p.rcpt.Tag)
}

// addressed reports whether the recipient stands in the message's header.
func (p *postmarkBody) addressed() bool {
	for _, list := range [][]mail.Address{p.m.To, p.m.Cc, p.m.Bcc} {
		for _, a := range list {
			if strings.EqualFold(a.Address, p.rcpt.Address) || strings.EqualFold(a.Address, p.rcpt.Original) {
				return true
			}
		}
	}
	return false
}

// list leaves out what has not the form of an address; To, Cc and Bcc show it.
func (p *postmarkBody) list(key string, list []mail.Address) {
	p.key(key)
	p.open('[')
	for _, a := range list {
		if deliverable(a.Address) {
			p.full(a)
		}
	}
	p.close(']')
}

func (p *postmarkBody) full(a mail.Address) {
	p.open('{')
	p.field("Email", text.OneLine(a.Address))
	p.field("Name", text.OneLine(a.Name))
	p.field("MailboxHash", mailboxHash(a.Address))
	p.close('}')
}

// mailboxHash is the plus tag of an address.
func mailboxHash(address string) string {
	local, _, _ := strings.Cut(address, "@")
	_, tag, _ := strings.Cut(local, "+")
	return text.OneLine(tag)
}

func (p *postmarkBody) texts() {
	p.field("Subject", text.OneLine(p.m.Subject))
	p.field("MessageID", uuid(p.d.ID))
	p.field("MessageStream", "inbound")
	p.field("ReplyTo", shown(p.m.ReplyTo))
	p.field("Date", firstValue(p.m, "Date"))
	p.field("Tag", "")
	p.field("TextBody", p.m.Text)
	p.field("HtmlBody", p.m.HTML)
	p.field("StrippedTextReply", p.m.Reply.Text)
}

// headers leaves out the fields that stand in members of their own, since
// Anymail would double them, and those from which receivers read what only the
// gateway may say.
func (p *postmarkBody) headers() {
	p.key("Headers")
	p.open('[')
	p.header("Return-Path", "<"+text.OneLine(p.d.Envelope.From)+">")
	if spf, _, _ := verdicts(p.d.Envelope); spf != "" {
		p.header("Received-SPF", fmt.Sprintf("%s client-ip=%s; envelope-from=%s; helo=%s;",
			strings.ToUpper(spf[:1])+spf[1:], clientIP(p.d.Envelope), text.OneLine(p.d.Envelope.From), text.OneLine(p.d.Envelope.Hello)))
	}
	if s := p.d.Envelope.Spam; s != nil {
		p.header("X-Spam-Status", yesNo(s))
		p.header("X-Spam-Score", decimal(s.Score))
		p.header("X-Spam-Tests", strings.Join(symbolNames(s), ","))
	}
	for _, f := range fields(p.m, plainText) {
		switch strings.ToLower(f.name) {
		case "from", "to", "cc", "bcc", "subject", "date", "reply-to":
			continue
		}
		p.header(f.name, f.value)
	}
	p.close(']')
}

func (p *postmarkBody) header(name, value string) {
	p.open('{')
	p.field("Name", name)
	p.field("Value", value)
	p.close('}')
}

func (p *postmarkBody) attachments() {
	p.key("Attachments")
	p.open('[')
	for i := range p.m.Attachments {
		a := &p.m.Attachments[i]
		p.open('{')
		p.field("Name", fileName(a, i+1))
		p.field("ContentType", fileType(a))
		p.key("Content")
		p.base64(a)
		p.key("ContentLength")
		p.int(a.Size)
		p.field("ContentID", inline(a))
		p.close('}')
	}
	p.close(']')
}

// uuid derives a UUID (RFC 9562, version 8) from an id, for services whose ids
// look like that; the same for all attempts.
func uuid(id string) string {
	b := sha256.Sum256([]byte("uuid " + id))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
