// Package preview shows people the POST of a stored delivery: what its webhook
// would get now, as text to read and as a command to try it with.
//
// Nothing is sent and no secret is shown: urls, credentials, header fields that
// the operator set and signatures say "[hidden]". What a mail says reaches a
// shell only in a file, never in the command's line.
package preview

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/webhook"
	"postern/webhook/payload"
)

// ErrEndpoint is returned by who finds no endpoint of a name.
var ErrEndpoint = errors.New("preview: there is no such endpoint")

// Sender renders without sending; *webhook.Sender is the real one.
type Sender interface {
	Preview(ep *webhook.Endpoint, d payload.Delivery) (*webhook.Preview, error)
}

// Delivery says which POST of a stored mail is meant.
type Delivery struct {
	ID         string // webhook-id
	Attempt    int    // the next one's number
	Recipients []string
}

// Options are the gateway's own.
type Options struct {
	PublicURL string // where content is served from; "" for none
	Limits    mail.Limits
}

// Of is the POST of a stored mail's delivery to the endpoint, while the mail is
// open.
func Of(s Sender, ep *webhook.Endpoint, m *archive.Mail, d Delivery, o Options) (*webhook.Preview, error) {
	raw := m.Raw()
	parsed, err := mail.Parse(raw, o.Limits)
	if err != nil {
		return nil, fmt.Errorf("preview: message %s: %w", m.Envelope.ID, err)
	}
	p := payload.Delivery{ID: d.ID, Attempt: max(d.Attempt, 1), Endpoint: ep.Name(), Envelope: m.Envelope,
		Recipients: archive.Recipients(m.Envelope, d.Recipients), Message: parsed, Raw: raw}
	if o.PublicURL != "" {
		p.Links = links(strings.TrimSuffix(o.PublicURL, "/"))
	}
	return s.Preview(ep, p)
}

// links are urls of content without what makes them open.
type links string

// Attachment implements payload.Links.
func (l links) Attachment(messageID string, i int, filename string) string {
	return l.url(messageID, strconv.Itoa(i), filename)
}

// Raw implements payload.Links.
func (l links) Raw(messageID string) string { return l.url(messageID, "raw", messageID+".eml") }

func (l links) url(messageID, part, name string) string {
	return string(l) + "/content/" + url.PathEscape(messageID) + "/" + part + "/[hidden]/" + url.PathEscape(name)
}

// Fields are the header's, one "Name: value" each, by name.
func Fields(p *webhook.Preview) []string {
	var fields []string
	for name, values := range p.Header {
		for _, v := range values {
			fields = append(fields, name+": "+v)
		}
	}
	slices.Sort(fields)
	return fields
}

// Curl is the command that makes the POST again, its body read from the file. A
// value that isn't made of harmless characters alone is left to the reader.
func Curl(p *webhook.Preview, file string) string {
	var b strings.Builder
	b.WriteString("curl --request " + p.Method + " " + quoted(p.URL))
	for _, f := range Fields(p) {
		name, value, _ := strings.Cut(f, ": ")
		if !harmless(value) {
			value = "[left out]"
		}
		b.WriteString(" \\\n  --header " + quoted(name+": "+value))
	}
	b.WriteString(" \\\n  --data-binary @" + quoted(file))
	return b.String()
}

// File is what a delivery's body is saved as, for Curl.
func File(delivery string, p *webhook.Preview) string {
	ending := ".body"
	if strings.HasPrefix(p.Header.Get("Content-Type"), "application/json") {
		ending = ".json"
	}
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '_'
	}, delivery) + ending
}

// harmless reports whether a value can't be taken for anything by a shell, even
// where somebody removes its quotes.
func harmless(value string) bool {
	return strings.IndexFunc(value, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune(" .,:;=/@+_-[]*%\"", c)
	}) < 0
}

// quoted is one word of a shell's line.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
