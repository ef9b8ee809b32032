package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	gomail "github.com/emersion/go-message/mail"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
	"postern/gateway/directory"
	"postern/gateway/mail"
	"postern/gateway/reload"
	"postern/webhook"
	"postern/webhook/payload"
)

const checkHelp = `[--to ADDRESS]

Tries what a gateway with this environment would use: POSTs a signed test mail
to each endpoint, asks the directory, looks at the certificate, the store and
the DNS, and says what to mend. Exits 1 when something is wrong.
`

// checks runs one check after the other and reports each.
type checks struct {
	out    io.Writer
	failed int
}

// cmdCheck tries the configuration against the world.
func cmdCheck(ctx context.Context, s *stdio, args []string) error {
	fs := newFlags(s, "check", checkHelp)
	to := fs.String("to", "", "recipient `address` of the test mail (default: postmaster at POSTERN_DOMAIN)")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	c, err := config.Load(s.Environ)
	if err != nil {
		return err
	}
	if *to == "" {
		*to = "postmaster@" + c.Listen.Domain
	}
	k := &checks{out: s.Out}
	for _, w := range c.Warnings() {
		k.say("warning", "%s", w)
	}
	if err := k.endpoints(ctx, c, *to); err != nil {
		return err
	}
	k.directory(ctx, c, *to)
	k.certificate(c)
	k.store(c)
	k.dns(ctx, c)
	if k.failed > 0 {
		return fmt.Errorf("%d checks failed", k.failed)
	}
	return nil
}

func (k *checks) say(what, format string, args ...any) {
	fmt.Fprintf(k.out, "%-8s %s\n", what, fmt.Sprintf(format, args...))
}

func (k *checks) ok(format string, args ...any) { k.say("ok", format, args...) }

func (k *checks) fail(format string, args ...any) {
	k.failed++
	k.say("FAILED", format, args...)
}

// endpoints POSTs a test mail to each endpoint, as a message would be.
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
	d, err := testDelivery(c.Listen.Domain, to)
	if err != nil {
		return err
	}
	for _, ep := range router.Endpoints() {
		d.Endpoint = ep.Name()
		d.ID = webhook.DeliveryID(d.Envelope.Key, ep.Name(), []string{to})
		o := sender.Send(ctx, ep, d)
		if o.Result == webhook.Delivered {
			k.ok("endpoint %s took the test mail with %d in %s", ep, o.Status, o.Elapsed.Round(time.Millisecond))
			continue
		}
		r := o.SMTPReply(c.Delivery.Store != config.StoreOff && ep.Defers())
		k.fail("endpoint %s: %v; a mail would be answered %d %s", ep, o.Err, r.Code, r.Enhanced)
	}
	return nil
}

// testDelivery is a mail that says what it is.
func testDelivery(domain, to string) (payload.Delivery, error) {
	now := time.Now()
	key := fmt.Sprintf("check-%d", now.UnixNano())
	raw, err := testMail(key, to, now)
	if err != nil {
		return payload.Delivery{}, err
	}
	parsed, err := mail.Parse(raw, mail.Limits{})
	rcpt := mail.Recipient{Address: to}
	return payload.Delivery{
		Attempt: 1, Message: parsed, Raw: raw, Recipients: []mail.Recipient{rcpt},
		Envelope: &mail.Envelope{ID: key, Key: key, Received: now, Hello: domain, Protocol: "ESMTP", Verb: mail.VerbMail, From: "postmaster@" + domain,
			To: []mail.Recipient{rcpt}, Size: raw.Size()},
	}, err
}

func testMail(key, to string, at time.Time) (mail.Bytes, error) {
	var h gomail.Header
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("Auto-Submitted", "auto-generated")
	h.SetSubject("Postern check: please ignore")
	h.SetMessageID(key + "@postern.invalid")
	h.SetDate(at)
	h.SetAddressList("To", []*gomail.Address{{Address: to}})
	h.SetAddressList("From", []*gomail.Address{{Name: "Postern check", Address: to}})
	var b bytes.Buffer
	w, err := gomail.CreateSingleInlineWriter(&b, h)
	if err != nil {
		return nil, err
	}
	err = fill(w, "This is a test by postern check. There is nothing to do.\n")
	return b.Bytes(), err
}

// directory asks for an address. Whether it is a recipient is the directory's
// own affair: what is checked is that its answer counts.
func (k *checks) directory(ctx context.Context, c *config.Config, to string) {
	if c.Directory.URL == "" {
		return
	}
	remote, err := app.NewRemote(c.Directory, app.Deps{Version: versionString()})
	if err != nil {
		k.fail("directory: %v", err)
		return
	}
	defer remote.Close()
	a := remote.Recipient(ctx, directory.Query{Address: to, MailFrom: "postmaster@" + c.Listen.Domain, Hello: c.Listen.Domain}, func(string) bool { return true })
	if a.Code == 450 {
		k.fail("directory %s gave no answer that counts for %s (450 %s): it must answer within its time, and a refusal must repeat the address in its JSON body", c.Directory.URL, to, a.Text())
		return
	}
	k.ok("directory %s answers %d for %s", c.Directory.URL, a.Code, to)
}
