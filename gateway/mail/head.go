package mail

import (
	"strings"

	"postern/gateway/text"
)

// Head is what is kept of a message while others think about it: who sent it,
// what it is about, and, where they are few octets, whom it is addressed to. It
// has no text, no attachments and nothing that refers to the message's octets.
func (m *Message) Head() *Message {
	h := *m
	h.Text, h.HTML, h.Reply, h.Headers, h.Attachments, h.Report, h.Calendar = "", "", Reply{}, nil, nil, nil, nil
	octets := 0
	for i := range m.Headers {
		octets += len(m.Headers[i].Raw)
	}
	if octets <= headKept {
		return &h
	}
	h.To, h.Cc, h.Bcc, h.References, h.InReplyTo = nil, nil, nil, nil, nil
	h.From, h.ReplyTo = h.From[:min(len(h.From), headList)], h.ReplyTo[:min(len(h.ReplyTo), headList)]
	return h.cloned()
}

// The bounds of what Head keeps.
const (
	headKept   = 32 << 10 // octets of a header that stays whole
	headList   = 20       // addresses of a list
	headString = 2 << 10  // octets of a string
)

// cloned is the message with strings of their own, so that they keep nothing
// else in memory.
func (m Message) cloned() *Message {
	short := func(s string) string { return strings.Clone(text.Shorten(s, headString)) }
	m.MessageID, m.Subject = short(m.MessageID), short(m.Subject)
	addresses := func(list []Address) []Address {
		own := make([]Address, len(list))
		for i, a := range list {
			own[i] = Address{Name: short(a.Name), Address: short(a.Address)}
		}
		return own
	}
	m.From, m.ReplyTo = addresses(m.From), addresses(m.ReplyTo)
	if m.Sender != nil {
		m.Sender = &addresses([]Address{*m.Sender})[0]
	}
	return &m
}
