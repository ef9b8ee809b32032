package auth

import (
	"bytes"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// Removal is what has to be left out of a message before anybody reads it.
type Removal struct {
	Spans []mail.Span // of the octets received
	Names []string    // of the fields, as many as were found
}

// Forged finds the fields of a message's header that look like our own verdict
// (RFC 8601, 5) or like another word of ours:
//
//   - Authentication-Results, and its relatives ARC-… and X-…, that name one of
//     the hosts that are ours as a word of its own, in whatever disguise, or that
//     name nobody
//   - every Received-SPF
//   - X-Postern-…
//
// It fails only when src can't be read.
func Forged(src mail.Source, ours ...string) (Removal, error) { return forged(src, ours, "", 0) }

// maxResults bounds how many results of others are read, and removals are told.
const maxResults = 200

// forged is Forged for mail of a relay that is trusted: its name is forged, too, but
// for the message's first octets, up to trusted, where nobody else can have written.
// A Received-SPF stays there.
func forged(src mail.Source, ours []string, relay string, trusted int64) (Removal, error) {
	hosts := make([]string, len(ours), len(ours)+1)
	for i, h := range ours {
		hosts[i] = hostName(h)
	}
	if relay != "" {
		hosts = append(hosts, hostName(relay))
	}
	var r Removal
	var err error
	results := 0
	r.Spans, err = mail.FindFields(src, func(at int64, name, value []byte) bool {
		names := hosts
		if at < trusted {
			names = hosts[:len(ours)]
		}
		forged := bytes.Contains(name, []byte("received-spf")) && at >= trusted || bytes.HasPrefix(name, []byte("x-postern-"))
		if !forged && bytes.Contains(name, []byte("authentication-results")) {
			results++
			forged = results > maxResults || claims(value, names)
		}
		if forged && len(r.Names) < maxResults {
			r.Names = append(r.Names, textproto.CanonicalMIMEHeaderKey(string(name)))
		}
		return forged
	})
	return r, err
}

// maxNoted bounds how many names of removed fields the trace tells.
const maxNoted = 10

// Note is the header line that tells what was removed, CRLF at its end; "" for
// nothing.
func (r Removal) Note() string {
	if len(r.Names) == 0 {
		return ""
	}
	count := map[string]int{}
	var order []string
	for _, n := range r.Names {
		n = n[:min(len(n), 60)]
		if count[n]++; count[n] == 1 {
			order = append(order, n)
		}
	}
	slices.Sort(order)
	var b strings.Builder
	for i, n := range order {
		if i == maxNoted {
			fmt.Fprintf(&b, ",\r\n and %d more", len(order)-i)
			break
		}
		if i > 0 {
			b.WriteString(",\r\n ")
		}
		b.WriteString(n)
		if count[n] > 1 {
			fmt.Fprintf(&b, " (%d)", count[n])
		}
	}
	return "X-Postern-Removed: " + b.String() + "\r\n"
}

// claims reports whether an Authentication-Results value pretends to come from
// one of our hosts, or from nobody, which some receivers take for their own
// server's. Several readings are tried, and one that says so is enough: a field
// too much that goes does no harm.
func claims(raw []byte, ours []string) bool {
	value, decoded := mail.DecodeValue(raw), ""
	if strings.Contains(value, "=?") { // an encoded word in encoded words
		decoded = mail.DecodeValue([]byte(value))
	}
	for _, s := range []string{value, strings.ToValidUTF8(string(raw), ""), decoded} {
		if s != "" && slices.ContainsFunc(readings(s), func(r string) bool { return says(r, ours) }) {
			return true
		}
	}
	return nobody(cutComments(value, " ", true))
}

// readings are a value's words as strict and careless readers make them out:
// comments, with or without quoted pairs in them, are a blank, nothing, or words
// like others where they aren't closed.
func readings(s string) []string {
	if !strings.ContainsAny(s, "()") {
		return []string{s}
	}
	all := []string{cutComments(s, " ", true), cutComments(s, "", true)}
	if strings.ContainsAny(s, `"\`) || strings.Count(s, "(") != strings.Count(s, ")") {
		all = append(all, cutComments(s, " ", false), cutComments(s, "", false), s)
	}
	return all
}

// says reports whether one of the hosts stands in s as a word of its own.
func says(s string, hosts []string) bool {
	s = visible(strings.NewReplacer(`"`, "", `\`, "").Replace(s))
	if glued := aroundDots(s); glued != s && names(glued, hosts) {
		return true
	}
	return names(s, hosts)
}

// visible drops what nobody sees: joiners, marks of direction, variants of a glyph,
// blank letters.
func visible(s string) string {
	if text.IsASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, s)
}

func names(s string, hosts []string) bool {
	for word := range strings.FieldsFuncSeq(s, separates) {
		if slices.Contains(hosts, hostName(word)) {
			return true
		}
	}
	return false
}

// separates is what stands between the words of a value, a port and brackets too.
func separates(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(";,:/()[]<>", r) || r == '\u00a0' || r == '\u2028' || r == '\u2029'
}

// dots are what IDNA takes for a dot (RFC 3490, 3.1).
const dots = ".\u3002\uff0e\uff61"

// aroundDots drops the white space around dots, which obsolete syntax allows
// (RFC 5322, 4.4).
func aroundDots(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") || !strings.ContainsAny(s, dots) {
		return s
	}
	var b strings.Builder
	for i, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(dots, r) }) {
		if i > 0 {
			b.WriteByte('.')
			part = strings.TrimLeft(part, " \t\r\n")
		}
		b.WriteString(strings.TrimRight(part, " \t\r\n"))
	}
	return b.String()
}

// cutComments replaces comments (RFC 5322, 3.2.2), nested ones too, and one that
// isn't closed.
func cutComments(s, by string, pairs bool) string {
	if !strings.ContainsAny(s, "()") {
		return s
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case pairs && c == '\\' && depth > 0:
			i++
		case c == '(':
			if depth++; depth == 1 {
				b.WriteString(by)
			}
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// nobody reports whether a value without comments names no authserv-id: it is
// empty, or begins with a result.
func nobody(s string) bool {
	first, rest, _ := strings.Cut(s, ";")
	if k, n, ok := strings.Cut(first, "="); ok && strings.TrimSpace(k) == "i" && strings.Trim(n, " \t0123456789") == "" {
		first, _, _ = strings.Cut(rest, ";") // ARC's instance
	}
	first = strings.TrimSpace(first)
	return first == "" || strings.Contains(first, "=")
}

// hostName is a host's name for comparison: A-labels, lower case, no trailing
// dot; what is no name stays as it is.
func hostName(s string) string {
	s = strings.TrimRight(s, dots)
	if text.IsASCII(s) {
		return strings.ToLower(s)
	}
	if a, err := idna.Lookup.ToASCII(s); err == nil {
		return strings.TrimRight(a, ".")
	}
	if a, err := idna.Punycode.ToASCII(s); err == nil {
		s = a
	}
	return strings.ToLower(s)
}

// SameHost reports whether two names are the same host's.
func SameHost(a, b string) bool { return hostName(a) == hostName(b) }
