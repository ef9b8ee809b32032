package mail

import (
	"slices"

	"postern/gateway/mail/signals"
)

// Signals looks for what the mail hides or disguises. It reads the HTML, which
// costs about what html.Parse does: callers ask only where an endpoint wants it.
func (m *Message) Signals() []signals.Signal {
	names := make([]string, len(m.Attachments))
	for i := range m.Attachments {
		names[i] = m.Attachments[i].Filename
	}
	return signals.Of(signals.Mail{
		Text: m.Text, HTML: m.HTML, Same: m.alternatives, Subject: m.Subject,
		FileNames: names, Senders: slices.Concat(m.From, m.ReplyTo),
	})
}
