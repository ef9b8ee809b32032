package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/gateway/mail"
)

// maxSignatures bounds how many signatures of a mail are verified: those of the
// From's own domain first, then in order.
const maxSignatures = 8

// Results of a check (RFC 8601, 2.7).
const (
	none      = "none"
	pass      = "pass"
	fail      = "fail"
	policy    = "policy" // valid, but not in a way that proves anything
	neutral   = "neutral"
	tempError = "temperror"
	permError = "permerror"
)

// signature is one DKIM-Signature field (RFC 6376, 3.5), and what became of it.
type signature struct {
	field     rawField
	at        int // which field of the header
	domain    string
	selector  string
	agent     string // domain of i=
	algorithm string // rsa-sha256 or ed25519-sha256
	headers   []string
	hash, sig []byte
	relaxed   struct{ header, body bool }
	result    string // "" while nothing speaks against it
	reason    string
	key       *dkimKey
}

func (s *signature) settle(result, reason string) {
	if s.result == "" {
		s.result, s.reason = result, reason
	}
}

// signaturesOf reads the signatures that will be verified.
func signaturesOf(fields []rawField, author string, now time.Time) []*signature {
	var own, others []*signature
	for i, f := range fields {
		if f.name != "dkim-signature" {
			continue
		}
		if s := parseSignature(f, i, now); related(s.domain, author) {
			own = append(own, s)
		} else {
			others = append(others, s)
		}
	}
	list := append(own, others...)
	list = list[:min(len(list), maxSignatures)]
	slices.SortFunc(list, func(a, b *signature) int { return a.at - b.at })
	return list
}

// tags reads a list of tags (RFC 6376, 3.2); nil where it isn't one.
func tags(s string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		if strings.Trim(part, " \t\r\n") == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.Trim(name, " \t\r\n")
		if _, twice := out[name]; !ok || twice || name == "" {
			return nil
		}
		out[name] = strings.Trim(value, " \t\r\n")
	}
	return out
}

// squeezed is s without white space.
func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }

func parseSignature(f rawField, at int, now time.Time) *signature {
	s := &signature{field: f, at: at}
	t := tags(f.value())
	s.domain, s.selector = hostName(squeezed(t["d"])), hostName(squeezed(t["s"]))
	switch {
	case t == nil:
		s.settle(permError, "the signature can't be read")
		return s
	case t["v"] != "1":
		s.settle(permError, "an unknown version")
	}
	for _, tag := range []string{"a", "b", "bh", "d", "h", "s"} {
		if t[tag] == "" {
			s.settle(permError, "the signature lacks "+tag+"=")
		}
	}
	s.parseWhat(t)
	s.parseWhen(t, now)
	if q, ok := t["q"]; ok && !slices.Contains(strings.Split(squeezed(q), ":"), "dns/txt") {
		s.settle(permError, "the key is not in DNS")
	}
	if _, ok := t["l"]; ok {
		s.settle(policy, "l= leaves a part of the body unsigned")
	}
	return s
}

// parseWhat reads who signed what, and how.
func (s *signature) parseWhat(t map[string]string) {
	s.agent = s.domain
	if i, ok := t["i"]; ok {
		at := strings.LastIndexByte(i, '@')
		s.agent = hostName(squeezed(i[at+1:]))
		if at < 0 || s.agent != s.domain && !strings.HasSuffix(s.agent, "."+s.domain) {
			s.settle(permError, "i= is not of the domain d=")
		}
	}
	switch s.algorithm = strings.ToLower(squeezed(t["a"])); s.algorithm {
	case "rsa-sha256", "ed25519-sha256":
	case "rsa-sha1":
		s.settle(permError, "rsa-sha1 is too weak")
	default:
		s.settle(permError, "an unknown algorithm")
	}
	for h := range strings.SplitSeq(squeezed(t["h"]), ":") {
		s.headers = append(s.headers, strings.ToLower(h))
	}
	if !slices.Contains(s.headers, "from") {
		s.settle(permError, "From is not signed")
	}
	header, body, _ := strings.Cut(squeezed(t["c"]), "/")
	s.relaxed.header, s.relaxed.body = header == "relaxed", body == "relaxed"
	if !slices.Contains([]string{"", "simple", "relaxed"}, header) || !slices.Contains([]string{"", "simple", "relaxed"}, body) {
		s.settle(permError, "an unknown canonicalization")
	}
	var err, err2 error
	s.hash, err = base64.StdEncoding.DecodeString(squeezed(t["bh"]))
	s.sig, err2 = base64.StdEncoding.DecodeString(squeezed(t["b"]))
	if err != nil || err2 != nil {
		s.settle(permError, "the signature is no base64")
	}
}

