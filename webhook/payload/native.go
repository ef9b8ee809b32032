package payload

import (
	"slices"
	"time"

	"postern/gateway/mail"
)

// instant is the layout of a moment that we took ourselves: RFC 3339, UTC.
const instant = "2006-01-02T15:04:05.000Z07:00"

// Native is Postern's own format, version 1: JSON with everything that is
// known of the mail. Fields are added, never changed in meaning; Schema
// describes them.
type Native struct{}

// Name implements Format.
func (Native) Name() string { return "postern" }

// PerRecipient implements Format.
func (Native) PerRecipient() bool { return false }

// Render implements Format. Above o.InlineLimit all content turns into urls,
// where d.Links allows.
func (Native) Render(d Delivery, o Options) (Body, error) {
	n := nativeBody{d: &d, o: &o, attachments: place(o.Attachments, Inline, d.Links), raw: place(o.Raw, Omit, d.Links)}
	b, err := n.render()
	if err != nil || o.InlineLimit <= 0 || b.Length <= o.InlineLimit || d.Links == nil || !n.inlines() {
		return b, err
	}
	return n.linked().render()
}

// place is where content goes: as wished, but by url only where there are urls.
func place(wish, otherwise Where, l Links) Where {
	switch {
	case wish == "":
		return otherwise
	case wish == URL && l == nil:
		return Inline
	}
	return wish
}

// nativeBody renders one delivery.
type nativeBody struct {
	composer
	d                *Delivery
	o                *Options
	attachments, raw Where
	usesLinks        bool
}

// inlines reports whether there is content that could go by url instead.
func (n *nativeBody) inlines() bool {
	return n.raw == Inline || n.attachments == Inline && len(n.d.Message.Attachments) > 0
}

// linked is the same delivery with all inline content by url.
func (n *nativeBody) linked() *nativeBody {
	l := &nativeBody{d: n.d, o: n.o, attachments: n.attachments, raw: n.raw}
	if l.attachments == Inline {
		l.attachments = URL
	}
	if l.raw == Inline {
		l.raw = URL
	}
	return l
}

func (n *nativeBody) render() (Body, error) {
	n.buf = make([]byte, 0, n.guess())
	n.open('{')
	n.field("type", "email.received")
	n.key("version")
	n.int(1)
	n.field("id", n.d.ID)
	n.key("timestamp")
	n.time(n.d.Envelope.Received.UTC(), instant)
	n.field("endpoint", n.d.Endpoint)
	n.envelope(n.d.Envelope)
	n.authentication(n.d.Envelope.Verdict)
	if err := n.message(n.d.Message); err != nil {
		return Body{}, err
	}
	if err := n.rawMessage(); err != nil {
		return Body{}, err
	}
	n.close('}')
	b, err := n.body("application/json")
	b.UsesLinks = n.usesLinks
	return b, err
}

// guess is a size for the buffer that a plain mail fills without growing it.
func (n *nativeBody) guess() int {
	m, size := n.d.Message, 2048
	for _, s := range []string{m.Text, m.HTML, m.Reply.Text, m.Reply.Quoted, m.Reply.Signature} {
		if len(s) < longText {
			size += len(s) + len(s)/8
		}
	}
	for i := range m.Headers {
		size += 24 + len(m.Headers[i].Name) + len(m.Headers[i].Value)
	}
	return size + 128*len(m.Attachments) + 64*len(n.d.Recipients)
}

func (n *nativeBody) envelope(e *mail.Envelope) {
	n.key("envelope")
	n.open('{')
	n.field("verb", string(e.Verb))
	n.field("from", e.From)
	n.key("to")
	n.open('[')
	for i := range n.d.Recipients {
		n.str(n.d.Recipients[i].Address)
	}
	n.close(']')
	n.key("tags")
	n.open('{')
	for _, r := range n.d.Recipients {
		if r.Tag != "" {
			n.field(r.Address, r.Tag)
		}
	}
	n.close('}')
	n.field("helo", e.Hello)
	n.client(e)
	n.tls(e.TLS)
	n.field("auth", e.Auth)
	n.key("smtputf8")
	n.bool(e.UTF8)
	n.field("body", e.Body)
	n.key("size")
	n.int(e.Size)
	n.dsn(e.DSN)
	n.close('}')
}

