package webhook

import (
	"context"
	"io"
	"net/http"
	"strings"

	"postern/webhook/payload"
)

// Preview is a POST as a person may see it. No secret is in it: the url's, the
// credentials, the values of the operator's own header fields and whatever was
// signed say "[hidden]".
type Preview struct {
	Method string
	URL    string
	Header http.Header
	Length int64                   // of the body, in octets
	Write  func(w io.Writer) error // the body, the same each time
}

// standIn is what a format signs with inside the body of a preview.
const standIn = hidden

// Preview renders the POST of a delivery without making it.
func (s *Sender) Preview(ep *Endpoint, d payload.Delivery) (*Preview, error) {
	r := s.request(ep, d)
	_, keyed := ep.format.(payload.Keyed)
	signs := r.opts.Secret != ""
	if r.opts.Secret = ""; keyed && signs {
		r.opts.Secret = standIn
	}
	if err := r.render(); err != nil {
		return nil, err
	}
	h, err := s.header(context.Background(), r) // it signs nothing, so it waits for nothing
	if err != nil {
		return nil, err
	}
	if signs && !keyed {
		h.Set("Webhook-Signature", hidden)
	}
	hide(h, ep.cfg.Headers)
	return &Preview{Method: http.MethodPost, URL: ep.URL(), Header: h, Length: r.body.Length, Write: r.body.Write}, nil
}

// hide covers the values of what the operator set, of credentials and of
// signatures. A Content-Type is no secret, whoever set it.
func hide(h, own http.Header) {
	set := map[string]bool{}
	for name := range own {
		set[http.CanonicalHeaderKey(name)] = true
	}
	for name, values := range h {
		switch {
		case name == "Content-Type":
		case set[name], strings.HasSuffix(name, "-Signature"):
			h[name] = []string{hidden}
		case name == "Authorization":
			scheme, _, _ := strings.Cut(values[0], " ")
			h[name] = []string{scheme + " " + hidden}
		}
	}
}
