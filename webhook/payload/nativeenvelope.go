package payload

import (
	"postern/gateway/mail"
)

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
