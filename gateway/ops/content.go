package ops

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
	"postern/gateway/mail"
	"postern/retry"
)

const (
	// contentStall is how long a client may take none of an answer's octets.
	contentStall = 30 * time.Second
	// maxRanges is the ranges of one request; with more it gets the whole, since
	// each one may have to be decoded from the start.
	maxRanges = 8
	// maxParsing is how many requests read a message's structure at once: each
	// may hold its decoded text (mail.Limits.TextBytes).
	maxParsing = 4
)

// Content serves attachments and whole messages from the store by signed url.
// It is a http.Handler for /content/. Memory is bounded whatever the size: an
// attachment is decoded while it is sent.
type Content struct {
	links    *Links
	messages archive.Messages
	limits   mail.Limits
	log      *slog.Logger
	parsing  chan struct{}
}

// NewContent returns the handler. limits must be those with which the gateway
// parses, since the url names an attachment by its number.
func NewContent(l *Links, m archive.Messages, limits mail.Limits, log *slog.Logger) *Content {
	return &Content{links: l, messages: m, limits: limits, log: log, parsing: make(chan struct{}, maxParsing)}
}

// ServeHTTP implements http.Handler.
func (c *Content) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "only GET and HEAD")
		return
	}
	e := strings.Split(strings.TrimPrefix(r.URL.Path, contentPath), "/")
	if len(e) != 5 || !c.links.valid(e[0], e[1], e[2], e[3]) {
		plain(w, http.StatusForbidden, "the url is not ours, was changed, or has expired")
		return
	}
	m, err := archive.Open(r.Context(), c.messages, e[0])
	if err == nil {
		defer m.Close()
		err = c.serve(w, r, m, e[1])
	}
	c.failed(w, e[0], err)
}

func (c *Content) failed(w http.ResponseWriter, id string, err error) {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case errors.Is(err, retry.ErrNotFound):
		plain(w, http.StatusGone, "the content is not kept any more")
	default:
		c.log.Error("content by url can't be served", "id", id, "error", err)
		plain(w, http.StatusInternalServerError, "the stored message can't be read")
	}
}

// serve sends one part of the message.
func (c *Content) serve(w http.ResponseWriter, r *http.Request, m *archive.Mail, part string) error {
	f := file{name: m.Envelope.ID + ".eml", contentType: "message/rfc822", tag: m.Envelope.ID + "-" + part, at: m.Envelope.Received}
	if part == rawPart {
		src, err := m.Raw().Open()
		if err != nil {
			return err
		}
		defer src.Close()
		f.content = src
		f.send(w, r)
		return nil
	}
	a, err := c.attachment(r.Context(), m.Raw(), part)
	if err != nil {
		return err
	}
	content := &decoded{content: a.Content, size: a.Size}
	defer content.Close()
	f.name, f.contentType, f.content = a.Filename, typeOf(a), content
	f.send(w, r)
	return nil
}

// attachment finds an attachment by its number.
func (c *Content) attachment(ctx context.Context, raw mail.Source, part string) (*mail.Attachment, error) {
	select {
	case c.parsing <- struct{}{}:
		defer func() { <-c.parsing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m, err := mail.Parse(raw, c.limits)
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(part)
	if err != nil || i < 0 || i >= len(m.Attachments) {
		return nil, retry.ErrNotFound
	}
	a := m.Attachments[i] // a copy: the decoded text is let go
	return &a, nil
}

// typeOf is the attachment's type as a header value.
func typeOf(a *mail.Attachment) string {
	params := map[string]string{}
	if a.Charset != "" {
		params["charset"] = a.Charset
	}
	if t := mime.FormatMediaType(a.ContentType, params); t != "" {
		return t
	}
	return "application/octet-stream"
}
