package auth

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"postern/gateway/mail"
)

// relay reports whether an address is that of an MTA in front of us.
func (c *Checker) relay(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsValid() && slices.ContainsFunc(c.cfg.Relays, func(p netip.Prefix) bool { return p.Contains(a) })
}

// carrierNAT is shared address space (RFC 6598), also that of clusters.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// maxRelays bounds how many Received lines of our own MTAs are followed.
const maxRelays = 10

// origin is the client for which SPF is checked, and how it called itself: who
// connected, or whom the first of the named relays says to have got the mail from.
// Otherwise unchecked says why there is none.
func (c *Checker) origin(e *mail.Envelope, fields []rawField) (client netip.Addr, hello, unchecked string) {
	client, hello = e.Client.Addr().Unmap().WithZone(""), e.Hello
	if e.Auth != "" {
		return netip.Addr{}, "", "the client signed in"
	}
	hops := 0
	for _, f := range fields {
		if !c.relay(client) || hops == maxRelays {
			break
		}
		if f.name == "received" {
			hops++
			client, hello = receivedFrom(f.value())
		}
	}
	switch {
	case !client.IsValid() && hops == 0:
		return netip.Addr{}, "", "the client came by a unix socket"
	case !client.IsValid() || c.relay(client):
		return netip.Addr{}, "", "the relay's Received line names no client"
	case client.IsLoopback() || client.IsPrivate() || client.IsLinkLocalUnicast() || carrierNAT.Contains(client):
		return netip.Addr{}, "", "the client " + client.String() + " is on our own network, and no relay is named"
	}
	return client, hello, ""
}

var (
	// receivedBy begins what a relay says of itself.
	receivedBy = regexp.MustCompile(`(?i)\sby\s`)
	// inBrackets is an address between brackets or on its own between parentheses.
	inBrackets = regexp.MustCompile(`[\[(](?i:IPv6:)?([0-9a-fA-F:.]+)(?:%[^\])]*)?[\])]`)
	// helloComment is what a client called itself, within parentheses.
	helloComment = regexp.MustCompile(`(?i)\((?:HELO|EHLO)\s[^)]*\)|\b(?:helo|ehlo)=\S+`)
)

// receivedFrom reads who a Received line says the mail came from (RFC 5321, 4.4):
//
//	from HELO (NAME [ADDRESS])            Postfix, sendmail, Postern, Google
//	from NAME ([ADDRESS] helo=HELO)       Exim
//	from [ADDRESS] (helo=HELO)            Exim, without a name
//	from NAME (HELO HELO) (ADDRESS)       qmail
//	from HELO (ADDRESS) by …              Exchange
//
// What the client called itself is never taken for its address.
func receivedFrom(value string) (client netip.Addr, hello string) {
	value = strings.Join(strings.Fields(value), " ")
	from, ok := cutPrefixFold(value, "from ")
	if !ok {
		return netip.Addr{}, ""
	}
	if i := receivedBy.FindStringIndex(from); i != nil {
		from = from[:i[0]]
	}
	hello, comments, _ := strings.Cut(from, " ")
	exim := strings.Contains(strings.ToLower(comments), "helo=")
	for _, m := range inBrackets.FindAllStringSubmatch(helloComment.ReplaceAllString(comments, ""), -1) {
		if a, err := netip.ParseAddr(m[1]); err == nil {
			client = a
			break
		}
	}
	if m := inBrackets.FindStringSubmatch(hello); !client.IsValid() && exim && m != nil {
		client, _ = netip.ParseAddr(m[1])
	}
	if m := helloComment.FindString(comments); m != "" {
		hello = strings.Trim(m[5:], " )")
	}
	return client.Unmap().WithZone(""), hello
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// ofRelay is how many of the fields, from the top, only our relays can have written:
// those above the first Received line. Where ResultsBelow says so, these are also the
// Received lines of our relays and what filters put right below each; there a
// stranger may have written too, if the relay lets that stand. 0 without any
// Received line: nobody knows then who wrote what.
func (c *Checker) ofRelay(client netip.Addr, fields []rawField) int {
	hops := 0
	for i, f := range fields {
		switch {
		case f.name == "received" && (!c.cfg.ResultsBelow || !c.relay(client) || hops == maxRelays):
			return i
		case f.name == "received":
			hops++
			client, _ = receivedFrom(f.value())
		case hops > 0 && !ofFilter(f.name):
			return i
		}
	}
	if hops == 0 {
		return 0
	}
	return len(fields)
}

// ofFilter reports whether filters put such a field right below the Received line
// of their MTA.
func ofFilter(name string) bool {
	switch name {
	case "authentication-results", "received-spf", "dkim-filter", "return-path", "delivered-to":
		return true
	}
	return strings.HasPrefix(name, "arc-") || strings.HasPrefix(name, "x-")
}

// trusted is how many of the first octets are the relay's.
func (c *Checker) trusted(client netip.Addr, fields []rawField) int64 {
	if n := c.ofRelay(client, fields); n > 0 {
		return int64(fields[n-1].end) // the header may go on where no more of it was read
	}
	return 0
}

// relayed is the verdict of the relay that the operator trusts, nil where there is
// none and ours counts: it must have connected itself, and have written its results,
// DMARC's among them, where nobody else can have written, and be about what readers see.
func (c *Checker) relayed(e *mail.Envelope, m *message) *mail.Authentication {
	if c.cfg.ResultsOf == "" || !c.relay(e.Client.Addr()) || m.doubtful() {
		return nil
	}
	var all []authres.Result // milters write a field each
	for _, f := range m.fields[:c.ofRelay(e.Client.Addr(), m.fields)] {
		if f.name != "authentication-results" {
			continue
		}
		id, results, err := authres.Parse(strings.Join(strings.Fields(f.value()), " "))
		if err == nil && hostName(id) == hostName(c.cfg.ResultsOf) {
			all = append(all, results...)
		}
	}
	if !slices.ContainsFunc(all, func(r authres.Result) bool { _, ok := r.(*authres.DMARCResult); return ok }) {
		return nil
	}
	return c.adopt(m, all)
}

// adopt makes a relay's results ours.
func (c *Checker) adopt(m *message, results []authres.Result) *mail.Authentication {
	a := &mail.Authentication{DKIM: []mail.DKIMResult{}}
	author := m.author()
	a.DMARC.Domain = author
	for _, r := range results {
		switch r := r.(type) {
		case *authres.SPFResult:
			if a.SPF.Result != "" {
				continue
			}
			a.SPF = mail.SPFResult{Result: string(r.Value), Domain: hostName(r.From[strings.LastIndexByte(r.From, '@')+1:])}
		case *authres.DKIMResult:
			a.DKIM = append(a.DKIM, mail.DKIMResult{Result: string(r.Value), Domain: hostName(r.Domain), Reason: r.Reason, Aligned: r.Value == authres.ResultPass && hostName(r.Domain) == author})
		case *authres.DMARCResult:
			result := string(r.Value)
			if hostName(r.From) != author {
				result = fail
			}
			if a.DMARC.Result == "" || a.DMARC.Result == pass { // of several, one that isn't a pass
				a.DMARC.Result = result
			}
		}
	}
	a.SenderVerified = !m.several && author != "" && a.DMARC.Result == pass
	by := hostName(c.cfg.ResultsOf)
	switch {
	case a.SenderVerified:
		a.Reason = "dmarc pass, says " + by
	default:
		a.Reason = "dmarc " + a.DMARC.Result + ", says " + by
	}
	a.Header = headerOf(c.cfg.Domain, m.identity, a)
	return a
}
