package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/emersion/go-message/mail"
)

// What a receiver reads in the sample mail.
const (
	sampleSubject = "Заказ № 42: счёт во вложении"
	sampleFile    = "счёт.csv"
	sampleContent = "item,price\nсамовар,4200\n"

	sampleText = "Здравствуйте!\n\nСчёт во вложении. The invoice is attached.\n\n-- \nАнна\n"
	sampleHTML = "<p>Здравствуйте!</p>\n<p>Счёт во вложении. The invoice is <b>attached</b>.</p>\n"
)

// sampleMail is a mail as people send them: text and html, a Russian subject, a
// file with a Russian name.
func sampleMail(at time.Time) ([]byte, error) {
	var h mail.Header
	h.SetSubject(sampleSubject)
	h.SetMessageID(rand.Text() + "@client.example")
	h.SetDate(at)
	h.SetAddressList("To", []*mail.Address{{Name: "Orders", Address: "orders@in.example.com"}})
	h.SetAddressList("From", []*mail.Address{{Name: "Анна Иванова", Address: "anna@client.example"}})
	var b bytes.Buffer
	w, err := mail.CreateWriter(&b, h)
	if err != nil {
		return nil, err
	}
	err = errors.Join(sampleBody(w), sampleAttachment(w), w.Close())
	return b.Bytes(), err
}

// sampleBody writes the text and the html.
func sampleBody(w *mail.Writer) error {
	body, err := w.CreateInline()
	if err != nil {
		return err
	}
	for _, p := range []struct{ kind, text string }{{"text/plain", sampleText}, {"text/html", sampleHTML}} {
		var h mail.InlineHeader
		h.SetContentType(p.kind, map[string]string{"charset": "utf-8"})
		part, err := body.CreatePart(h)
		if err != nil {
			return err
		}
		if err := fill(part, p.text); err != nil {
			return err
		}
	}
	return body.Close()
}

func sampleAttachment(w *mail.Writer) error {
	var h mail.AttachmentHeader
	h.SetContentType("text/csv", map[string]string{"charset": "utf-8"})
	h.SetFilename(sampleFile)
	part, err := w.CreateAttachment(h)
	if err != nil {
		return err
	}
	return fill(part, sampleContent)
}

// sampleOutgoing is that mail, ready to be sent; "" and nil take the envelope
// from its header.
func sampleOutgoing(from string, to []string) (*outgoing, error) {
	content, err := sampleMail(time.Now())
	if err != nil {
		return nil, err
	}
	return bytesMail("sample mail", content, from, to)
}

// fill writes a part to its end.
func fill(part io.WriteCloser, text string) error {
	_, err := io.WriteString(part, text)
	return errors.Join(err, part.Close())
}
