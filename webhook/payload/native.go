package payload

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
