package page

import (
	"net/http"
	"strings"

	"postern/gateway/archive"
	"postern/gateway/content"
	"postern/retry"
)

// messageRaw is the message as a file, as it was received behind our trace
// lines.
func (p *Page) messageRaw(w http.ResponseWriter, r *http.Request) error {
	return p.octets(w, r, "message/rfc822", "attachment")
}

// messageSource shows the same as text.
func (p *Page) messageSource(w http.ResponseWriter, r *http.Request) error {
	return p.octets(w, r, "text/plain; charset=utf-8", "inline")
}

// octets answers with the stored octets.
func (p *Page) octets(w http.ResponseWriter, r *http.Request, media, disposition string) error {
	if p.deps.Queue == nil {
		return retry.ErrNotFound
	}
	stored, err := archive.OpenAside(r.Context(), p.deps.Messages, r.PathValue("id"))
	if err != nil {
		return err
	}
	defer stored.Close()
	raw, err := stored.Raw().Open()
	if err != nil {
		return err
	}
	defer raw.Close()
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", disposition+`; filename="`+strings.Map(fileRune, stored.Envelope.ID)+`.eml"`)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	http.ServeContent(content.Patient(w), r, "", stored.Envelope.Received, raw)
	return nil
}

func fileRune(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
		return c
	}
	return '_'
}

// attachment is one of the message's, as a file to save.
func (p *Page) attachment(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Queue == nil {
		return retry.ErrNotFound
	}
	stored, parsed, err := p.open(retry.Aside(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer stored.Close()
	return content.SendAttachment(w, r, stored, parsed, r.PathValue("n"))
}
