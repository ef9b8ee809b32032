package mail

import (
	"net/netip"
	"time"
)

// Verb is the command that opened a transaction (RFC 5321 MAIL; RFC 821 SEND,
// SOML and SAML).
type Verb string

// The four verbs that open a transaction.
const (
	VerbMail Verb = "MAIL" // to the mailbox
	VerbSend Verb = "SEND" // to a terminal, now or never
	VerbSoml Verb = "SOML" // to a terminal, else to the mailbox
	VerbSaml Verb = "SAML" // to a terminal and to the mailbox
)

// Envelope is what the SMTP transaction said of a message: who sent it from
// where, and for whom it is. It is made once, at receipt, and travels with the
// stored bytes, so that a retry renders exactly what the first attempt did.
// Its JSON form is what the queue keeps; fields are added, never changed.
type Envelope struct {
	ID         string          `json:"id"`            // names the message, unique
	Key        string          `json:"key"`           // message key, hex SHA-256: the same over the sender's re-sends
	Keyed      bool            `json:"keyed"`         // Key is derived from the message; false: random, no Message-ID
	Received   time.Time       `json:"received"`      // when the last octet arrived
	Client     netip.AddrPort  `json:"client"`        // the connecting address, PROXY header applied; zero for a unix socket
	ClientName string          `json:"client_name"`   // reverse DNS name, "" unknown
	Hello      string          `json:"hello"`         // argument of HELO, EHLO or LHLO
	Protocol   string          `json:"protocol"`      // the "with" of the Received line: SMTP, ESMTPSA, LMTP … (RFC 3848)
	TLS        *TLS            `json:"tls,omitempty"` // nil in the clear
	Auth       string          `json:"auth"`          // who signed in, "" nobody
	Verb       Verb            `json:"verb"`
	From       string          `json:"from"` // reverse-path, "" for the null sender
	To         []Recipient     `json:"to"`
	UTF8       bool            `json:"utf8"`           // SMTPUTF8 was given (RFC 6531)
	Body       string          `json:"body,omitempty"` // 7BIT, 8BITMIME, BINARYMIME or ""
	Size       int64           `json:"size"`           // octets of DATA as received
	RequireTLS bool            `json:"require_tls,omitempty"`
	Repaired   []string        `json:"repaired,omitempty"` // what was wrong with the octets and isn't any more, in words
	DSN        *DSN            `json:"dsn,omitempty"`
	Trace      string          `json:"trace"`                    // the header lines that we put before DATA, CRLF included; frozen at receipt
	Removed    []Span          `json:"removed,omitempty"`        // of DATA: header fields that pretend to be ours, left out of what is shown; frozen at receipt
	Verdict    *Authentication `json:"authentication,omitempty"` // made once, at receipt; nil: not checked
	Spam       *Spam           `json:"spam,omitempty"`           // rspamd's opinion at receipt; nil: none
	Arrival    string          `json:"arrival,omitempty"`        // the span of the transaction that it came by, as a traceparent; "" none is recorded
}

// TLS describes the session's encryption.
type TLS struct {
	Version       string `json:"version"`
	Cipher        string `json:"cipher"`
	ClientSubject string `json:"client_subject"` // of a verified client certificate, "" without
}

// DSN is what the client asked for in delivery status notifications (RFC 3461).
type DSN struct {
	Ret   string `json:"ret,omitempty"`   // FULL or HDRS
	EnvID string `json:"envid,omitempty"` // decoded from xtext
	By    string `json:"by,omitempty"`    // DELIVERBY as given (RFC 2852)
}

// Recipient is one accepted forward-path.
type Recipient struct {
	Address  string   `json:"address"`            // where the mail goes, after the directory's forwarding
	Original string   `json:"original,omitempty"` // as given in RCPT TO, where it differs
	Tag      string   `json:"tag,omitempty"`      // what follows the first "+" of the local part
	Endpoint string   `json:"endpoint,omitempty"` // named by the directory; "" lets the patterns decide
	Notify   []string `json:"notify,omitempty"`   // RFC 3461 NOTIFY
	ORcpt    string   `json:"orcpt,omitempty"`    // RFC 3461 ORCPT as given
}

// Spam is what a filter thinks of the mail.
type Spam struct {
	Score   float64      `json:"score"`
	Action  string       `json:"action"`  // rspamd's word: "no action", "greylist", "add header", "rewrite subject", "soft reject", "reject"
	Symbols []SpamSymbol `json:"symbols"` // what it found, the worst first
}

// SpamSymbol is one finding.
type SpamSymbol struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

// Spam reports whether the filter would have readers see it as spam.
func (s *Spam) Spam() bool {
	return s.Action == "reject" || s.Action == "add header" || s.Action == "rewrite subject"
}

// Authentication is the verdict on the sender: SPF, DKIM and DMARC over the
// bytes as received. Results are the words of RFC 8601 ("pass", "fail",
// "none", "temperror" …).
type Authentication struct {
	SPF            SPFResult    `json:"spf"`
	DKIM           []DKIMResult `json:"dkim"`
	DMARC          DMARCResult  `json:"dmarc"`
	SenderVerified bool         `json:"sender_verified"`
	Reason         string       `json:"reason"` // in words
	Header         string       `json:"header"` // the Authentication-Results value (RFC 8601)
}

// SPFResult is the outcome of RFC 7208's check_host.
type SPFResult struct {
	Result string `json:"result"` // "" where it can't be checked
	Domain string `json:"domain"`
}

// DKIMResult is the outcome of one signature (RFC 6376).
type DKIMResult struct {
	Result   string `json:"result"`
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Aligned  bool   `json:"aligned"`
	Reason   string `json:"reason,omitempty"` // in words, where it is no plain pass
}

// DMARCResult is the outcome of RFC 9989's evaluation.
type DMARCResult struct {
	Result    string `json:"result"`     // "" where it can't be told, since SPF can't be checked
	Domain    string `json:"domain"`     // of From
	Policy    string `json:"policy"`     // what the domain's owner asks for, "" nothing
	AlignedBy string `json:"aligned_by"` // "spf", "dkim", "spf,dkim" or ""
}
