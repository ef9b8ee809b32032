package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"blitiri.com.ar/go/spf"

	"postern/gateway/mail"
)

// Budget is the time for all that DNS is asked about one mail.
const Budget = 5 * time.Second

var errBudget = errors.New("the time for DNS look-ups is over")

// TXT looks up texts in DNS. Errors of DNS types are *net.DNSError.
type TXT interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// DNS is what the checks ask; *Resolver is the real one.
type DNS interface {
	spf.DNSResolver
	// Missing reports whether a name doesn't exist (NXDOMAIN).
	Missing(ctx context.Context, name string) (bool, error)
}

// Config is what the operator decides.
type Config struct {
	Domain    string         // our host name, the authserv-id
	Relays    []netip.Prefix // MTAs in front of us whose Received lines are believed
	ResultsOf string         // authserv-id of a relay whose verdict is ours; "" none
	// ResultsBelow: that relay writes its results below its own Received line and
	// removes those of others in its name.
	ResultsBelow bool
	NoDMARC      bool        // policies aren't looked up, and nobody is verified
	Limits       mail.Limits // of the parser
}

// Deps are the parts that a checker works with.
type Deps struct {
	DNS DNS
	Now func() time.Time
}

// Checker authenticates mails.
type Checker struct {
	cfg  Config
	deps Deps
}

// New wires a checker.
func New(cfg Config, deps Deps) *Checker {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Checker{cfg, deps}
}

// Forged is the package's Forged for what is ours: our own name, and that of the
// relay whose results are believed, where these aren't the relay's own.
func (c *Checker) Forged(e *mail.Envelope, data mail.Source) (Removal, error) {
	ours := []string{c.cfg.Domain}
	if c.cfg.ResultsOf == "" {
		return Forged(data, ours...)
	}
	trusted := int64(0)
	if c.relay(e.Client.Addr()) {
		o, err := open(data)
		if err != nil {
			return Removal{}, err
		}
		o.rest.Close()
		trusted = c.trusted(e.Client.Addr(), o.fields)
	}
	return forged(data, ours, c.cfg.ResultsOf, trusted)
}

// Authenticate gives the verdict on a message, its octets as received. The forged
// fields that e.Removed names don't count for who wrote it. It fills in
// e.ClientName on the way.
func (c *Checker) Authenticate(ctx context.Context, e *mail.Envelope, data mail.Source) *mail.Authentication {
	ctx, cancel := context.WithTimeoutCause(ctx, Budget, errBudget)
	defer cancel()
	m, err := c.read(e, data)
	if err != nil {
		return &mail.Authentication{DMARC: mail.DMARCResult{Result: tempError}, Reason: "the message can't be read", Header: c.cfg.Domain + "; none"}
	}
	defer m.rest.Close()
	m.signatures = signaturesOf(m.fields, m.author(), c.deps.Now())
	m.doubt()
	if a := c.relayed(e, m); a != nil {
		return a
	}
	var wait sync.WaitGroup
	if client := e.Client.Addr(); client.IsValid() && !client.IsLoopback() {
		if r, ok := c.deps.DNS.(interface {
			ClientName(context.Context, netip.Addr) string
		}); ok {
			wait.Go(func() { e.ClientName = r.ClientName(ctx, client) })
		}
	}
	if m.client.IsValid() {
		wait.Go(func() { m.spf, m.spfNote = checkSPF(ctx, c.deps.DNS, m.client, m.hello, e.From) })
	}
	for i := range m.authors {
		if c.cfg.NoDMARC {
			break
		}
		a := &m.authors[i]
		wait.Go(func() { a.walked, a.err = walk(ctx, c.deps.DNS, a.domain) })
	}
	m.err = dkim(ctx, c.deps.DNS, m.signatures, m.fields, func(sums []*bodyHash) error { return hashBody(m.body, m.rest, sums) })
	wait.Wait()
	return c.evaluate(ctx, m)
}

// message is a mail under examination.
type message struct {
	*opened
	shown      *mail.Shown
	elsewhere  bool     // its header ends at another octet for readers
	authors    []author // a domain each
	several    bool     // addresses or From fields
	client     netip.Addr
	hello      string
	unchecked  string // why SPF can't be checked
	identity   string // whose it is: smtp.mailfrom, or smtp.helo for the null sender
	spf        mail.SPFResult
	spfNote    string
	signatures []*signature
	err        error // of the body
}

// author is a domain of From, and who speaks for it.
type author struct {
	domain string
	walked walked
	err    error
}

func (m *message) author() string {
	if len(m.authors) == 0 {
		return ""
	}
	return m.authors[0].domain
}

// read looks at the header: whose mail it says it is, and where it came from.
func (c *Checker) read(e *mail.Envelope, data mail.Source) (*message, error) {
	o, err := open(data)
	if err != nil {
		return nil, err
	}
	m := &message{opened: o}
	header, body := headerOnly(data, o, e.Removed)
	src := mail.Prepend("Received: here\r\n", header)
	if m.shown, err = mail.ReadShown(src, c.cfg.Limits); err != nil {
		o.rest.Close()
		return nil, err
	}
	m.elsewhere = !m.shown.Whole || src.Size()-m.shown.Body != body
	from := m.shown.From
	m.several = len(m.shown.All("From")) > 1 || len(valuesOf(o.fields, "from")) > 1 || len(from) > 1
	m.addAuthors(from)
	m.client, m.hello, m.unchecked = c.origin(e, o.fields)
	m.identity = "smtp.mailfrom"
	if e.From == "" {
		m.identity = "smtp.helo"
	}
	return m, nil
}

// headerOnly is the message without what was removed, and, where that saves a copy,
// without its body; and how many octets of the body that leaves.
func headerOnly(data mail.Source, o *opened, removed []mail.Span) (header mail.Source, body int64) {
	body = data.Size() - o.start
	b, inMemory := data.(mail.Bytes)
	if inMemory && body > 0 && (len(removed) == 0 || removed[len(removed)-1].To <= o.start) {
		data, body = b[:o.start], 0
	}
	return mail.Without(data, removed), body
}

func (m *message) addAuthors(from []mail.Address) {
	seen := map[string]bool{}
	for _, a := range from {
		at := strings.LastIndexByte(a.Address, '@')
		d := hostName(a.Address[at+1:])
		if at <= 0 || !isDomain(d) {
			continue
		}
		if !seen[d] && len(m.authors) < maxAuthors {
			m.authors = append(m.authors, author{domain: d})
		}
		seen[d] = true
	}
}

// isDomain reports whether s can be asked for in DNS.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return false
		}
	}
	return true
}