func (n *nativeBody) client(e *mail.Envelope) {
	n.key("client")
	n.open('{')
	ip := ""
	if e.Client.IsValid() {
		ip = e.Client.Addr().Unmap().String()
	}
	n.field("ip", ip)
	n.key("port")
	n.int(int64(e.Client.Port()))
	n.field("name", e.ClientName)
	n.close('}')
}

func (n *nativeBody) tls(t *mail.TLS) {
	n.key("tls")
	if t == nil {
		n.null()
		return
	}
	n.open('{')
	n.field("version", t.Version)
	n.field("cipher", t.Cipher)
	n.field("client_subject", t.ClientSubject)
	n.close('}')
}

// dsn is null unless the client asked for something of RFC 3461 or 2852.
func (n *nativeBody) dsn(d *mail.DSN) {
	n.key("dsn")
	asked := d != nil
	for _, r := range n.d.Recipients {
		asked = asked || len(r.Notify) > 0 || r.ORcpt != ""
	}
	if !asked {
		n.null()
		return
	}
	if d == nil {
		d = &mail.DSN{}
	}
	n.open('{')
	n.field("ret", d.Ret)
	n.field("envid", d.EnvID)
	n.field("by", d.By)
	n.key("notify")
	n.open('{')
	for _, r := range n.d.Recipients {
		if len(r.Notify) > 0 {
			n.key(r.Address)
			n.strs(r.Notify)
		}
	}
	n.close('}')
	n.key("orcpt")
	n.open('{')
	for _, r := range n.d.Recipients {
		if r.ORcpt != "" {
			n.field(r.Address, r.ORcpt)
		}
	}
	n.close('}')
	n.close('}')
}

func (n *nativeBody) authentication(a *mail.Authentication) {
	n.key("authentication")
	if a == nil {
		n.null()
		return
	}
	n.open('{')
	n.key("spf")
	n.open('{')
	n.field("result", a.SPF.Result)
	n.field("domain", a.SPF.Domain)
	n.close('}')
	n.key("dkim")
	n.open('[')
	for _, k := range a.DKIM {
		n.open('{')
		n.field("result", k.Result)
		n.field("domain", k.Domain)
		n.field("selector", k.Selector)
		n.key("aligned")
		n.bool(k.Aligned)
		n.field("reason", k.Reason)
		n.close('}')
	}
	n.close(']')
	n.key("dmarc")
	n.open('{')
	n.field("result", a.DMARC.Result)
	n.field("domain", a.DMARC.Domain)
	n.field("policy", a.DMARC.Policy)
	n.field("aligned_by", a.DMARC.AlignedBy)
	n.close('}')
	n.key("sender_verified")
	n.bool(a.SenderVerified)
	n.field("reason", a.Reason)
	n.field("header", a.Header)
	n.close('}')
}

func (n *nativeBody) message(m *mail.Message) error {
	n.key("message")
	n.open('{')
	n.field("message_id", m.MessageID)
	n.key("in_reply_to")
	n.strs(m.InReplyTo)
	n.key("references")
	n.strs(m.References)
	n.field("thread_id", m.ThreadID())
	n.key("date")
	n.time(m.Date, time.RFC3339)
	n.field("subject", m.Subject)
	n.addresses("from", m.From)
	n.key("sender")
	if m.Sender == nil {
		n.null()
	} else {
		n.address(*m.Sender)
	}
	n.addresses("reply_to", m.ReplyTo)
	n.addresses("to", m.To)
	n.addresses("cc", m.Cc)
	n.addresses("bcc", m.Bcc)
	n.field("text", m.Text)
	n.field("html", m.HTML)
	n.wanted(m)
	n.key("reply")
	n.open('{')
	n.field("text", m.Reply.Text)
	n.key("html")
	if html := m.ReplyHTML(); html != "" {
		n.str(html)
	} else {
		n.null()
	}
	n.field("quoted", m.Reply.Quoted)
	n.field("signature", m.Reply.Signature)
	n.close('}')
	n.key("automatic")
	if automatic := m.AutomaticFrom(n.d.Envelope.From); automatic == "" {
		n.null()
	} else {
		n.str(string(automatic))
	}
	n.report(m.Report)
	n.calendar(m.Calendar)
	n.spam(n.d.Envelope.Spam)
	if err := n.attached(m.Attachments); err != nil {
		return err
	}
	n.headers(m.Headers)
	n.key("defects")
	n.strs(slices.Concat(n.d.Envelope.Repaired, m.Defects))
	n.close('}')
	return nil
}

