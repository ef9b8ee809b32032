package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/gateway/directory"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
	"postern/retry"
	"postern/webhook"
)

// Connect implements smtp.Handler; everybody is welcome, the engine's limits
// have spoken already.
func (g *Gateway) Connect(context.Context, *smtp.Client) smtp.Reply { return smtp.Reply{} }

// Mail implements smtp.Handler. SIZE= and the other parameters are the
// engine's; a store that can't write is only found out when it is needed,
// since a healthy webhook needs no store.
func (g *Gateway) Mail(context.Context, *smtp.Transaction) smtp.Reply { return smtp.Reply{} }

// Rcpt implements smtp.Handler: the directory says who it is, the router where
// it goes.
func (g *Gateway) Rcpt(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) smtp.Reply {
	answer := g.Directory.Recipient(ctx, query(t.Client, t.From.String(), r.Address.String()))
	if !answer.Accepted() {
		return answer.Reply
	}
	if answer.Endpoint != "" && g.Router.Endpoint(answer.Endpoint) == nil {
		g.Logger.Error("the directory names an endpoint that is not configured here; the sender comes back", "endpoint", answer.Endpoint)
		return replyNoEndpoint
	}
	to := mail.Recipient{Address: answer.Address, Endpoint: answer.Endpoint, Notify: r.Notify, ORcpt: r.ORcpt}
	to.Tag = tag(to.Address)
	if given := r.Address.String(); given != to.Address {
		to.Original = given
	}
	routes, _ := g.Router.Route([]mail.Recipient{to}, mail.Verb(t.Verb))
	if refusal := g.refuse(t, routes, answer); !refusal.Zero() {
		return refusal
	}
	r.Data = to
	return answer.Reply
}

// refuse is the reply to a recipient that the directory knows and that can't
// be served in this transaction; zero: it can.
func (g *Gateway) refuse(t *smtp.Transaction, routes []webhook.Route, a directory.Answer) smtp.Reply {
	mailbox := slices.ContainsFunc(routes, func(r webhook.Route) bool { return !r.Terminal })
	switch {
	case mail.Verb(t.Verb) == mail.VerbSend:
		live := func(r webhook.Route) bool { return r.Terminal && g.Breakers.Allowed(r.Endpoint.Name()) }
		if !slices.ContainsFunc(routes, live) {
			return replyNoTerminal
		}
	case !mailbox && a.Forwarded():
		return smtp.Reply{Code: 551, Enhanced: reply.Enhanced{5, 1, 6}, Lines: []string{"User not local; please try <" + a.Address + ">"}}
	case !mailbox:
		return replyNoRecipient
	}
	if t.RequireTLS && slices.ContainsFunc(routes, func(r webhook.Route) bool { return !r.Endpoint.Secure() }) {
		return replyNoRequireTLS
	}
	if g.OneEndpoint && !t.Client.LMTP && len(t.Recipients) > 0 && !g.sameAnswer(t, routes) {
		return replyOtherEndpoint
	}
	return smtp.Reply{}
}

// sameAnswer reports whether a recipient with these routes would share the one
// POST of the recipients before it.
func (g *Gateway) sameAnswer(t *smtp.Transaction, routes []webhook.Route) bool {
	first, ok := t.Recipients[0].Data.(mail.Recipient)
	if !ok {
		return false
	}
	have, _ := g.Router.Route([]mail.Recipient{first}, mail.Verb(t.Verb))
	return slices.EqualFunc(have, routes, func(a, b webhook.Route) bool {
		return a.Endpoint == b.Endpoint && !a.Endpoint.PerRecipient()
	})
}

// sink is a message on its way in.
type sink struct {
	*mail.Spool
	booked retry.Reservation // with ACCEPT=queue, before the first octet
}

// Write implements smtp.Sink.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.Spool.Write(b)
	if errors.Is(err, mail.ErrSpoolFull) || errors.Is(err, errNoSpace) {
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
	if g.QueueFirst && mail.Verb(t.Verb) != mail.VerbSend {
		booked, err := g.Queue.Reserve(ctx, max(t.Size, 1))
		if err != nil {
			return nil, storeFailure(err)
		}
		s.booked = booked
	}
	s.Spool = g.Spooler.New(t.From.String())
	return s, smtp.Reply{}
}

// Verify implements smtp.Handler (VRFY).
func (g *Gateway) Verify(ctx context.Context, c *smtp.Client, arg string) smtp.Reply {
	return g.Directory.Verify(ctx, query(c, "", arg)).Reply
}

// Expand implements smtp.Handler (EXPN).
func (g *Gateway) Expand(ctx context.Context, c *smtp.Client, arg string) smtp.Reply {
	return g.Directory.Expand(ctx, query(c, "", arg)).Reply
}

// Status implements smtp.Handler (HELP STATUS). Numbers are for those who
// signed in or came by a unix socket.
func (g *Gateway) Status(ctx context.Context, c *smtp.Client) smtp.Reply {
	lines := []string{"The service is up"}
	if c.Auth != "" || c.Unix {
		up := g.Now().Sub(g.started).Truncate(time.Second)
		lines = append(lines, "Postern "+g.Version+", up for "+up.String(), g.queueState(ctx))
	}
	return smtp.Reply{Code: 211, Enhanced: reply.Enhanced{2, 0, 0}, Lines: lines}
}

func (g *Gateway) queueState(ctx context.Context) string {
	if g.Queue == nil {
		return "There is no queue"
	}
	s, err := g.Queue.Stats(ctx)
	if err != nil {
		return "The queue can't be read"
	}
	var due, dead int64
	for _, n := range s.Endpoints {
		due, dead = due+n.Due+n.Leased, dead+n.Dead
	}
	return fmt.Sprintf("Waiting deliveries: %d; dead letters: %d; octets: %d of %d", due, dead, s.Bytes, s.MaxBytes)
}

func query(c *smtp.Client, from, address string) directory.Query {
	q := directory.Query{Address: address, MailFrom: from, Hello: c.Hello}
	if c.Addr.IsValid() {
		q.Client = c.Addr.Addr().Unmap().String()
	}
	return q
}

// tag is what follows the first "+" of the local part.
func tag(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	_, tag, _ := strings.Cut(address[:at], "+")
	return tag
}
