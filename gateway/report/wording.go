package report

import (
	"postern/retry"
	"postern/webhook"
)

// wording is what became of the recipients, in words that a stranger may read:
// no name, address or answer of our own systems is in it.
type wording struct {
	action  string // RFC 3464 section 2.3.3
	code    string // RFC 3463
	subject string
	opening string
	words   string
}

// delivered is the wording for a message that arrived.
var delivered = wording{"delivered", "2.0.0", "Your mail was delivered", "was delivered, as you asked to be told, to",
	"The recipient's system took it. Whether anybody read it is not known."}

// delayed is the wording for a message that is late and still tried.
var delayed = wording{"delayed", "4.4.7", "Your mail is delayed", "has not been delivered yet, within the time that you set, to",
	"This is a warning only: it is still tried, and need not be sent again."}

// undelivered is the wording for a dead letter.
func undelivered(reason string) wording {
	e := wording{"failed", "5.3.0", "Undelivered mail returned to sender", "could not be delivered to", "The recipient's system could not take it."}
	switch reason {
	case retry.ReasonExpired:
		e.code, e.words = "5.4.7", "The recipient's system did not take it within the time that messages are kept."
	case string(webhook.ReasonTooLarge):
		e.code, e.words = "5.3.4", "It is too large for the recipient's system."
	case string(webhook.ReasonRejected):
		e.code, e.words = "5.7.1", "The recipient's system refused it."
	case string(webhook.ReasonSender):
		e.code, e.words = "5.7.1", "The recipient doesn't take mail of this sender."
	case string(webhook.ReasonInsecure):
		e.code, e.words = "5.7.30", "It asked for encryption all the way (REQUIRETLS), which the recipient's system doesn't offer."
	}
	e.words += "\r\n\r\nIt will not be tried again."
	return e
}
