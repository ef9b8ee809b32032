package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"postern/gateway/smtp/reply"
	"slices"
	"strings"
	"time"

	"postern/gateway/dispatch"
	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/text"
	"postern/retry"
	"postern/webhook"
)

// maxSubject is how much of a subject the history keeps, in octets.
const maxSubject = 200

// maxAuthors is how many addresses of the From field it keeps.
const maxAuthors = 5

// enqueued counts a message's deliveries that the queue has, for its record.
type enqueued struct {
	waiting, dead int
	repeats       string // an earlier message: the queue had the other deliveries from it
}

func (e *enqueued) count(ds []*dispatch.Delivery) {
	for _, d := range ds {
		e.add(d, 1)
	}
}

func (e *enqueued) add(d *dispatch.Delivery, n int) {
	if d.Outcome.Result == webhook.Rejected {
		e.dead += n
	} else {
		e.waiting += n
	}
}

// Ended implements smtp.Handler. A client that heard our 250 won't come back with
// the message: its dedup records can go. One that hung up before will, and must
// not reach those again who have it. Whatever the end was, it has a log line and
// a record in the history.
func (g *Gateway) Ended(t *smtp.Transaction, replies []reply.Reply, gone bool) {
	m, _ := t.Data.(*message)
	span := spanOf(t)
	t.Data = nil // an idle session holds no mail
	switch {
	case m == nil || !m.accepted:
	case gone:
		g.resends.remember(context.Background(), m.env, m.keys())
	case m.recorded: // most have none, and a store is spared the question
		g.resends.forget(context.Background(), m.env)
	}
	nothing := replies == nil && len(t.Refusals) == 0 && !gone // RSET or QUIT: nothing was refused, nothing came
	if nothing && span == nil {
		return
	}
	r := g.record(t, m, replies)
	if span != nil {
		g.deps.Tracer.Ended(span, r)
	}
	if nothing {
		return
	}
	g.logEnd(r, t.Refused)
	if g.deps.History != nil {
		g.deps.History.Transaction(r)
	}
}

// Refused implements smtp.Handler: a MAIL or AUTH that opened nothing.
func (g *Gateway) Refused(c *smtp.Client, verb, argument string, answer reply.Reply) {
	r := g.about(c)
	r.ID, r.Reply, r.Result = newID(r.At), answer.String(), result(answer)
	if verb == "AUTH" {
		r.Result, r.Auth = history.AuthFailed, text.Clip(text.OneLine(argument), maxSubject)
	} else {
		r.From = text.OneLine(argument)
	}
	g.logEnd(r, 0)
	if g.deps.History != nil {
		g.deps.History.Transaction(r)
	}
}

// about begins the record of a transaction with what is known of its client.
func (g *Gateway) about(c *smtp.Client) history.Record {
	r := history.Record{At: g.deps.Now().UTC().Truncate(time.Millisecond), Client: history.Client{Hello: text.OneLine(c.Hello)}, Auth: c.Auth}
	if c.Addr.IsValid() {
		r.Client.IP = c.Addr.Addr().Unmap().String()
	}
	if c.TLS != nil {
		r.TLS = cmp.Or(tlsOf(c.TLS).Version, "TLS") // a proxy may not tell the version
	}
	return r
}

// record is the transaction as the history keeps it. m is nil where no whole
// message came, or the engine refused it.
func (g *Gateway) record(t *smtp.Transaction, m *message, replies []reply.Reply) history.Record {
	r := g.about(t.Client)
	r.From, r.Size, r.Result = t.From.String(), t.Size, history.Aborted
	r.To = make([]history.Recipient, 0, len(t.Recipients)+len(t.Refusals))
	for i, to := range t.Recipients {
		entry := history.Recipient{Address: to.Address.String()}
		if len(replies) > 1 { // LMTP
			entry.Reply = replies[i].String()
		}
		r.To = append(r.To, entry)
	}
	last := reply.Reply{}
	for _, no := range t.Refusals {
		r.To = append(r.To, history.Recipient{Address: text.OneLine(no.Address), Reply: no.Reply.String()})
		last = no.Reply
	}
	if len(replies) > 0 {
		last = replies[max(slices.IndexFunc(replies, reply.Reply.OK), 0)]
	}
	r.Reply = last.String()
	if !last.Zero() {
		r.Result = result(last)
	}
	if m == nil {
		r.ID = newID(r.At)
		return r
	}
	g.addMessage(&r, m)
	return r
}

// result is the outcome of a transaction that ended with the reply.
func result(r reply.Reply) history.Result {
	switch {
	case r.OK():
		return history.Accepted
	case r.Code < 500:
		return history.Deferred
	}
	return history.Refused
}

