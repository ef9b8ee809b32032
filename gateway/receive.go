package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"postern/gateway/archive"
	"postern/gateway/auth"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/spool"
	"postern/retry"
	"postern/webhook"
)

// errAskFor is the cause of a context that ends while webhooks are asked.
var errAskFor = fmt.Errorf("the time that a sender may wait for webhooks is over: %w", context.DeadlineExceeded)

// message is one mail on its way: the envelope, the octets of DATA, what they
// say, and who is to get them.
type message struct {
	env    *mail.Envelope
	to     []dispatch.Recipient
	data   mail.Source // as received
	seen   mail.Source // as webhooks see it; nil: it is made each time that it is read
	mail   *dispatch.Mail
	lmtp   bool
	stored *archive.Mail // it came out of the queue; nil: it is fresh
	kept   kept

	taken    func(*webhook.Endpoint, mail.Recipient) bool // by an earlier try of the sender's
	live     []*dispatch.Delivery                         // to terminals: they don't all count for the reply
	ends     ends
	accepted bool
	keys     func() []string // of who has it, to remember if the client never hears our 250
}

// sink is a message on its way in.
type sink struct {
	*spool.Spool
	booked retry.Reservation // with ACCEPT=queue, before the first octet
}

// Write implements smtp.Sink.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.Spool.Write(b)
	if errors.Is(err, spool.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		err = errors.Join(smtp.ErrSinkFull, err)
	}
	return n, err
}

// Abort implements smtp.Sink.
func (s *sink) Abort() {
	if s.booked != nil {
		s.booked.Release()
	}
	s.Close()
}

// Data implements smtp.Handler.
func (g *Gateway) Data(ctx context.Context, t *smtp.Transaction) (smtp.Sink, smtp.Reply) {
	s := &sink{}
	if g.cfg.QueueFirst && mail.Verb(t.Verb) != mail.VerbSend {
		booked, err := g.store.queue.Reserve(ctx, max(t.Size, 1))
		if err != nil {
			return nil, storeFailure(err)
		}
		s.booked = booked
	}
	var err error
	if s.Spool, err = g.deps.Spooler.New(t.From.String(), t.Size); err != nil {
		if s.booked != nil {
			s.booked.Release()
		}
		return nil, replySpoolFull
	}
	return s, smtp.Reply{}
}

// Message implements smtp.Handler: all that happens between the last octet and
// the reply.
func (g *Gateway) Message(ctx context.Context, t *smtp.Transaction, s smtp.Sink) []smtp.Reply {
	in := s.(*sink)
	defer in.Abort()
	defer g.deps.Fault(FaultDecided)
	g.deps.Fault(FaultSpooled)
	in.Done()
	ctx, cancel := context.WithTimeoutCause(ctx, g.cfg.AskFor, errAskFor)
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
	defer m.mail.Release()
	g.deps.Fault(FaultParsed)
	parts := g.take(ctx, m, in.booked)
	g.deps.Observer.Received(m.env, m.reply(parts[0]).Code)
	if !m.lmtp {
		return []smtp.Reply{m.reply(parts[0])}
	}
	replies := make([]smtp.Reply, 0, len(t.Recipients))
	for _, r := range t.Recipients {
		to := r.Data.(dispatch.Recipient)
		i := slices.IndexFunc(parts, func(p part) bool { return p.has(to.Address) })
		replies = append(replies, m.reply(parts[i]))
	}
	return replies
}

// reply is the part's, 250 where the decision left it at acceptance.
func (m *message) reply(p part) smtp.Reply {
	if p.reply.Zero() {
		return replyTaken(m.env.ID)
	}
	return p.reply
}

