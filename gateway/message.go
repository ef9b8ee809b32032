package gateway

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/spool"
	"postern/webhook"
)

// message is one mail on its way through the gateway, fresh or from the queue:
// the envelope, the octets of DATA, what they say, and who is to get them.
type message struct {
	env    *mail.Envelope
	to     []dispatch.Recipient
	data   mail.Source // as received
	seen   mail.Source // as webhooks get it; nil: it is made each time that it is read
	mail   *dispatch.Mail
	lmtp   bool
	stored *archive.Mail   // as the queue has it; nil: the mail is fresh
	kept   keptContent     // what the queue stores of it for urls
	span   context.Context // what carries the span of its transaction; nil: nobody traces

	reached    func(*webhook.Endpoint, mail.Recipient) bool // by an earlier try of the sender's
	recorded   bool                                         // there are dedup records of such a try, or may be
	terminals  []*dispatch.Delivery                         // to terminals: they don't all count for the reply
	deliveries []*dispatch.Delivery                         // that count for the reply, once they were made
	enqueued   enqueued
	bookings   []booking       // of quotas, for what is about to be stored
	accepted   bool            // every reply to it was 2xx
	keys       func() []string // dedup records to write if the client never hears our 250
}

// raw is what webhooks get: our trace header, then data without what was removed.
func (m *message) raw() mail.Source {
	if m.seen != nil {
		return m.seen
	}
	return archive.Raw(m.env, m.data)
}

// envelope freezes what the transaction said, but for the recipients.
func (g *Gateway) envelope(t *smtp.Transaction, p *spool.Spool, came time.Time) *mail.Envelope {
	sum := p.Sum()
	c := t.Client
	e := &mail.Envelope{
		ID: newID(came), Key: hex.EncodeToString(sum[:]), Received: came.UTC().Truncate(time.Millisecond),
		Client: c.Addr, Hello: c.Hello, Auth: c.Auth,
		Protocol: protocol(c, t.UTF8),
		Verb:     mail.Verb(t.Verb), From: t.From.String(), UTF8: t.UTF8, Body: t.Body, Size: p.Size(), RequireTLS: t.RequireTLS,
		TLS: tlsOf(c.TLS), To: make([]mail.Recipient, 0, len(t.Recipients)),
	}
	if t.BareLF {
		e.Repaired = []string{"line ends that were not CRLF became CRLF"}
	}
	if t.Ret != "" || t.EnvID != "" || t.By != "" {
		e.DSN = &mail.DSN{Ret: t.Ret, EnvID: t.EnvID, By: t.By}
	}
	return e
}

// recipients are the transaction's, each address once.
func recipients(t *smtp.Transaction) []dispatch.Recipient {
	to := make([]dispatch.Recipient, 0, len(t.Recipients))
	have := make(map[string]bool, len(t.Recipients))
	for _, r := range t.Recipients {
		if n := r.Data.(dispatch.Recipient); !have[n.Address] {
			have[n.Address] = true
			to = append(to, n)
		}
	}
	return to
}

// tlsOf is what the envelope keeps of a TLS connection, nil in the clear.
func tlsOf(state *tls.ConnectionState) *mail.TLS {
	if state == nil {
		return nil
	}
	t := &mail.TLS{}
	if state.Version != 0 { // a proxy in front may not tell it, or by a name that we don't know
		t.Version = tls.VersionName(state.Version)
	}
	if state.CipherSuite != 0 {
		t.Cipher = tls.CipherSuiteName(state.CipherSuite)
	}
	if len(state.VerifiedChains) > 0 {
		t.ClientSubject = state.PeerCertificates[0].Subject.String()
	}
	return t
}

// prepare makes the mail that deliveries share; it is parsed when that is needed.
func (g *Gateway) prepare(m *message) {
	m.mail = dispatch.NewMail(m.env, m.raw)
	if g.queue != nil {
		m.mail.Keep = func(ctx context.Context, until time.Time) error { return g.queue.keepContent(ctx, m, until) }
	}
}
