package dispatch

import (
	"slices"

	"postern/gateway/mail"
	"postern/webhook"
)

// Recipient is an accepted recipient and the endpoints that it goes to.
type Recipient struct {
	mail.Recipient
	Endpoints []*webhook.Endpoint
}

// Delivery is one POST: a message, an endpoint, a group of recipients.
type Delivery struct {
	Mail             *Mail
	Endpoint         *webhook.Endpoint
	To               []mail.Recipient
	ID               string // webhook-id
	Attempt          int    // 1 for the first
	Origin           Origin
	AlreadyDelivered bool            // an earlier try of the sender's reached them: nothing is posted
	Outcome          webhook.Outcome // once it was made

	ref *ref // to the parsed mail; nil: it is parsed when it is rendered
}

// Origin says where a delivery comes from.
type Origin uint8

// The two origins: with fresh mail a sender waits for the outcome.
const (
	Fresh Origin = iota
	Queued
)

// Kind is a kind of endpoint.
type Kind uint8

// The two kinds: a terminal is a live channel, which takes mail now or never.
const (
	Mailboxes Kind = iota
	Terminals
)

// Is reports whether an endpoint is of the kind.
func (k Kind) Is(ep *webhook.Endpoint) bool { return ep.Terminal() == (k == Terminals) }

// Plan lists the fresh deliveries of a message for recipients to one kind of
// endpoint, in the order of the recipients and of each one's endpoints. Recipients
// whom an earlier try of the sender's reached (reached says so) become deliveries
// of their own, which are AlreadyDelivered.
func Plan(m *Mail, to []Recipient, kind Kind, reached func(ep *webhook.Endpoint, r mail.Recipient) bool) []*Delivery {
	var ds []*Delivery
	for _, r := range to {
		for _, ep := range r.Endpoints {
			if kind.Is(ep) {
				ds = add(ds, m, ep, r.Recipient, reached(ep, r.Recipient))
			}
		}
	}
	for _, d := range ds {
		d.ID = d.id()
	}
	return ds
}

// add puts a recipient into the delivery that it shares with others, or into one of
// its own.
func add(ds []*Delivery, m *Mail, ep *webhook.Endpoint, r mail.Recipient, already bool) []*Delivery {
	shared := func(d *Delivery) bool { return d.Endpoint == ep && d.AlreadyDelivered == already && !ep.PerRecipient() }
	if i := slices.IndexFunc(ds, shared); i >= 0 {
		ds[i].To = append(ds[i].To, r)
		return ds
	}
	return append(ds, &Delivery{Mail: m, Endpoint: ep, To: []mail.Recipient{r}, Attempt: 1, AlreadyDelivered: already})
}

func (d *Delivery) id() string {
	return webhook.DeliveryID(d.Mail.Envelope.Key, d.Endpoint.Name(), Addresses(d.To))
}

// Part is the delivery narrowed to the recipients for whom only is true; nil where
// there are none. What is narrowed has an id of its own.
func (d *Delivery) Part(only func(mail.Recipient) bool) *Delivery {
	n := *d
	n.To = nil
	for _, r := range d.To {
		if only(r) {
			n.To = append(n.To, r)
		}
	}
	if len(n.To) == 0 {
		return nil
	}
	if len(n.To) != len(d.To) {
		n.ID = n.id()
	}
	return &n
}

// IsFor reports whether the address is among the delivery's recipients.
func (d *Delivery) IsFor(address string) bool {
	return slices.ContainsFunc(d.To, func(r mail.Recipient) bool { return r.Address == address })
}

// Addresses lists the recipients' addresses.
func Addresses(to []mail.Recipient) []string {
	out := make([]string, len(to))
	for i := range to {
		out[i] = to[i].Address
	}
	return out
}
