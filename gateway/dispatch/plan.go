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
	Mail     *Mail
	Endpoint *webhook.Endpoint
	To       []mail.Recipient
	ID       string // webhook-id
	Attempt  int    // 1 for the first
	Origin   Origin
	Taken    bool            // an earlier try of the sender's reached them: nobody is asked
	Outcome  webhook.Outcome // once it was made

	use *use // of what the mail says, nil: it is read when it is needed
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
// endpoint, in the order in which the recipients name the endpoints. Those whom
// an earlier try of the sender's reached stand apart, as Taken.
func Plan(m *Mail, to []Recipient, kind Kind, taken func(ep *webhook.Endpoint, r mail.Recipient) bool) []*Delivery {
	var ds []*Delivery
	for _, r := range to {
		for _, ep := range r.Endpoints {
			if kind.Is(ep) {
				ds = add(ds, m, ep, r.Recipient, taken(ep, r.Recipient))
			}
		}
	}
	for _, d := range ds {
		d.ID = d.id()
	}
	return ds
}

// add puts a recipient into the delivery that it shares, or into one of its own.
func add(ds []*Delivery, m *Mail, ep *webhook.Endpoint, r mail.Recipient, taken bool) []*Delivery {
	shared := func(d *Delivery) bool { return d.Endpoint == ep && d.Taken == taken && !ep.PerRecipient() }
	if i := slices.IndexFunc(ds, shared); i >= 0 {
		ds[i].To = append(ds[i].To, r)
		return ds
	}
	return append(ds, &Delivery{Mail: m, Endpoint: ep, To: []mail.Recipient{r}, Attempt: 1, Taken: taken})
}

func (d *Delivery) id() string {
	return webhook.DeliveryID(d.Mail.Envelope.Key, d.Endpoint.Name(), Addresses(d.To))
}

// Part is the delivery for some of its recipients; nil for none of them. A part
// has an id of its own.
func (d *Delivery) Part(of func(mail.Recipient) bool) *Delivery {
	n := *d
	n.To = nil
	for _, r := range d.To {
		if of(r) {
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

// Reaches reports whether the address is among the recipients.
func (d *Delivery) Reaches(address string) bool {
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
