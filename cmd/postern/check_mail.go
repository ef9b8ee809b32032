package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	gomail "github.com/emersion/go-message/mail"

	"postern/gateway/mail"
	"postern/webhook/payload"
)

// testDelivery is a mail that says what it is, with a file of so many octets; 0
// is none.
func testDelivery(domain, to string, attached int64) (payload.Delivery, error) {
	now := time.Now()
	key := fmt.Sprintf("check-%d", now.UnixNano())
	raw, err := testMail(key, to, now, attached)
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

func testMail(key, to string, at time.Time, attached int64) (mail.Bytes, error) {
	var h gomail.Header
	h.Set("Auto-Submitted", "auto-generated")
	h.SetSubject("Postern check: please ignore")
	h.SetMessageID(key + "@postern.invalid")
	h.SetDate(at)
	h.SetAddressList("To", []*gomail.Address{{Address: to}})
	h.SetAddressList("From", []*gomail.Address{{Name: "Postern check", Address: to}})
	var b bytes.Buffer
	w, err := gomail.CreateWriter(&b, h)
	if err != nil {
		return nil, err
	}
	var text gomail.InlineHeader
	text.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	part, err := w.CreateSingleInline(text)
	if err != nil {
		return nil, err
	}
	if err := fill(part, "This is a test by postern check. There is nothing to do.\n"); err != nil {
		return nil, err
	}
	if attached > 0 {
		if err := attachFiller(w, attached); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

// attachFiller attaches a file that doesn't compress, which would hide its size
// from a proxy.
func attachFiller(w *gomail.Writer, size int64) error {
	var h gomail.AttachmentHeader
	h.SetContentType("application/octet-stream", nil)
	h.SetFilename("filler.bin")
	part, err := w.CreateAttachment(h)
	if err != nil {
		return err
	}
	_, err = io.CopyN(part, rand.Reader, size)
	return errors.Join(err, part.Close())
}
