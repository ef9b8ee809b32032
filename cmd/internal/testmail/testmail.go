// Package testmail makes mails as an app meets them, to try it with: the answer
// to a mail, a bounce, files, an invitation, a newsletter. What each of them
// means to a webhook is held by a test. They are made anew each time: their date
// is now and no two have the same Message-ID.
package testmail

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Mail is a mail and who sends it.
type Mail struct {
	From    string // reverse-path; "<>" is the null sender
	Content []byte
}

// Template makes a mail.
type Template struct {
	Name  string
	About string // what it is, in a few words
	make  func(d draft) part
	null  bool // it has no reverse-path
}

// Templates are all of them.
func Templates() []Template {
	return []Template{
		{"reply", "an answer above the mail that it quotes", reply, false},
		{"bounce", "a report that a mail could not be delivered", bounce, true},
		{"attachments", "an inline image and three files, one with a Russian name", attachments, false},
		{"calendar", "an invitation to a meeting", invitation, false},
		{"html", "a newsletter with a table and links, without a text of its own", newsletter, false},
	}
}

// Names lists the templates' names.
func Names() []string {
	var names []string
	for _, t := range Templates() {
		names = append(names, t.Name)
	}
	return names
}

// Make makes the mail of a template for a recipient.
func Make(name, to string, at time.Time) (Mail, error) {
	for _, t := range Templates() {
		if t.Name == name {
			return t.mail(to, at)
		}
	}
	return Mail{}, fmt.Errorf("there is no template %q", name)
}

func (t Template) mail(to string, at time.Time) (Mail, error) {
	m := Mail{From: sender}
	if t.null {
		m.From = "<>"
	}
	var b bytes.Buffer
	err := t.make(draft{to: to, at: at, id: rand.Text()}).write(&b)
	m.Content = b.Bytes()
	return m, err
}

// sender writes what a person writes.
const sender = "anna@client.example"

// draft is what a mail is made of.
type draft struct {
	to string
	at time.Time
	id string // differs from mail to mail
}

// top is the header of a mail from a person.
func (d draft) top(subject string) mail.Header {
	return d.from("Анна Иванова", sender, subject)
}

func (d draft) from(name, address, subject string) mail.Header {
	var h mail.Header
	h.Set("MIME-Version", "1.0")
	h.SetSubject(subject)
	h.SetMessageID(d.id + "@client.example")
	h.SetDate(d.at)
	h.SetAddressList("To", []*mail.Address{{Address: d.to}})
	h.SetAddressList("From", []*mail.Address{{Name: name, Address: address}})
	return h
}

// part is a part of a mail, or the whole of it.
type part struct {
	header  message.Header
	kind    string
	params  map[string]string
	content []byte
	parts   []part // of a multipart, in place of content
}

// text is a text part.
func text(kind, content string) part {
	return part{kind: kind, params: map[string]string{"charset": "utf-8"}, content: []byte(content)}
}

// multi is a part made of others.
func multi(kind string, parts ...part) part { return part{kind: kind, parts: parts} }

// under puts a part under a mail's header.
func (p part) under(h mail.Header) part {
	p.header = h.Header
	return p
}

// file makes a file of a part.
func (p part) file(disposition, name string) part {
	h := mail.AttachmentHeader{Header: p.header}
	h.SetFilename(name)
	_, params, _ := h.ContentDisposition()
	h.SetContentDisposition(disposition, params)
	p.header = h.Header
	return p
}

// write writes the mail.
func (p part) write(w io.Writer) error {
	p.label()
	out, err := message.CreateWriter(w, p.header)
	if err != nil {
		return err
	}
	return errors.Join(p.fill(out), out.Close())
}

// label says what the part is.
func (p *part) label() {
	p.header.SetContentType(p.kind, p.params)
	switch {
	case p.parts != nil:
	case p.kind == "message/delivery-status", p.kind == "message/rfc822":
		p.header.Set("Content-Transfer-Encoding", "7bit")
	case p.params["charset"] != "":
		p.header.Set("Content-Transfer-Encoding", "quoted-printable")
	default:
		p.header.Set("Content-Transfer-Encoding", "base64")
	}
}

func (p part) fill(w *message.Writer) error {
	if p.parts == nil {
		_, err := w.Write(p.content)
		return err
	}
	for _, one := range p.parts {
		one.label()
		in, err := w.CreatePart(one.header)
		if err != nil {
			return err
		}
		if err := errors.Join(one.fill(in), in.Close()); err != nil {
			return err
		}
	}
	return nil
}
