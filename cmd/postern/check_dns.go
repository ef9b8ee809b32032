package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/auth"
)

// dns looks whether senders can find us: the MX records of the domains that we
// serve, our own addresses, and the names of these. They are other people's zones,
// and a test machine has none: what is missing is only a warning.
func (k *checks) dns(ctx context.Context, c *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := auth.NewResolver(c.Sender.DNS, time.Now)
	if err != nil {
		k.fail("DNS: %v", err)
		return
	}
	defer r.Close()
	domains := c.Domains()
	if !slices.Contains(domains, c.Listen.Domain) {
		domains = append(domains, c.Listen.Domain)
	}
	for _, domain := range domains {
		k.try("the MX records of %s", domain)
		k.mx(ctx, r, domain, c.Listen.Domain)
	}
	k.try("the addresses of %s", c.Listen.Domain)
	k.host(ctx, r, c.Listen.Domain)
}

// mx says where a domain's mail goes.
func (k *checks) mx(ctx context.Context, r *auth.Resolver, domain, us string) {
	records, err := r.LookupMX(ctx, domain)
	names := func(mx *net.MX) bool { return auth.SameHost(mx.Host, us) }
	switch {
	case err != nil && !notFound(err):
		k.say("warning", "MX of %s: %v", domain, err)
	case err != nil && domain == us:
		k.say("note", "MX of %s: none; senders use its addresses", domain)
	case err != nil:
		k.say("warning", "MX of %s: none: senders need an MX record that names %s", domain, us)
	case !slices.ContainsFunc(records, names):
		k.say("warning", "MX of %s is %s, not %s (POSTERN_DOMAIN): its mail goes elsewhere", domain, hosts(records), us)
	default:
		k.ok("MX of %s names %s", domain, us)
	}
}

func hosts(records []*net.MX) string {
	var all []string
	for _, mx := range records {
		all = append(all, strings.TrimSuffix(mx.Host, "."))
	}
	return strings.Join(all, ", ")
}

// host says where our own name leads, and whether that leads back: receivers of
// our reports want to see it.
func (k *checks) host(ctx context.Context, r *auth.Resolver, us string) {
	addrs, err := r.LookupIPAddr(ctx, us)
	switch {
	case err != nil && !notFound(err):
		k.say("warning", "addresses of %s: %v", us, err)
		return
	case err != nil:
		k.say("warning", "addresses of %s: none: no sender can find us by that name; set POSTERN_DOMAIN to one that has A or AAAA records", us)
		return
	}
	for _, a := range addrs {
		ip, _ := netip.AddrFromSlice(a.IP)
		switch name := r.ClientName(ctx, ip); {
		case auth.SameHost(name, us):
			k.ok("%s is %s, whose PTR leads back", us, ip.Unmap())
		case name == "":
			k.say("note", "%s is %s, which has no PTR that leads back: some receivers of reports refuse that", us, ip.Unmap())
		default:
			k.say("note", "%s is %s, which calls itself %s (PTR)", us, ip.Unmap(), name)
		}
	}
}

func notFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}
