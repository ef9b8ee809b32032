package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"blitiri.com.ar/go/spf"

	"postern/gateway/mail"
)

// checkSPF is RFC 7208's check_host for the reverse-path, or for the name that the
// client gave itself where that is null (2.4).
func checkSPF(ctx context.Context, dns DNS, client netip.Addr, hello, sender string) (mail.SPFResult, string) {
	at := strings.LastIndexByte(sender, '@')
	local, domain := "postmaster", hostName(hello)
	if at >= 0 {
		local, domain = strings.ReplaceAll(sender[:at], "@", "_"), hostName(sender[at+1:])
	}
	if !strings.Contains(domain, ".") || strings.HasPrefix(domain, "[") { // 4.3
		return mail.SPFResult{Result: none, Domain: domain}, "no domain"
	}
	return evaluateSPF(ctx, dns, client, hello, local, domain)
}

func evaluateSPF(ctx context.Context, dns DNS, client netip.Addr, hello, local, domain string) (mail.SPFResult, string) {
	r := mail.SPFResult{Domain: domain}
	res, err := spf.CheckHostWithSender(client.Unmap().WithZone("").AsSlice(), hello, local+"@"+domain, spf.WithContext(ctx), spf.WithResolver(patient{dns}))
	r.Result = string(res)
	if r.Result == "" {
		r.Result = none
	}
	if r.Result != tempError && r.Result != permError || err == nil {
		return r, ""
	}
	return r, fmt.Sprintf("spf %s: %v", r.Result, err)
}

// patient makes of every failure a temporary one: the library takes what it
// doesn't know for a permanent error, which an end of the budget is not.
type patient struct {
	DNS
}

// LookupTXT implements spf.DNSResolver.
func (p patient) LookupTXT(ctx context.Context, name string) ([]string, error) {
	list, err := p.DNS.LookupTXT(ctx, name)
	return list, temporary(err)
}

// LookupMX implements spf.DNSResolver.
func (p patient) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	list, err := p.DNS.LookupMX(ctx, name)
	return list, temporary(err)
}

// LookupIPAddr implements spf.DNSResolver.
func (p patient) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	list, err := p.DNS.LookupIPAddr(ctx, host)
	return list, temporary(err)
}

// LookupAddr implements spf.DNSResolver.
func (p patient) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	list, err := p.DNS.LookupAddr(ctx, addr)
	return list, temporary(err)
}

func temporary(err error) error {
	var e *net.DNSError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &net.DNSError{Err: err.Error(), IsTemporary: true}
}