// parseWhen reads when it was made and how long it holds.
func (s *signature) parseWhen(t map[string]string, now time.Time) {
	made, err := seconds(t["t"])
	until, err2 := seconds(t["x"])
	switch {
	case err != nil || err2 != nil:
		s.settle(permError, "a time that can't be read")
	case until > 0 && now.Unix() > until:
		s.settle(permError, "the signature has expired")
	case until > 0 && until < made:
		s.settle(permError, "the signature expires before it was made")
	}
}

func seconds(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if len(s) > 12 && isDigits(s) {
		return 1<<40 - 1, nil // RFC 6376, 3.5: 12 digits must do
	}
	return strconv.ParseInt(s, 10, 64)
}

// fetch looks the key up.
func (s *signature) fetch(ctx context.Context, dns TXT) {
	if s.result != "" {
		return
	}
	texts, err := dns.LookupTXT(ctx, s.selector+"._domainkey."+s.domain)
	var e *net.DNSError
	switch {
	case errors.As(err, &e) && e.IsNotFound:
		s.settle(permError, "there is no key")
		return
	case err != nil:
		s.settle(tempError, "the key can't be looked up")
		return
	case len(texts) != 1:
		s.settle(permError, "there are several keys")
		return
	}
	var why string
	if s.key, why = parseKey(texts[0]); why != "" {
		s.settle(permError, why)
	} else if why = s.key.suits(s); why != "" {
		s.settle(permError, why)
	}
}

// verify compares with the body's hash, and checks the signature over the header.
func (s *signature) verify(fields []rawField, body []byte) {
	switch {
	case s.result != "":
	case !bytes.Equal(s.hash, body):
		s.settle(fail, "the body was changed")
	case !s.key.verifies(s.digest(fields), s.sig):
		s.settle(fail, "the header was changed, or the signature is another's")
	}
	if s.key != nil && s.key.testing && s.result != tempError {
		s.result, s.reason = neutral, "the domain is only testing"
	}
	s.settle(pass, "")
}

// digest is the hash over what was signed of the header (RFC 6376, 3.7): of fields
// of one name the last first.
func (s *signature) digest(fields []rawField) []byte {
	left := make(map[string][]int, len(fields)) // where the fields of a name stand that aren't used yet
	for i, f := range fields {
		if f.name != "" {
			left[f.name] = append(left[f.name], i)
		}
	}
	buf := make([]byte, 0, 2048)
	for _, name := range s.headers {
		if at := left[name]; len(at) > 0 {
			last := len(at) - 1
			buf = append(appendField(buf, fields[at[last]].text, s.relaxed.header), '\r', '\n')
			left[name] = at[:last]
		}
	}
	buf = appendField(buf, withoutSignature(s.field.text), s.relaxed.header)
	sum := sha256.Sum256(buf)
	return sum[:]
}

// withoutSignature is a DKIM-Signature field with an empty b=.
func withoutSignature(text string) string {
	name, value, _ := strings.Cut(text, ":")
	parts := strings.Split(value, ";")
	for i, p := range parts {
		tag, _, _ := strings.Cut(p, "=")
		if strings.Trim(tag, " \t\r\n") == "b" {
			parts[i] = p[:len(tag)+1]
		}
	}
	return name + ":" + strings.Join(parts, ";")
}

// verifies checks a signature over a digest.
func (k *dkimKey) verifies(digest, sig []byte) bool {
	if k.rsa != nil {
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest, sig) == nil
	}
	return ed25519.Verify(k.ed25519, digest, sig)
}

// dkim verifies a mail's signatures: the keys are looked up all at once, while the
// body is hashed, once for each canonical form.
func dkim(ctx context.Context, dns TXT, list []*signature, fields []rawField, hash func(sums []*bodyHash) error) error {
	var wait sync.WaitGroup
	var sums [2]*bodyHash
	for _, s := range list {
		if s.result == "" && sums[index(s.relaxed.body)] == nil {
			sums[index(s.relaxed.body)] = newBodyHash(s.relaxed.body)
		}
	}
	for _, s := range list { // from here on s is its look-up's
		wait.Go(func() { s.fetch(ctx, dns) })
	}
	err := hash(slices.DeleteFunc([]*bodyHash{sums[0], sums[1]}, func(b *bodyHash) bool { return b == nil }))
	wait.Wait()
	var bodies [2][]byte
	for i, b := range sums {
		if b != nil {
			bodies[i] = b.Sum()
		}
	}
	for _, s := range list {
		s.verify(fields, bodies[index(s.relaxed.body)])
	}
	return err
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *signature) report(aligned bool) mail.DKIMResult {
	return mail.DKIMResult{Result: s.result, Domain: s.domain, Selector: s.selector, Aligned: aligned, Reason: s.reason}
}