// read makes a message of what came in: who sent it, whether to believe it,
// and what it says. A refusal is about the message, not about a webhook.
func (g *Gateway) read(ctx context.Context, t *smtp.Transaction, in *sink) (*message, smtp.Reply) {
	m := &message{env: g.envelope(t, in.Spool), to: recipients(t), data: in.Source(), lmtp: t.Client.LMTP}
	for i := range m.to {
		m.env.To = append(m.env.To, m.to[i].Recipient)
	}
	note, err := g.authenticate(ctx, m)
	if err != nil {
		g.log.Error("the spool can't be read", "message", m.env.ID, "err", err)
		return nil, replyLocalError
	}
	if refusal := g.refusal(m.env); !refusal.Zero() {
		g.deps.Observer.Received(m.env, refusal.Code)
		return nil, refusal
	}
	switch err := g.freeze(ctx, m, in, note); {
	case errors.Is(err, dispatch.ErrNoMemory):
		g.log.Warn("a message was left with its sender for want of memory", "message", m.env.ID, "size", m.env.Size, "err", err)
		return nil, replyNoMemory
	case err != nil:
		g.log.Error("the spool can't be read", "message", m.env.ID, "err", err)
		return nil, replyLocalError
	}
	m.env.Keyed = m.mail.Head.MessageID != ""
	if !m.env.Keyed {
		var random [32]byte
		rand.Read(random[:])
		m.env.Key = hex.EncodeToString(random[:])
	}
	return m, smtp.Reply{}
}

// authenticate finds what a stranger says in our name, and makes the verdict. The
// note is the header line about what was found.
func (g *Gateway) authenticate(ctx context.Context, m *message) (note string, err error) {
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

// refusal is the reply to a message that nobody is to get, whatever its webhooks
// think; zero: it goes on.
func (g *Gateway) refusal(e *mail.Envelope) smtp.Reply {
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
	return smtp.Reply{}
}

// refusedByPolicy reports whether the author's domain asks to refuse the mail. Who
// signed in is ours to know, not theirs.
func refusedByPolicy(e *mail.Envelope) bool {
	v := e.Verdict
	return v != nil && e.Auth == "" && v.DMARC.Result == "fail" && v.DMARC.Policy == "reject"
}

// freeze puts our header lines before the message, and reads the result.
func (g *Gateway) freeze(ctx context.Context, m *message, in *sink, note string) error {
	m.env.Trace = g.trace(m.env, note, startsFolded(mail.Without(m.data, m.env.Removed)))
	if len(m.env.Removed) == 0 {
		m.seen = in.Behind(m.env.Trace)
	}
	g.prepare(m)
	return g.deps.Dispatch.Open(ctx, m.mail)
}

// prepare makes the message deliverable; it is read when it is needed.
func (g *Gateway) prepare(m *message) {
	m.mail = dispatch.NewMail(m.env, m.raw)
	if g.store != nil {
		m.mail.Keep = func(ctx context.Context, until time.Time) error { return g.store.keep(ctx, m, until) }
	}
}

// raw makes a source of our trace lines, then data without what was removed.
func (m *message) raw() mail.Source {
	if m.seen != nil {
		return m.seen
	}
	return archive.Raw(m.env, m.data)
}

// trace is the header lines that we put before the octets of DATA, frozen from
// here on: the verdict, what was removed, and where the mail came from. Octets that
// would go on with our last line get a field of their own.
func (g *Gateway) trace(e *mail.Envelope, note string, folded bool) string {
	line := note + received(e, g.cfg.Domain)
	if e.Verdict != nil && e.Verdict.Header != "" {
		line = "Authentication-Results: " + strings.ReplaceAll(e.Verdict.Header, "; ", ";\r\n ") + "\r\n" + line
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

// envelope freezes what the transaction said, but for the recipients.
func (g *Gateway) envelope(t *smtp.Transaction, p *spool.Spool) *mail.Envelope {
	now := g.deps.Now()
	sum := p.Sum()
	c := t.Client
	e := &mail.Envelope{
		ID: newID(now), Key: hex.EncodeToString(sum[:]), Received: now.UTC().Truncate(time.Millisecond),
		Client: c.Addr, Hello: c.Hello, Auth: c.Auth,
		Protocol: protocol(c.LMTP, c.Extended, t.UTF8, c.TLS != nil, c.Auth != ""),
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
	for _, r := range t.Recipients {
		n := r.Data.(dispatch.Recipient)
		if !slices.ContainsFunc(to, func(have dispatch.Recipient) bool { return have.Address == n.Address }) {
			to = append(to, n)
		}
	}
	return to
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
