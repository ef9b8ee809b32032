package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"postern/gateway/auth"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// check makes a message of what came in: its envelope frozen, its sender
// authenticated, its octets parsed. A non-zero reply refuses it before any
// webhook is asked. came is when the last octet did.
func (g *Gateway) check(ctx context.Context, t *smtp.Transaction, in *sink, came time.Time) (*message, reply.Reply) {
	m := &message{env: g.envelope(t, in.Spool, came), to: recipients(t), data: in.Source(), lmtp: t.Client.LMTP}
	if m.span = spanOf(t); m.span != nil {
		m.env.Arrival = g.deps.Tracer.Arrival(m.span)
	}
	for i := range m.to {
		m.env.To = append(m.env.To, m.to[i].Recipient)
	}
	removed, err := g.authenticate(ctx, m)
	if err != nil {
		g.log.Error("the spool can't be read", "message", m.env.ID, "err", err)
		return m, replyLocalError
	}
	if refusal := g.refusal(m.env); !refusal.Zero() {
		return m, refusal
	}
	switch err := g.parse(ctx, m, in, removed); {
	case errors.Is(err, dispatch.ErrNoMemory):
		g.log.Warn("a message was left with its sender for want of memory", "message", m.env.ID, "size", m.env.Size, "err", err)
		return m, replyNoMemory
	case err != nil:
		g.log.Error("the spool can't be read", "message", m.env.ID, "err", err)
		return m, replyLocalError
	}
	m.env.Keyed = m.mail.Head.MessageID != ""
	if !m.env.Keyed {
		var random [32]byte
		rand.Read(random[:])
		m.env.Key = hex.EncodeToString(random[:])
	}
	return m, reply.Reply{}
}

// authenticate finds the header fields that claim to be our verdict and aren't,
// and makes the verdict; the spam filter is asked meanwhile. removed is the
// header line that says what was found and left out.
func (g *Gateway) authenticate(ctx context.Context, m *message) (removed string, err error) {
	ctx, end := g.step(ctx, "authenticate")
	defer func() { end(err) }()
	var forged auth.Removal
	if g.deps.Auth == nil {
		forged, err = auth.Forged(m.data, g.cfg.Domain)
	} else {
		forged, err = g.deps.Auth.Forged(m.env, m.data)
	}
	m.env.Removed = forged.Spans
	if err != nil {
		return "", err
	}
	var filtered sync.WaitGroup
	if g.deps.Filter != nil {
		env := *m.env
		filtered.Go(func() { m.env.Spam = g.deps.Filter.Check(ctx, &env, m.data) })
	}
	if g.deps.Auth != nil {
		m.env.Verdict = g.deps.Auth.Authenticate(ctx, m.env, m.data)
		if v := m.env.Verdict; v.DMARC.Result == "temperror" {
			g.log.Warn("a sender could not be checked", "message", m.env.ID, "domain", v.DMARC.Domain, "why", v.Reason)
		}
	}
	filtered.Wait()
	return forged.Note(), nil
}

// refusal is the reply to a message that the sender's DMARC policy or the spam
// filter keeps from every webhook; zero: it goes on.
func (g *Gateway) refusal(e *mail.Envelope) reply.Reply {
	switch {
	case g.cfg.EnforceDMARC && refusedByPolicy(e):
		g.log.Info("a message was refused by its sender's policy", "message", e.ID, "why", e.Verdict.Reason)
		return replyDMARC
	case !g.cfg.EnforceSpam || e.Spam == nil:
	case e.Spam.Action == "reject":
		g.log.Info("a message was refused as spam", "message", e.ID, "score", e.Spam.Score)
		return replySpam
	case e.Spam.Action == "soft reject", e.Spam.Action == "greylist":
		g.log.Info("a message was put off by the spam filter", "message", e.ID, "action", e.Spam.Action)
		return replyLater
	}
	return reply.Reply{}
}

// refusedByPolicy reports whether the DMARC policy of the author's domain asks to
// refuse the mail. It doesn't bind mail of a client that signed in with us.
func refusedByPolicy(e *mail.Envelope) bool {
	v := e.Verdict
	return v != nil && e.Auth == "" && v.DMARC.Result == "fail" && v.DMARC.Policy == "reject"
}
