package auth

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// LookupTXT returns a name's texts, the strings of each joined.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	records, err := r.ask(ctx, name, dns.TypeTXT)
	out := make([]string, 0, len(records))
	for _, rr := range records {
		out = append(out, strings.Join(unescaped(rr.(*dns.TXT).Txt), ""))
	}
	return out, err
}

// unescaped undoes the presentation format in which miekg/dns gives strings.
func unescaped(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		if !strings.Contains(s, `\`) {
			out[i] = s
			continue
		}
		var b strings.Builder
		for j := 0; j < len(s); j++ {
			switch {
			case s[j] != '\\' || j+1 == len(s):
				b.WriteByte(s[j])
			case j+3 < len(s) && isDigits(s[j+1:j+4]):
				b.WriteByte((s[j+1]-'0')*100 + (s[j+2]-'0')*10 + s[j+3] - '0')
				j += 3
			default:
				j++
				b.WriteByte(s[j])
			}
		}
		out[i] = b.String()
	}
	return out
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// LookupMX returns a domain's mail exchangers.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	records, err := r.ask(ctx, name, dns.TypeMX)
	out := make([]*net.MX, 0, len(records))
	for _, rr := range records {
		mx := rr.(*dns.MX)
		out = append(out, &net.MX{Host: mx.Mx, Pref: mx.Preference})
	}
	slices.SortStableFunc(out, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	return out, err
}

// LookupIPAddr returns a host's addresses of both families.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	var six []dns.RR
	var err6 error
	var wait sync.WaitGroup
	wait.Go(func() { six, err6 = r.ask(ctx, host, dns.TypeAAAA) })
	four, err := r.ask(ctx, host, dns.TypeA)
	wait.Wait()
	var out []net.IPAddr
	for _, rr := range append(slices.Clip(four), six...) {
		switch rr := rr.(type) {
		case *dns.A:
			out = append(out, net.IPAddr{IP: rr.A})
		case *dns.AAAA:
			out = append(out, net.IPAddr{IP: rr.AAAA})
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	var e *net.DNSError
	if errors.As(err6, &e) && e.IsTemporary {
		err = err6
	}
	return nil, err
}

// LookupAddr returns the names that an address claims.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: err.Error(), Name: addr, IsNotFound: true}
	}
	records, err := r.ask(ctx, name, dns.TypePTR)
	out := make([]string, 0, len(records))
	for _, rr := range records {
		out = append(out, rr.(*dns.PTR).Ptr)
	}
	return out, err
}

// Missing reports whether a name doesn't exist at all, nor anything below it
// (NXDOMAIN, RFC 8020).
func (r *Resolver) Missing(ctx context.Context, name string) (bool, error) {
	a, err := r.answer(ctx, name, dns.TypeA)
	return a.missing, err
}

// maxNames bounds the names of a client that are confirmed.
const maxNames = 3

// ClientName is the name of an address that also leads back to it, "" without.
func (r *Resolver) ClientName(ctx context.Context, client netip.Addr) string {
	client = client.Unmap().WithZone("")
	names, err := r.LookupAddr(ctx, client.String())
	if err != nil {
		return ""
	}
	for _, name := range names[:min(len(names), maxNames)] {
		addrs, err := r.LookupIPAddr(ctx, name)
		if err == nil && slices.ContainsFunc(addrs, func(a net.IPAddr) bool { return a.IP.Equal(client.AsSlice()) }) {
			return strings.ToLower(strings.TrimSuffix(name, "."))
		}
	}
	return ""
}
