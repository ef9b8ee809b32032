package directory

import (
	"net/http"
	"net/url"
	"strings"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// classify is the total function from a directory's answer to ours
// (product.md's table). Refusals and redirects count only where the body
// repeats the address that was asked.
func classify(r response, asked string) Answer {
	if r.status/100 == 2 {
		a := known(asked)
		a.Name, a.Members, a.Endpoint = r.Name, r.Members, r.Endpoint
		if safe(r.Address) {
			a.Address = r.Address
		}
		return a
	}
	if r.status == http.StatusInsufficientStorage {
		return Answer{Reply: reply.New(452, reply.Enhanced{4, 2, 2}, "The mailbox is full for now, please try again later"), Address: asked}
	}
	if !strings.EqualFold(r.Address, asked) || asked == "" {
		return unavailable(asked)
	}
	refuse := func(code int, e reply.Enhanced, text string) Answer {
		return Answer{Reply: reply.New(code, e, text), Address: asked, Name: r.Name, Members: r.Members}
	}
	switch r.status {
	case http.StatusNotFound:
		return unknown(asked)
	case http.StatusGone:
		return refuse(550, reply.Enhanced{5, 1, 6}, "The recipient has moved and left no address")
	case http.StatusForbidden:
		return refuse(550, reply.Enhanced{5, 7, 1}, "The recipient may not be written to")
	case http.StatusConflict:
		return refuse(553, reply.Enhanced{5, 1, 4}, "The address is ambiguous")
	case http.StatusRequestEntityTooLarge:
		return refuse(552, reply.Enhanced{5, 2, 2}, "The mailbox is full")
	case http.StatusFound, http.StatusTemporaryRedirect:
		if to, ok := mailto(r.location); ok {
			return Answer{Reply: reply.New(251, reply.Enhanced{2, 1, 5}, "User not local; will forward to <"+to+">"), Address: to}
		}
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		if to, ok := mailto(r.location); ok {
			return notLocal(to)
		}
	}
	return unavailable(asked)
}

func unavailable(asked string) Answer {
	return Answer{Reply: reply.New(450, reply.Enhanced{4, 3, 0}, "The directory is unavailable, please try again"), Address: asked}
}

// notLocal sends the client elsewhere (RFC 5321, 3.4).
func notLocal(to string) Answer {
	return Answer{Reply: reply.New(551, reply.Enhanced{5, 1, 6}, "User not local; please try <"+to+">"), Address: to}
}

// mailto reads the address of a "mailto:" Location.
func mailto(location string) (string, bool) {
	u, err := url.Parse(location)
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
		return "", false
	}
	to, err := url.PathUnescape(u.Opaque)
	if err != nil {
		return "", false
	}
	return to, safe(to)
}

// safe reports whether an address is complete and safe to write on the wire.
func safe(address string) bool {
	local, domain, found := text.CutAddress(address)
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }
	return found && local != "" && domain != "" && strings.IndexFunc(address, bad) < 0
}
