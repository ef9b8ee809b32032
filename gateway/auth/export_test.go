package auth

import (
	"context"
	"net/netip"
	"strings"
)

// CheckSPF is the check of a client of any network, for a domain of any form.
func CheckSPF(ctx context.Context, dns DNS, client netip.Addr, hello, sender string) (result, why string) {
	local, domain, ok := strings.Cut(sender, "@")
	if !ok {
		local, domain = "postmaster", hello
	}
	r, why := evaluateSPF(ctx, dns, client, hello, local, hostName(domain))
	return r.Result, why
}