// addMessage adds what came in, and how its deliveries ended. Strings of the
// parsed message are cloned: they are pieces of all of it.
func (g *Gateway) addMessage(r *history.Record, m *message) {
	r.ID, r.Size, r.TookMS = m.env.ID, m.env.Size, r.At.Sub(m.env.Received).Milliseconds()
	r.Client.Name = m.env.ClientName
	if head := m.mail.Head; head != nil {
		r.MessageID = strings.Clone(text.Clip(head.MessageID, maxSubject))
		r.Subject = strings.Clone(text.Clip(head.Subject, maxSubject))
		for _, a := range head.From[:min(len(head.From), maxAuthors)] {
			r.Author = append(r.Author, strings.Clone(text.Clip(a.Address, maxSubject)))
		}
	}
	if v := m.env.Verdict; v != nil {
		r.Sender = &history.Sender{Verified: v.SenderVerified, Reason: cmp.Or(v.Reason, verdictWords(v))}
	}
	r.Waiting, r.Dead, r.Repeats = m.enqueued.waiting, m.enqueued.dead, m.enqueued.repeats
	for _, d := range m.deliveries {
		switch {
		case d.AlreadyDelivered:
		case d.Outcome.Reason != "":
			r.Attempts = append(r.Attempts, attempted(d, m.env.Received, m.env.ID))
		default:
			r.Queued = append(r.Queued, d.ID)
		}
	}
}

// verdictWords is the verdict in short, where it gives no reason.
func verdictWords(v *mail.Authentication) string {
	return "dmarc " + v.DMARC.Result + ", spf " + v.SPF.Result
}

// attempted is the history's entry for an attempt at a delivery.
func attempted(d *dispatch.Delivery, at time.Time, message string) history.Attempt {
	o := d.Outcome
	a := history.Attempt{
		Message: message, Delivery: d.ID, Endpoint: d.Endpoint.Name(), To: dispatch.Addresses(d.To), At: at, N: d.Attempt,
		Queued: d.Origin == dispatch.Queued, Status: o.Status, Reason: string(o.Reason), TookMS: o.Elapsed.Milliseconds(), Answer: o.Answer,
	}
	if o.Err != nil {
		a.Error = o.Err.Error()
	}
	return a
}

// recordQueued adds an attempt at a queued delivery to the history. That the worker
// gave it up then comes by GaveUp.
func (g *Gateway) recordQueued(m *message, d *dispatch.Delivery, at time.Time, o retry.Outcome) {
	if g.deps.History == nil || o.Kind == retry.Skip {
		return
	}
	a := attempted(d, at.UTC().Truncate(time.Millisecond), m.env.ID)
	switch o.Kind {
	case retry.Done:
		a.Settles = history.SettledDone
	case retry.Divided:
		a.Settles, a.Parts = history.Divided, len(o.Parts)
	}
	g.deps.History.Attempt(a)
}

// GaveUp is called by the worker once a delivery became a dead letter.
func (g *Gateway) GaveUp(_ context.Context, l retry.Lease, reason string, a retry.Attempt) {
	if g.deps.History == nil {
		return
	}
	g.deps.History.Attempt(history.Attempt{
		Message: l.MessageID, Delivery: l.ID, Endpoint: l.Endpoint, To: slices.Clone(l.Recipients), At: g.deps.Now().UTC().Truncate(time.Millisecond),
		N: l.Attempts, Queued: true, Status: a.Status, Reason: "given up: " + reason, Settles: history.SettledDead,
	})
}

// logEnd is the one line of a transaction's end. Refusals are warnings, so that
// a filter (fail2ban) finds client and reason in one line.
func (g *Gateway) logEnd(r history.Record, refused int) {
	level := slog.LevelInfo
	if r.Result != history.Accepted {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !g.log.Enabled(ctx, level) {
		return
	}
	accepted := len(r.To) - min(refused, len(r.To))
	g.log.LogAttrs(ctx, level, "transaction", slog.String("message", r.ID), slog.String("client", r.Client.IP), slog.String("helo", r.Client.Hello),
		slog.String("tls", r.TLS), slog.String("auth", g.cfg.LogAddresses.Show(r.Auth)), slog.String("from", g.cfg.LogAddresses.Show(r.From)),
		slog.Int("rcpts", accepted), slog.Int("refused", refused), slog.Int64("size", r.Size), slog.String("result", string(r.Result)),
		slog.String("reply", r.Reply), slog.Int64("took_ms", r.TookMS))
}
