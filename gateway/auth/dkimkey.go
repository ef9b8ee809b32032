package auth

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

const (
	minKeyBits = 1024  // RFC 8301, 3.2
	maxKeyBits = 16384 // beyond it a verification takes seconds
)

// dkimKey is a key record (RFC 6376, 3.6.1).
type dkimKey struct {
	rsa     *rsa.PublicKey
	ed25519 ed25519.PublicKey
	hashes  []string // h=: the hash algorithms that it may be used with; nil: any
	testing bool     // t=y: the domain tries DKIM out, so its signatures count for nothing
	strict  bool     // t=s: the signature's i= must name the domain of d=, no subdomain
}

// parseKey reads a key record; why says what is wrong with it.
func parseKey(text string) (k *dkimKey, why string) {
	t := tags(text)
	v, versioned := t["v"]
	p, has := t["p"]
	switch {
	case t == nil:
		return nil, "the key record can't be read"
	case versioned && (v != "DKIM1" || !strings.HasPrefix(strings.TrimLeft(text, " \t"), "v")):
		return nil, "the key record is of an unknown version"
	case has && p == "":
		return nil, "the key is revoked"
	case !has:
		return nil, "the key record has no key"
	}
	k = &dkimKey{}
	if h, ok := t["h"]; ok {
		k.hashes = strings.Split(squeezed(h), ":")
	}
	if s, ok := t["s"]; ok {
		if services := strings.Split(squeezed(s), ":"); !slices.Contains(services, "*") && !slices.Contains(services, "email") {
			return nil, "the key is not for mail"
		}
	}
	flags := strings.Split(squeezed(t["t"]), ":")
	k.testing, k.strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	der, err := base64.StdEncoding.DecodeString(squeezed(p))
	if err != nil {
		return nil, "the key is no base64"
	}
	switch t["k"] {
	case "", "rsa":
		return k, k.parseRSA(der)
	case "ed25519":
		if len(der) != ed25519.PublicKeySize {
			return nil, "the key can't be read"
		}
		k.ed25519 = der
		return k, ""
	}
	return nil, "the key is of an unknown kind"
}

// parseRSA takes both forms in which keys are published (RFC 6376, erratum 3017).
func (k *dkimKey) parseRSA(der []byte) (why string) {
	var ok bool
	if pub, err := x509.ParsePKIXPublicKey(der); err == nil {
		k.rsa, ok = pub.(*rsa.PublicKey)
	} else if k.rsa, err = x509.ParsePKCS1PublicKey(der); err == nil {
		ok = true
	}
	if !ok {
		return "the key can't be read"
	}
	if bits := k.rsa.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return fmt.Sprintf("a key of %d bits", bits)
	}
	return ""
}

// suits says why a key can't have made a signature; "" if it can.
func (k *dkimKey) suits(s *signature) (why string) {
	kind, hash, _ := strings.Cut(s.algorithm, "-")
	switch {
	case (kind == "rsa") != (k.rsa != nil):
		return "the key is of another kind than the signature"
	case k.hashes != nil && !slices.Contains(k.hashes, hash):
		return "the key is not for " + hash
	case k.strict && s.agent != s.domain:
		return "the key is not for subdomains"
	}
	return ""
}
