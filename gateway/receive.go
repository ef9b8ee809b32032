package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/gateway/archive"
	"postern/gateway/auth"
	"postern/gateway/mail"
	"postern/gateway/smtp"
)

// errAskFor is the cause of a context that ends while webhooks are asked.
var errAskFor = fmt.Errorf("the time that a sender may wait for webhooks is over: %w", context.DeadlineExceeded)

// message is one mail on its way: the envelope, the octets of DATA, and what
// they say.
type message struct {
	env    *mail.Envelope
	data   mail.Source // as received
	raw    mail.Source // our trace lines, then data without what was removed
	parsed *mail.Message
	ids    []string      // delivery keys that took it; for the ledger, if the client never hears our 250
	stored *archive.Mail // it came out of the queue; nil: it is fresh
	staged bool          // keep has made it durable
	kept   kept
	live   []*delivery // to terminals: they don't all count for the reply
}

// Message implements smtp.Handler: all that happens between the last octet and
// the reply.
func (g *Gateway) Message(ctx context.Context, t *smtp.Transaction, s smtp.Sink) []smtp.Reply {
	in := s.(*sink)
	defer in.Abort()
	defer g.fault(FaultVerdict)
	g.fault(FaultSpooled)
	ctx, cancel := context.WithTimeoutCause(ctx, g.AskFor, errAskFor)
	defer cancel()
	if in.booked != nil && in.Size() > t.Size {
		in.booked.Release() // the client announced less, or nothing: what it sent is booked anew
		in.booked = nil
	}
	m, refusal := g.read(ctx, t, in)
	if !refusal.Zero() {
		return []smtp.Reply{refusal}
	}
	t.Data = m
	g.fault(FaultParsed)
	if !t.Client.LMTP {
		r := orTaken(g.take(ctx, m, in.booked), m)
		g.Observer.Received(m.env, r.Code)
		return []smtp.Reply{r}
	}
	each := g.takeEach(ctx, m, in.booked)
	replies := make([]smtp.Reply, 0, len(t.Recipients))
	for _, r := range t.Recipients {
		to, _ := r.Data.(mail.Recipient)
		replies = append(replies, orTaken(each[to.Address], m))
	}
	g.Observer.Received(m.env, replies[0].Code)
	return replies
}

// orTaken completes a zero reply: the message is ours.
func orTaken(r smtp.Reply, m *message) smtp.Reply {
	if r.Zero() {
		return replyTaken(m.env.ID)
	}
	return r
}

// read makes a message of what came in: who sent it, whether to believe it,
// and what it says. A refusal is about the message, not about a webhook.
func (g *Gateway) read(ctx context.Context, t *smtp.Transaction, in *sink) (*message, smtp.Reply) {
	m := &message{env: g.envelope(t, in.Spool), data: in.Source()}
	if g.Auth != nil {
		m.env.Verdict = g.Auth.Authenticate(ctx, m.env, m.data)
		if g.EnforceDMARC && m.env.Verdict.DMARC.Result == "fail" && m.env.Verdict.DMARC.Policy == "reject" {
			return nil, replyDMARC
		}
	}
	removed, err := auth.Forged(m.data, g.Domain)
	if err != nil {
		g.Logger.Error("the spool can't be read", "id", m.env.ID, "error", err)
		return nil, replyLocalError
	}
	m.env.Removed = removed.Spans
	m.env.Trace = g.trace(m.env, removed.Note(), startsFolded(mail.Without(m.data, removed.Spans)))
	m.raw = archive.Raw(m.env, m.data)
	if m.parsed, err = mail.Parse(m.raw, g.ParseLimits); err != nil {
		g.Logger.Error("the spool can't be read", "id", m.env.ID, "error", err)
		return nil, replyLocalError
	}
	m.env.Keyed = m.parsed.MessageID != ""
	if !m.env.Keyed {
		var random [32]byte
		rand.Read(random[:])
		m.env.Key = hex.EncodeToString(random[:])
	}
	return m, smtp.Reply{}
}

// trace is the header lines that we put before the octets of DATA, frozen from
// here on: the verdict, what was removed, and where the mail came from. Octets that
// would go on with our last line get a field of their own.
func (g *Gateway) trace(e *mail.Envelope, note string, folded bool) string {
	line := note + received(e, g.Domain)
	if e.Verdict != nil && e.Verdict.Header != "" {
		line = "Authentication-Results: " + strings.TrimRight(e.Verdict.Header, "\r\n") + "\r\n" + line
	}
	if folded {
		line += "X-Unnamed:\r\n"
	}
	return line
}

// startsFolded reports whether a message begins with white space.
func startsFolded(data mail.Source) bool {
	r, err := data.Open()
	if err != nil {
		return false // the parser will say so
	}
	defer r.Close()
	var first [1]byte
	n, _ := r.Read(first[:])
	return n == 1 && (first[0] == ' ' || first[0] == '\t')
}

// envelope freezes what the transaction said.
func (g *Gateway) envelope(t *smtp.Transaction, p *mail.Spool) *mail.Envelope {
	now := g.Now()
	sum := p.Sum()
	c := t.Client
	e := &mail.Envelope{
		ID: newID(now), Key: hex.EncodeToString(sum[:]), Received: now.UTC().Truncate(time.Millisecond),
		Client: c.Addr, Hello: c.Hello, Auth: c.Auth,
		Protocol: protocol(c.LMTP, c.Extended, t.UTF8, c.TLS != nil, c.Auth != ""),
		Verb:     mail.Verb(t.Verb), From: t.From.String(), UTF8: t.UTF8, Body: t.Body, Size: p.Size(), RequireTLS: t.RequireTLS,
		TLS: tlsOf(c.TLS),
	}
	if t.Ret != "" || t.EnvID != "" || t.By != "" {
		e.DSN = &mail.DSN{Ret: t.Ret, EnvID: t.EnvID, By: t.By}
	}
	e.To = make([]mail.Recipient, 0, len(t.Recipients))
	for _, r := range t.Recipients {
		to, ok := r.Data.(mail.Recipient)
		if ok && !slices.ContainsFunc(e.To, func(have mail.Recipient) bool { return have.Address == to.Address }) {
			e.To = append(e.To, to)
		}
	}
	return e
}

func tlsOf(state *tls.ConnectionState) *mail.TLS {
	if state == nil {
		return nil
	}
	t := &mail.TLS{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.VerifiedChains) > 0 {
		t.ClientSubject = state.PeerCertificates[0].Subject.String()
	}
	return t
}

// Answered implements smtp.Handler. A client that heard our 250 won't come
// back: what was remembered of its tries can go. One that hung up before will,
// and must not reach those again who took the message.
func (g *Gateway) Answered(t *smtp.Transaction, gone bool) {
	m, ok := t.Data.(*message)
	t.Data = nil // an idle session holds no mail
	if !ok || !m.env.Keyed || m.ids == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ledgerTimeout)
	defer cancel()
	var err error
	if gone {
		err = g.Ledger.Remember(ctx, m.env.Key, m.ids, g.Policy.MaxAge)
	} else {
		err = g.Ledger.Forget(ctx, m.env.Key)
	}
	if err != nil {
		g.Logger.Warn("who took a message could not be noted; a re-send may be delivered again, with the same webhook-id", "id", m.env.ID, "error", err)
	}
}

// ledgerTimeout bounds the note about who took a message: the session waits.
const ledgerTimeout = 5 * time.Second
