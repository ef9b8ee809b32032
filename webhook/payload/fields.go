package payload

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// field is a header field for a receiver that builds a message from a list of
// them.
type field struct{ name, value string }

// single are the fields that may stand once (RFC 5322, 3.6; RFC 2045). Python's
// email package raises an exception on a second one, for ever.
var single = map[string]bool{
	"Date": true, "Subject": true, "From": true, "Sender": true, "Reply-To": true, "To": true, "Cc": true, "Bcc": true,
	"Message-Id": true, "In-Reply-To": true, "References": true, "Return-Path": true,
}

// structure are the fields that describe a body which the receiver builds anew
// out of parts; the message's own would make an attachment of the whole.
var structure = map[string]bool{
	"Mime-Version": true, "Content-Type": true, "Content-Disposition": true, "Content-Transfer-Encoding": true, "Content-Id": true,
}

// notation is how a field's value is written.
type notation struct {
	text      func(string) string         // unstructured
	addresses func([]mail.Address) string // a list of mailboxes
	asIs      bool                        // other fields as received where that is UTF-8
}

var (
	// coded is for receivers that parse a header: with encoded words (RFC 2047).
	coded = notation{encodeWords, addressList, true}
	// plainText is for receivers that take a list of values: decoded.
	plainText = notation{text.OneLine, shown, false}
)

// fields are the message's header fields in their order, for a receiver that
// builds a message of them: subject and addresses as they were understood. Of a
// field that may stand once only the first stays.
func fields(m *mail.Message, n notation) []field {
	list := make([]field, 0, len(m.Headers))
	seen := map[string]bool{}
	for i := range m.Headers {
		h := &m.Headers[i]
		own := strings.TrimSpace(h.Name) // "Cc :" is a Cc
		name := http.CanonicalHeaderKey(own)
		if !isToken(own) || structure[name] || single[name] && seen[name] {
			continue
		}
		seen[name] = true
		list = append(list, field{own, n.value(m, name, h)})
	}
	return list
}

// value is a field's value on one line.
func (n notation) value(m *mail.Message, name string, h *mail.Header) string {
	switch name {
	case "Subject":
		return n.text(m.Subject)
	case "From":
		return n.addresses(m.From)
	case "To":
		return n.addresses(m.To)
	case "Cc":
		return n.addresses(m.Cc)
	case "Bcc":
		return n.addresses(m.Bcc)
	case "Reply-To":
		return n.addresses(m.ReplyTo)
	}
	if n.asIs && utf8.Valid(h.Raw) && len(h.Raw) > 0 {
		return text.OneLine(string(h.Raw))
	}
	return text.OneLine(h.Value)
}

// firstValue is the first field of that name, unfolded and decoded.
func firstValue(m *mail.Message, name string) string {
	for i := range m.Headers {
		if strings.EqualFold(m.Headers[i].Name, name) {
			return text.OneLine(m.Headers[i].Value)
		}
	}
	return ""
}

// maxWord is how many octets of text fit into an encoded word of 75.
const maxWord = (75 - len("=?utf-8?b??=")) / 4 * 3

// encodeWords is a text for an unstructured field, with encoded words
// (RFC 2047) where it isn't ASCII or would be read as one.
func encodeWords(s string) string {
	s = text.OneLine(s)
	ascii := text.IsASCII(s)
	switch {
	case ascii && !strings.Contains(s, "=?"):
		return s
	case ascii || len(s) <= maxWord: // in one word, without an encoder for each
		return "=?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
	}
	return mime.BEncoding.Encode("utf-8", s)
}

// addressList is a list of mailboxes for an address field.
func addressList(list []mail.Address) string {
	var b strings.Builder
	for _, a := range list {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(mailbox(a))
	}
	return b.String()
}

// mailbox is one mailbox of an address field (RFC 5322, 3.4).
func mailbox(a mail.Address) string {
	name, address := text.OneLine(a.Name), text.OneLine(a.Address)
	if name == "" {
		return address
	}
	switch {
	case !text.IsASCII(name) || strings.Contains(name, "=?"):
		name = encodeWords(name)
	case strings.ContainsAny(name, `()<>[]:;@\,."`):
		name = quote(name)
	}
	return name + " <" + address + ">"
}

// shown is a list of mailboxes for people: names decoded.
func shown(list []mail.Address) string {
	parts := make([]string, len(list))
	for i, a := range list {
		name := text.OneLine(a.Name)
		switch {
		case name == "":
			parts[i] = text.OneLine(a.Address)
		default:
			parts[i] = quote(name) + " <" + text.OneLine(a.Address) + ">"
		}
	}
	return strings.Join(parts, ", ")
}

// deliverable reports whether an address has the form of one: receivers that
// encode its domain raise an exception on another, for ever.
func deliverable(address string) bool {
	i := strings.LastIndexByte(address, '@')
	if i <= 0 {
		return false
	}
	for label := range strings.SplitSeq(address[i+1:], ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return text.OneLine(address) == address
}

// isToken reports whether s can name a header field (RFC 5322, 3.6.8).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// recipient is the first recipient, of formats that carry one.
func recipient(d *Delivery) mail.Recipient { return d.Recipients[0] }

// verdicts gives the authentication's words; "" for what wasn't evaluated, which
// is something else than "none": that the sender's domain says nothing.
func verdicts(e *mail.Envelope) (spf, dkim, dmarc string) {
	a := e.Verdict
	if a == nil {
		return "", "", ""
	}
	dkim = "none"
	for _, k := range a.DKIM {
		if dkim = k.Result; dkim == "pass" {
			break
		}
	}
	return a.SPF.Result, dkim, a.DMARC.Result
}

// clientIP is the sender's address, "" over a unix socket.
func clientIP(e *mail.Envelope) string {
	if !e.Client.IsValid() {
		return ""
	}
	return e.Client.Addr().Unmap().String()
}

// signingKey is the key of a service that knows one signature: the first, while
// two are valid during a rotation.
func signingKey(secret string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(secret), " ")
	return first
}

// decimal is a number as JSON and people write it.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// yesNo is the word of mail services for whether a mail is spam.
func yesNo(s *mail.Spam) string {
	if s.Spam() {
		return "Yes"
	}
	return "No"
}

// symbolNames lists what a filter found.
func symbolNames(s *mail.Spam) []string {
	names := make([]string, len(s.Symbols))
	for i, f := range s.Symbols {
		names[i] = f.Name
	}
	return names
}

func unixSeconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