// wanted writes what an endpoint must ask for; null says that it didn't.
func (n *nativeBody) wanted(m *mail.Message) {
	n.key("markdown")
	if n.o.Markdown {
		n.str(m.Markdown())
	} else {
		n.null()
	}
	n.key("signals")
	if !n.o.Signals {
		n.null()
		return
	}
	n.open('[')
	for _, s := range m.Signals() {
		n.open('{')
		n.field("kind", string(s.Kind))
		n.field("detail", s.Detail)
		n.close('}')
	}
	n.close(']')
}

// spam is null where no filter was asked, or had no opinion.
func (n *nativeBody) spam(s *mail.Spam) {
	n.key("spam")
	if s == nil {
		n.null()
		return
	}
	n.open('{')
	n.key("score")
	n.literal(decimal(s.Score))
	n.field("action", s.Action)
	n.key("symbols")
	n.strs(symbolNames(s))
	n.close('}')
}

func (n *nativeBody) addresses(key string, list []mail.Address) {
	n.key(key)
	n.open('[')
	for _, a := range list {
		n.address(a)
	}
	n.close(']')
}

func (n *nativeBody) address(a mail.Address) {
	n.open('{')
	n.field("name", a.Name)
	n.field("address", a.Address)
	n.close('}')
}

func (n *nativeBody) attached(list []mail.Attachment) error {
	n.key("attachments")
	n.open('[')
	for i := range list {
		a := &list[i]
		n.open('{')
		n.field("filename", a.Filename)
		n.field("content_type", a.ContentType)
		n.key("params")
		n.open('{')
		for _, p := range a.Params {
			n.field(p.Name, p.Value)
		}
		n.close('}')
		n.field("charset", a.Charset)
		n.field("disposition", a.Disposition)
		n.field("content_id", a.ContentID)
		n.field("content_location", a.Location)
		n.key("size")
		n.int(a.Size)
		if err := n.content(i, a); err != nil {
			return err
		}
		n.close('}')
	}
	n.close(']')
	return nil
}

// content is an attachment's octets, or a url for them, or only their sum.
func (n *nativeBody) content(i int, a *mail.Attachment) error {
	if n.attachments == Inline {
		n.key("content")
		n.base64(a)
		return nil
	}
	if n.attachments == URL {
		n.usesLinks = true
		n.field("url", n.d.Links.Attachment(n.d.Envelope.ID, i, a.Filename))
	}
	sum, err := contentSum(a)
	n.field("sha256", sum)
	return err
}

// rawMessage is the whole message's size, and its octets or a url for them
// with the sum by which they are known.
func (n *nativeBody) rawMessage() error {
	n.key("raw")
	n.open('{')
	n.key("size")
	n.int(n.d.Raw.Size())
	if n.raw == Inline || n.raw == URL {
		sum, err := n.rawSum()
		if err != nil {
			return err
		}
		n.field("sha256", sum)
	}
	switch n.raw {
	case Inline:
		n.key("content")
		n.quoted(rawBase64(n.d.Raw))
	case URL:
		n.usesLinks = true
		n.field("url", n.d.Links.Raw(n.d.Envelope.ID))
	}
	n.close('}')
	return nil
}

func (n *nativeBody) rawSum() (string, error) {
	if n.d.RawSum != nil {
		return n.d.RawSum()
	}
	return RawSum(n.d.Raw)
}
