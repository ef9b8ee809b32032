// Package content serves what urls in payloads name: attachments and whole
// messages, from the store.
//
// A url is signed and expires, and is the only right that is needed: whoever
// has it reads one part of one message and nothing else. What a url names is
// durable before a webhook sees it. Octets that differ from what was received
// are never served (500); what is gone is 410, a url that isn't ours 403.
package content

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/gateway/archive"
	"postern/gateway/budget"
	"postern/gateway/mail"
)

const (
	// contentStall is how long a client may take none of an answer's octets.
	contentStall = 30 * time.Second
	// leastRate is the octets a second that a client must take on the whole, after
	// slowStart: what it reads takes room meanwhile.
	leastRate = 16 << 10
	slowStart = 2 * time.Minute
	// maxRanges is the ranges of one request; with more it gets the whole, since
	// each one may have to be decoded from the start.
	maxRanges = 8
	// memoryWait is how long a request waits for the memory that reading a
	// message's structure takes.
	memoryWait = 15 * time.Second
)

// Handler is a http.Handler for Path. Memory is bounded whatever the size: an
// attachment is decoded while it is sent.
type Handler struct{ deps Deps }

// Deps are the parts that a Handler works with.
type Deps struct {
	Links    *Links
	Messages archive.Messages
	// Limits must be those with which the gateway parses, since a url names an
	// attachment by its number.
	Limits mail.Limits
	Memory *budget.Budget // what messages are read within; nil: no bound
	Logger *slog.Logger
	Now    func() time.Time
}

// NewHandler returns the handler.
func NewHandler(d Deps) *Handler { return &Handler{d} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	e := strings.Split(strings.TrimPrefix(r.URL.Path, Path), "/")
	if len(e) != 5 || !h.deps.Links.valid(h.deps.Now(), e[0], e[1], e[2], e[3]) {
		http.Error(w, "the url is not ours, was changed, or has expired", http.StatusForbidden)
		return
	}
	m, err := archive.OpenAside(r.Context(), h.deps.Messages, e[0])
	if err == nil {
		defer m.Close()
		err = h.serve(w, r, m, e[1])
	}
	h.failed(w, e[0], err)
}

func (h *Handler) failed(w http.ResponseWriter, id string, err error) {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case errors.Is(err, budget.ErrShort):
		w.Header().Set("Retry-After", "10")
		http.Error(w, "there is no memory to read the message now, try again", http.StatusServiceUnavailable)
	case errors.Is(err, archive.ErrBusy):
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too much is being read now, try again", http.StatusServiceUnavailable)
	case errors.Is(err, archive.ErrNotFound):
		http.Error(w, "the content is not kept any more", http.StatusGone)
	default:
		h.deps.Logger.Error("content by url can't be served", "message", id, "err", err)
		http.Error(w, "the stored message can't be read", http.StatusInternalServerError)
	}
}

// serve sends one part of the message.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, m *archive.Mail, part string) error {
	if part == rawPart {
		return SendRaw(w, r, m)
	}
	a, grant, err := h.attachment(r.Context(), m.Raw(), part)
	if err != nil {
		return err
	}
	defer grant.Release()
	content := &decoded{content: a.Content, size: a.Size}
	defer content.Close()
	file{a.Filename, typeOf(a), m.Envelope.ID + "-" + part, m.Envelope.Received, content, false}.send(w, r)
	return nil
}

// SendRaw answers with a whole message as an .eml file.
func SendRaw(w http.ResponseWriter, r *http.Request, m *archive.Mail) error {
	src, err := m.Raw().Open()
	if err != nil {
		return err
	}
	defer src.Close()
	file{m.Envelope.ID + ".eml", "message/rfc822", m.Envelope.ID + "-" + rawPart, m.Envelope.Received, src, false}.send(w, r)
	return nil
}

// SendAttachment answers with an attachment of a message that was parsed, as a file
// to save; m is open meanwhile. retry.ErrNotFound where it has none of the number.
func SendAttachment(w http.ResponseWriter, r *http.Request, m *archive.Mail, parsed *mail.Message, part string) error {
	i, err := strconv.Atoi(part)
	if err != nil || i < 0 || i >= len(parsed.Attachments) {
		return archive.ErrNotFound
	}
	a := parsed.Attachments[i]
	content := &decoded{content: a.Content, size: a.Size}
	defer content.Close()
	file{a.Filename, typeOf(a), m.Envelope.ID + "-" + part, m.Envelope.Received, content, true}.send(w, r)
	return nil
}

// attachment finds an attachment by its number. The grant is for sending it.
func (h *Handler) attachment(ctx context.Context, raw mail.Source, part string) (a mail.Attachment, g *budget.Grant, err error) {
	g, err = h.deps.Memory.Work(ctx, memoryWait, mail.Least(raw), func(g *budget.Grant) error {
		m, err := mail.ParseWithin(raw, h.deps.Limits, g)
		if err != nil {
			return err
		}
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || i >= len(m.Attachments) {
			return archive.ErrNotFound
		}
		a = m.Attachments[i] // a copy: the decoded text is let go
		return nil
	})
	if err == nil {
		g.Shrink(mail.Least(raw))
	}
	return a, g, err
}

// typeOf is the attachment's type as a header value.
func typeOf(a mail.Attachment) string {
	params := map[string]string{}
	if a.Charset != "" {
		params["charset"] = a.Charset
	}
	if t := mime.FormatMediaType(a.ContentType, params); t != "" {
		return t
	}
	return "application/octet-stream"
}
