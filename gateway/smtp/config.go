package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"postern/gateway/smtp/address"
)

// BareLF says what becomes of a message whose DATA holds a CR or LF that is
// not part of a CRLF, or CRs before one. None of them ends a message, whatever
// stands around it, so that nothing can be smuggled past a server that reads
// line ends differently.
type BareLF uint8

const (
	// BareLFNormalize makes one CRLF of each broken line end, and says so in
	// Transaction.BareLF.
	BareLFNormalize BareLF = iota
	// BareLFReject reads to the true end of data and answers 550 5.5.2 (RFC 5321 section 2.3.8).
	BareLFReject
)

// TLSMode says what STARTTLS is to a plain listener.
type TLSMode uint8

const (
	TLSOff     TLSMode = iota // STARTTLS is answered 502
	TLSOffer                  // EHLO offers it
	TLSRequire                // 530 to all but NOOP, EHLO, STARTTLS and QUIT before it (RFC 3207 section 4)
)

// Config holds every limit of the engine. DefaultConfig fills it; a zero limit
// means "no limit", a zero timeout is refused by NewServer.
type Config struct {
	Domain string // the server's name in the greeting and after EHLO

	MaxSize                 int64 // octets of a message, else 552 5.3.4 (RFC 1870)
	MaxHeader               int64 // octets of a message's header, else 552 5.3.4
	MaxReceived             int   // Received lines; this many is a loop: 554 5.4.6 (RFC 5321 section 6.3)
	MaxRecipients           int   // accepted in a transaction, then 452 4.5.3; never under 100 (RFC 5321 section 4.5.3.1.8)
	MaxMessages             int   // accepted in a session, then 421 4.7.0; announced as MAILMAX (RFC 9422)
	MaxCommandLine          int   // octets with CRLF, else 500 5.5.2; at least 1024 (RFC 5321 section 4.5.3.1.4 and its extensions' growth)
	MaxConnections          int   // at once, then 421 4.3.2
	MaxConnectionsPerClient int   // at once from a /32 or a /64, then 421 4.7.0

	CommandTimeout   time.Duration // for a whole command line, then 421 4.4.2; at least 5 min by RFC 5321 section 4.5.3.2.7
	CrowdedTimeout   time.Duration // in CommandTimeout's place while more than 7/8 of MaxConnections are taken
	DataTimeout      time.Duration // for each block of DATA or BDAT, then 421 4.4.2
	MinDataRate      int64         // octets a second of DATA or BDAT, after a first DataTimeout, then 421 4.4.2
	WriteTimeout     time.Duration // for a client to take our replies, then we hang up
	HandshakeTimeout time.Duration // for TLS
	ProxyTimeout     time.Duration // for the PROXY header
	SessionTimeout   time.Duration // for the session in all, then 421 4.4.2

	SoftErrors      int           // commands answered 5xx, after which each further one waits ErrorDelay
	HardErrors      int           // … then 421 4.7.0
	MaxJunk         int           // NOOP, RSET, VRFY, EXPN, HELP, HELO and out-of-order commands between two messages, then 421 4.7.0
	MaxAuthFailures int           // then 421 4.7.0
	MaxRefused      int           // recipients answered 5xx, then 421 4.7.0
	ErrorDelay      time.Duration // see SoftErrors; also before the answer to a failed AUTH

	GreetDelay     time.Duration // how long the greeting waits for early talkers; 0: only what came already is looked at
	AllowEarlyTalk bool          // a client that speaks before the greeting is 554 5.5.0 unless true
	BareLF         BareLF
	Strict         bool // refuse what Lenient paths, a blank before a command and AUTH= without AUTH are

	TLS          TLSMode
	AuthRequired bool // MAIL needs AUTH, else 530 5.7.0; not on a unix socket
	AuthInsecure bool // PLAIN and LOGIN also in the clear: for tests on the loopback

	ProxyFrom []netip.Prefix // from these a PROXY header is mandatory; from elsewhere it is an error

	Legacy    bool // SEND, SOML, SAML (RFC 821)
	Turn      bool // TURN (RFC 821)
	Verify    bool // VRFY asks the Handler; off: 252
	Expand    bool // EXPN asks the Handler; off: 502
	DSN       bool // RFC 3461
	DeliverBy bool // RFC 2852
}

