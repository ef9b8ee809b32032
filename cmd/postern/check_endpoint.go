package main

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
	"postern/gateway/reload"
	"postern/webhook"
	"postern/webhook/payload"
)

// endpointCheck POSTs test mails as serve POSTs mail.
type endpointCheck struct {
	*checks
	sender *webhook.Sender
	queue  bool
	domain string
	to     string
}

// endpoints tries each endpoint.
func (k *checks) endpoints(ctx context.Context, c *config.Config, to string) error {
	router, err := c.Router(reload.Deps{})
	if err != nil {
		return err
	}
	sender, err := app.NewSender(c, app.Deps{Version: versionString()})
	if err != nil {
		return err
	}
	defer sender.Close()
	e := endpointCheck{checks: k, sender: sender, queue: c.Delivery.Store != config.StoreOff, domain: c.Listen.Domain, to: to}
	for i, ep := range router.Endpoints() {
		if err := e.endpoint(ctx, ep, c.Endpoints()[i]); err != nil {
			return err
		}
	}
	return nil
}

// endpoint POSTs a small mail and, where that was taken, a large one.
func (e *endpointCheck) endpoint(ctx context.Context, ep *webhook.Endpoint, w config.Webhook) error {
	e.try("endpoint %s", ep)
	if w.Anonymous() {
		e.say("warning", "endpoint %s has neither SECRET nor TOKEN nor a user: the app can't tell our POSTs from anybody else's", ep)
	}
	small, err := e.render(ep, 0)
	if err != nil {
		return err
	}
	o := e.sender.Post(ctx, small, ep.Timeout())
	if o.Result != webhook.Delivered {
		r := o.SMTPReply()
		if e.queue && ep.Defers() {
			r = o.SMTPReplyQueued()
		}
		e.fail("endpoint %s: %v; a mail would be answered %d %s%s", ep, o.Err, r.Code, r.Enhanced, advice(o))
		return nil
	}
	e.ok("endpoint %s took the test mail with %d in %s", ep, o.Status, o.Elapsed.Round(time.Millisecond))
	if w.Attachments != string(payload.Inline) && w.Raw != string(payload.Inline) {
		return nil // large content stays out of its bodies
	}
	e.try("endpoint %s with a large body", ep)
	large, err := e.large(ep, int64(w.InlineLimit), small.Size())
	if err != nil {
		return err
	}
	e.tellLarge(ep, config.Size(large.Size()), e.sender.Post(ctx, large, ep.Timeout()))
	return nil
}

// tellLarge says what became of the large body.
func (e *endpointCheck) tellLarge(ep *webhook.Endpoint, size config.Size, o webhook.Outcome) {
	switch {
	case o.Result == webhook.Delivered:
		e.ok("endpoint %s took a body of %s with %d in %s", ep, size.Rough(), o.Status, o.Elapsed.Round(time.Millisecond))
	case o.Status == http.StatusRequestEntityTooLarge:
		e.fail("endpoint %s answered a body of %s with 413: the app, or a proxy in front of it, takes less than INLINE_LIMIT "+
			"(nginx takes 1 MB until client_max_body_size says otherwise): raise that limit, or set POSTERN_PUBLIC_URL and a lower INLINE_LIMIT", ep, size.Rough())
	default:
		e.fail("endpoint %s took a small mail, but not a body of %s: %v%s", ep, size.Rough(), o.Err, advice(o))
	}
}

// large renders a mail whose body is about as large as the limit, from the size
// of one without a file; a limit of 0, which is none, takes the default's size.
func (e *endpointCheck) large(ep *webhook.Endpoint, limit, bare int64) (*webhook.Request, error) {
	if limit == 0 {
		limit = webhook.DefaultInlineLimit
	}
	attached := limit / 4 // each format makes another size of it
	r, err := e.render(ep, attached)
	if err != nil {
		return nil, err
	}
	grew := float64(max(r.Size()-bare, 1)) / float64(attached)
	return e.render(ep, int64(float64(max(limit-bare, 1))/grew))
}

// render makes the test mail, with a file of so many octets, 0 for none.
func (e *endpointCheck) render(ep *webhook.Endpoint, attached int64) (*webhook.Request, error) {
	d, err := testDelivery(e.domain, e.to, attached)
	if err != nil {
		return nil, err
	}
	d.Endpoint = ep.Name()
	d.ID = webhook.DeliveryID(d.Envelope.Key, ep.Name(), []string{e.to})
	return e.sender.Render(ep, d)
}

// advice is what to do about a POST that failed, where its error doesn't say.
func advice(o webhook.Outcome) string {
	switch {
	case errors.Is(o.Err, syscall.ECONNREFUSED):
		return ": nothing listens there; start the app (postern listen is one to try with), and mind that in a container 127.0.0.1 is the container itself"
	case o.Reason == webhook.ReasonDNS:
		return ": the URL's host name doesn't resolve from here"
	case o.Reason == webhook.ReasonTimeout:
		return ": a firewall between, or an app that takes longer than TIMEOUT"
	case o.Reason == webhook.ReasonTLS:
		return ": check the app's certificate, and CA_FILE, CERT_FILE and KEY_FILE"
	}
	return ""
}
