package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"

	"postern/webhook/payload"
)

// Defaults of an endpoint's settings.
const (
	DefaultTimeout      = 10 * time.Second // from the request's last octet to the answer's header
	DefaultRetryTimeout = 60 * time.Second // the same for queued attempts: nobody waits
	DefaultInlineLimit  = 5 << 20          // octets of body
)

// Config is what the operator says of one endpoint. Zero values take the
// defaults; NewEndpoint names the field that it can't use.
type Config struct {
	Name  string   // in logs, metrics, ids and the queue; must stay the same over restarts
	URL   string   // http or https; userinfo becomes basic auth
	Match []string // patterns of recipients (ParsePattern); none: all
	Copy  bool     // takes a copy, and matching goes on

	Format      string // payload.ByName
	Attachments payload.Where
	Raw         payload.Where
	InlineLimit int64  // octets of body above which content goes by url; negative: never
	Markdown    bool   // the native format tells the mail as Markdown, too
	Signals     bool   // and what it hides or disguises
	ReplyMarker string // line that the application puts above what it writes

	Secret   SecretSource // signs each POST; during rotation two, separated by white space
	Token    SecretSource // Authorization: Bearer
	Username string       // basic auth
	Password SecretSource
	Headers  http.Header // on each POST; they win over ours, Content-Type included

	Timeout      time.Duration
	RetryTimeout time.Duration
	Concurrency  int // POSTs at once; 0: whoever posts decides
	// MaxQueued and MaxQueuedBytes bound what waits for the endpoint in the
	// queue, in deliveries and octets; 0 is no bound of its own.
	MaxQueued      int64
	MaxQueuedBytes int64

	Reject   []string // statuses ("404") or "4xx" that reject beside 406
	Defer    bool     // false leaves a transient failure with the sender
	Terminal bool     // a live channel: takes SEND, SOML and SAML, never MAIL

	Require   string   // "verified": who didn't sign in must have a verified From; "": anybody
	AllowFrom []string // patterns of verified From addresses that may write; none: all; some imply Require

	Authorities func() *x509.CertPool   // those of the moment, in place of the system's
	Certificate func() *tls.Certificate // our client certificate of the moment; nil: none
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.RetryTimeout == 0 {
		c.RetryTimeout = DefaultRetryTimeout
	}
	if c.InlineLimit == 0 {
		c.InlineLimit = DefaultInlineLimit
	}
	if c.Attachments == "" {
		c.Attachments = payload.Inline
	}
	if c.Raw == "" {
		c.Raw = payload.Omit
	}
	return c
}