// DefaultConfig is what suits port 25 of a server named domain.
func DefaultConfig(domain string) Config {
	return Config{
		Domain:                  domain,
		MaxSize:                 50 << 20,
		MaxHeader:               0, // real mail is not refused for its header; MaxSize bounds it
		MaxReceived:             50,
		MaxRecipients:           1000,
		MaxCommandLine:          4096,
		MaxConnections:          1000,
		MaxConnectionsPerClient: 50,
		CommandTimeout:          5 * time.Minute,
		CrowdedTimeout:          30 * time.Second,
		DataTimeout:             3 * time.Minute,
		MinDataRate:             500,
		WriteTimeout:            time.Minute,
		HandshakeTimeout:        30 * time.Second,
		ProxyTimeout:            5 * time.Second,
		SessionTimeout:          time.Hour,
		SoftErrors:              5,
		HardErrors:              15,
		MaxJunk:                 100,
		MaxAuthFailures:         3,
		MaxRefused:              20,
		ErrorDelay:              time.Second,
	}
}

// Bounds that the RFCs or the buffers set.
const (
	minCommandLine = 1024
	maxCommandLine = largeBuffer / 2
	minRecipients  = 100
)

// manners is what the clients' paths are held to.
func (c *Config) manners() address.Manners {
	if c.Strict {
		return address.Strict
	}
	return address.Lenient
}

// validate names every setting that can't work.
func (c *Config) validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("smtp: "+format, args...))
		}
	}
	bad(!address.ValidHostname(c.Domain), "Domain %q is not a host name", c.Domain)
	bad(c.MaxSize < 0 || c.MaxHeader < 0, "MaxSize and MaxHeader must not be negative")
	bad(c.MaxRecipients > 0 && c.MaxRecipients < minRecipients, "MaxRecipients must be at least %d or 0", minRecipients)
	bad(c.MaxCommandLine < minCommandLine || c.MaxCommandLine > maxCommandLine, "MaxCommandLine must be %d to %d", minCommandLine, maxCommandLine)
	for _, t := range []struct {
		name string
		d    time.Duration
	}{
		{"CommandTimeout", c.CommandTimeout}, {"CrowdedTimeout", c.CrowdedTimeout}, {"DataTimeout", c.DataTimeout},
		{"WriteTimeout", c.WriteTimeout}, {"HandshakeTimeout", c.HandshakeTimeout}, {"ProxyTimeout", c.ProxyTimeout},
		{"SessionTimeout", c.SessionTimeout},
	} {
		bad(t.d <= 0, "%s must be positive", t.name)
	}
	bad(c.ErrorDelay < 0 || c.GreetDelay < 0, "ErrorDelay and GreetDelay must not be negative")
	for _, l := range []struct {
		name string
		n    int
	}{
		{"MaxReceived", c.MaxReceived}, {"MaxRecipients", c.MaxRecipients}, {"MaxMessages", c.MaxMessages},
		{"MaxConnections", c.MaxConnections}, {"MaxConnectionsPerClient", c.MaxConnectionsPerClient}, {"SoftErrors", c.SoftErrors},
		{"HardErrors", c.HardErrors}, {"MaxJunk", c.MaxJunk}, {"MaxAuthFailures", c.MaxAuthFailures}, {"MaxRefused", c.MaxRefused},
		{"MinDataRate", int(c.MinDataRate)},
	} {
		bad(l.n < 0, "%s must not be negative", l.name)
	}
	return errors.Join(errs...)
}
