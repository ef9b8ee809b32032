package payload

import (
	"slices"
	"time"

	"postern/gateway/mail"
)

func (n *nativeBody) message(m *mail.Message) error {
	n.key("message")
	n.open('{')
	n.head(m)
	n.field("text", m.Text)
	n.field("html", m.HTML)
	n.wanted(m)
	n.reply(m)
	n.key("automatic")
	n.strOrNull(string(m.AutomaticFrom(n.d.Envelope.From)))
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

// head is what the message's header says of it.
func (n *nativeBody) head(m *mail.Message) {
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
}

// reply is the text taken apart: what is new in it, and what is quoted.
func (n *nativeBody) reply(m *mail.Message) {
	n.key("reply")
	n.open('{')
	n.field("text", m.Reply.Text)
	n.key("html")
	n.strOrNull(m.ReplyHTML())
	n.field("quoted", m.Reply.Quoted)
	n.field("signature", m.Reply.Signature)
	n.close('}')
}

func (n *nativeBody) strOrNull(s string) {
	if s == "" {
		n.null()
	} else {
		n.str(s)
	}
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
