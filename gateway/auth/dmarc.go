package auth

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

const (
	maxLabels  = 8 // a longer name's walk goes on with its last seven (RFC 9989, 4.10)
	maxAuthors = 4 // domains of a From with several addresses whose policies are looked at
	reject     = "reject"
	quarantine = "quarantine"
)

// record is a DMARC policy record (RFC 9989, 4.7).
type record struct {
	domain                string // where it stands
	policy                string // p=; "" where it says nothing that counts
	subdomains, missing   string // sp=, np=
	strictDKIM, strictSPF bool
	suffix                string // psd=: "y", "n" or ""
	testing               bool   // t=y: one step milder
}

// parseRecord reads a record; nil where it is none of this version.
func parseRecord(domain, text string) *record {
	first, _, _ := strings.Cut(text, ";")
	name, version, _ := strings.Cut(first, "=")
	if strings.Trim(name, " \t") != "v" || strings.Trim(version, " \t") != "DMARC1" {
		return nil
	}
	t := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		k, v, ok := strings.Cut(part, "=")
		k = strings.ToLower(strings.Trim(k, " \t"))
		if _, twice := t[k]; ok && !twice {
			t[k] = strings.Trim(v, " \t")
		}
	}
	word := func(tag string, of ...string) string {
		if v := strings.ToLower(t[tag]); slices.Contains(of, v) {
			return v
		}
		return ""
	}
	wish := func(tag string) string { return word(tag, none, quarantine, reject) }
	r := &record{domain: domain, policy: wish("p"), subdomains: wish("sp"), missing: wish("np"),
		strictDKIM: word("adkim", "s") != "", strictSPF: word("aspf", "s") != "", suffix: word("psd", "y", "n"), testing: word("t", "y") != ""}
	if r.policy == "" && strings.Contains(strings.ToLower(t["rua"]), "mailto:") {
		r.policy = none
	}
	if r.suffix == "" && isSuffix(domain) {
		r.suffix = "y" // registries whose record is older than the tag
	}
	return r
}

// lookupRecord returns the one record of a domain; several are none.
func lookupRecord(ctx context.Context, dns TXT, domain string) (*record, error) {
	texts, err := dns.LookupTXT(ctx, "_dmarc."+domain)
	var e *net.DNSError
	if err != nil && !(errors.As(err, &e) && e.IsNotFound) {
		return nil, err
	}
	var found *record
	for _, text := range texts {
		r := parseRecord(domain, text)
		if r != nil && found != nil {
			return nil, nil
		}
		if r != nil {
			found = r
		}
	}
	return found, nil
}

// walked is what a walk up the tree found (RFC 9989, 4.10).
type walked struct {
	own     *record // of the domain itself
	org     *record // of its organizational domain
	above   *record // of the public suffix above that
	orgName string
}

// walk finds a domain's organizational domain.
func walk(ctx context.Context, dns TXT, domain string) (walked, error) {
	w := walked{orgName: domain}
	labels := strings.Split(domain, ".")
	for at := 0; at < len(labels); {
		name := strings.Join(labels[at:], ".")
		r, err := lookupRecord(ctx, dns, name)
		switch {
		case err != nil:
			return w, err
		case r == nil:
		case at > 0 && r.suffix == "y": // the organization is one label below
			w.above = r
			below := strings.Join(labels[at-1:], ".")
			if w.org == nil || w.org.domain != below {
				w.org = nil
			}
			w.orgName = below
			return w, nil
		default:
			w.org, w.orgName = r, name
			if at == 0 {
				w.own = r
			}
			if r.suffix == "n" {
				return w, nil
			}
		}
		if at++; at == 1 && len(labels) >= maxLabels {
			at = len(labels) - maxLabels + 1
		}
	}
	return w, nil
}

// record is the one that holds for the domain: its own, its organization's, or
// that of the public suffix.
func (w walked) record() *record {
	for _, r := range []*record{w.own, w.org, w.above} {
		if r != nil {
			return r
		}
	}
	return nil
}

// wish is what a record's owner asks to be done with a failure of a domain;
// missing tells whether that exists.
func (r *record) wish(domain string, missing func() bool) string {
	p := r.policy
	if domain != r.domain {
		if r.subdomains != "" {
			p = r.subdomains
		}
		if r.missing != "" && missing() {
			p = r.missing
		}
	}
	if r.testing {
		p = map[string]string{reject: quarantine, quarantine: none, none: none}[p]
	}
	return p
}

// isSuffix reports whether a domain is a registry's: a top-level one, or one below
// which others register names.
func isSuffix(domain string) bool {
	if !strings.Contains(domain, ".") {
		return true
	}
	suffix, icann := publicsuffix.PublicSuffix(domain)
	return icann && suffix == domain
}

// related reports whether two domains could have one organization: one walk less
// for each stranger.
func related(a, b string) bool {
	return a != "" && b != "" && (a == b || twoLabels(a) == twoLabels(b) || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a))
}

func twoLabels(s string) string {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		i = strings.LastIndexByte(s[:i], '.')
		return s[i+1:]
	}
	return s
}

// aligned reports whether an authenticated domain speaks for the author's
// (RFC 9989, 4.4).
func aligned(ctx context.Context, dns TXT, domain string, author author, strict bool) (bool, error) {
	switch {
	case domain == "" || isSuffix(domain):
		return false, nil
	case domain == author.domain:
		return true, nil
	case strict || !related(domain, author.domain):
		return false, nil
	case author.err != nil:
		return false, author.err
	}
	w, err := walk(ctx, dns, domain)
	return err == nil && w.orgName == author.walked.orgName, err
}
