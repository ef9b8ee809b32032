package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
	"postern/webhook"
)

// Connect implements smtp.Handler; everybody is welcome, the engine's limits
// have spoken already.
func (g *Gateway) Connect(context.Context, *smtp.Client) reply.Reply { return reply.Reply{} }

// Mail implements smtp.Handler. SIZE= and the other parameters are the
// engine's; a store that can't write is only found out when it is needed,
// since a healthy webhook needs no store.
func (g *Gateway) Mail(ctx context.Context, t *smtp.Transaction) reply.Reply {
	if g.deps.Tracer != nil {
		t.Data = traced{g.deps.Tracer.Transaction(ctx, t.Client, t.Verb)}
	}
	return reply.Reply{}
}

// Rcpt implements smtp.Handler: the directory says who it is, the router where
// it goes. From here on the recipient carries its endpoints.
func (g *Gateway) Rcpt(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) reply.Reply {
	given := r.Address.String()
	answer, asked := r.Data.(directory.Answer)
	if !asked {
		answer = g.lookUp(ctx, t, given)
	}
	if !answer.Accepted() {
		return answer.Reply
	}
	if answer.Endpoint != "" && g.deps.Router.Endpoint(answer.Endpoint) == nil {
		g.log.Error("the directory names an endpoint that is not configured here; the sender comes back", "endpoint", answer.Endpoint)
		return replyNoEndpoint
	}
	to := mail.Recipient{Address: answer.Address, Endpoint: answer.Endpoint, Notify: r.Notify, ORcpt: r.ORcpt}
	to.Tag = tag(to.Address)
	if given != to.Address {
		to.Original = given
	}
	endpoints := g.deps.Router.Route(to, mail.Verb(t.Verb))
	if refusal := g.refuse(ctx, t, endpoints, answer); !refusal.Zero() {
		return refusal
	}
	r.Data = dispatch.Recipient{Recipient: to, Endpoints: endpoints}
	return answer.Reply
}

// Resolve implements smtp.Resolver: a directory that has to be asked is asked
// about all of a pipelined group's recipients at once.
func (g *Gateway) Resolve(ctx context.Context, t *smtp.Transaction, r *smtp.Recipient) {
	r.Data = g.lookUp(ctx, t, r.Address.String())
}

func (g *Gateway) lookUp(ctx context.Context, t *smtp.Transaction, address string) directory.Answer {
	ctx, end := g.step(g.within(ctx, t), "recipient")
	defer end(nil)
	return g.deps.Directory.Recipient(ctx, query(t.Client, t.From.String(), address))
}

// refuse is the reply to a recipient that the directory knows and that can't
// be served in this transaction; zero: it can.
func (g *Gateway) refuse(ctx context.Context, t *smtp.Transaction, endpoints []*webhook.Endpoint, a directory.Answer) reply.Reply {
	mailbox := slices.ContainsFunc(endpoints, dispatch.Mailboxes.Is)
	switch {
	case mail.Verb(t.Verb) == mail.VerbSend:
		live := func(ep *webhook.Endpoint) bool { return ep.Terminal() && g.deps.Dispatch.Available(ep) }
		if !slices.ContainsFunc(endpoints, live) {
			return replyNoTerminal
		}
	case !mailbox && a.Forwarded():
		return reply.Reply{Code: 551, Enhanced: reply.Enhanced{5, 1, 6}, Lines: []string{"User not local; please try <" + a.Address + ">"}}
	case !mailbox:
		return replyNoRecipient
	}
	if t.RequireTLS && slices.ContainsFunc(endpoints, func(ep *webhook.Endpoint) bool { return !ep.Secure() }) {
		return replyNoRequireTLS
	}
	if g.cfg.QueueFirst && g.anyFull(ctx, endpoints) {
		return replyEndpointFull
	}
	if g.cfg.OneEndpoint && !t.Client.LMTP && len(t.Recipients) > 0 && !sameAnswer(t, endpoints) {
		return replyOtherEndpoint
	}
	return reply.Reply{}
}

// sameAnswer reports whether a recipient with these endpoints would share the
// one POST of the recipients before it.
func sameAnswer(t *smtp.Transaction, endpoints []*webhook.Endpoint) bool {
	first := t.Recipients[0].Data.(dispatch.Recipient)
	return slices.Equal(first.Endpoints, endpoints) && !slices.ContainsFunc(endpoints, (*webhook.Endpoint).PerRecipient)
}

// Verify implements smtp.Handler (VRFY).
func (g *Gateway) Verify(ctx context.Context, c *smtp.Client, arg string) reply.Reply {
	return g.deps.Directory.Verify(ctx, query(c, "", arg)).Reply
}

// Expand implements smtp.Handler (EXPN).
func (g *Gateway) Expand(ctx context.Context, c *smtp.Client, arg string) reply.Reply {
	return g.deps.Directory.Expand(ctx, query(c, "", arg)).Reply
}

// Status implements smtp.Handler (HELP STATUS). Numbers are for those who
// signed in or came by a unix socket.
func (g *Gateway) Status(ctx context.Context, c *smtp.Client) reply.Reply {
	lines := []string{"The service is up"}
	if c.Auth != "" || c.Unix {
		up := g.deps.Now().Sub(g.started).Truncate(time.Second)
		lines = append(lines, "Postern "+g.cfg.Version+", up for "+up.String(), g.queueState(ctx))
	}
	return reply.Reply{Code: 211, Enhanced: reply.Enhanced{2, 0, 0}, Lines: lines}
}

func (g *Gateway) queueState(ctx context.Context) string {
	if g.deps.Queue == nil {
		return "There is no queue"
	}
	s, err := g.deps.Queue.Stats(ctx)
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
	local, _, found := text.CutAddress(address)
	if !found {
		return ""
	}
	_, tag, _ := strings.Cut(local, "+")
	return tag
}
