package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
)

// mails are of the sizes and shapes that gateways meet, the same in each run but
// for their signature, dot-stuffed and ended for DATA.
func mails(from *sender) (map[string][][]byte, error) {
	all := map[string][][]byte{}
	for kind, make := range map[string]func(w *writer, i int) string{
		"small":   func(w *writer, i int) string { return w.head(i, "text/plain; charset=us-ascii", "7bit") + w.text(900) },
		"typical": func(w *writer, i int) string { return w.multipart(i, "alternative", w.alternative(4_000, 19_500)...) },
		"html": func(w *writer, i int) string {
			return w.head(i, "text/html; charset=utf-8", "quoted-printable") + quoted(w.html(80_000))
		},
		"pdf": func(w *writer, i int) string { return w.withFile(i, 355_000) },
		"big": func(w *writer, i int) string { return w.withFile(i, 15_320_000) },
	} {
		count := 10
		if kind == "big" {
			count = 1
		}
		for i := range count {
			w := &writer{rand.New(rand.NewPCG(uint64(i), uint64(len(kind))))}
			signed, err := from.sign(make(w, i))
			if err != nil {
				return nil, err
			}
			all[kind] = append(all[kind], ended(signed))
		}
	}
	return all, nil
}

func ended(s string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimSuffix(s, "\r\n"), "\r\n.", "\r\n..") + "\r\n.\r\n")
}

// writer makes up what people write.
type writer struct{ *rand.Rand }

var vocabulary = strings.Fields(`invoice order shipment customer support ticket update account password report meeting agenda
	project deadline server alert billing renewal tracking number the of and to in is that for on with as by at from this your you we
	our please find attached thank café Zürich señor`)

func (w *writer) words(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = vocabulary[w.IntN(len(vocabulary))]
	}
	return strings.Join(out, " ")
}

// text is lines of words in ASCII.
func (w *writer) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.Map(func(r rune) rune { return min(r, '~') }, w.words(9)) + "\r\n")
	}
	return b.String()
}

func (w *writer) html(n int) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><html><head><style>td{font-family:Arial;padding:4px 8px}</style></head><body><table width=\"100%\">")
	for b.Len() < n {
		fmt.Fprintf(&b, "<tr><td style=\"color:#%06x;border-bottom:1px solid #eee\"><a href=\"https://click.example.net/t/%x?u=%d&amp;c=1\">%s</a></td><td>%s</td></tr>\n",
			w.IntN(1<<24), w.Uint64(), w.IntN(1e6), w.words(4), w.words(12))
	}
	return b.String() + "</table></body></html>\n"
}

func quoted(s string) string {
	var b strings.Builder
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(s))
	_ = q.Close()
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "\r\n", "\n"), "\n", "\r\n")
}

func (w *writer) octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.Uint32())
	}
	return b
}

func (w *writer) base64(n, line int) string {
	s := base64.StdEncoding.EncodeToString(w.octets(n))
	var b strings.Builder
	for len(s) > line {
		b.WriteString(s[:line] + "\r\n ")
		s = s[line:]
	}
	return b.String() + s
}

// head is the header of a mail that came over two hops.
func (w *writer) head(i int, ctype, encoding string) string {
	const date = "Mon, 23 Nov 2026 10:11:12 +0000"
	fields := []string{
		"Return-Path: <bounce@mailer.example.net>",
		"Received: from mx1.example.net (mx1.example.net [192.0.2.1])\r\n by in.example.org (Postfix) with ESMTPS id 4C0FFEE\r\n for <inbox@example.org>; " + date,
		"Received: by app1.example.net (Postfix, from userid 1001)\r\n id 0DDBA11; " + date,
		"From: \"Example Sender\" <sender@example.net>",
		"To: Inbox <inbox@example.org>",
		"Reply-To: <support@example.net>",
		"Subject: =?utf-8?Q?Ihre_Bestellung_best=C3=A4tigt?= order",
		"Date: " + date,
		fmt.Sprintf("Message-ID: <%d.%x@bench.example.net>", i, w.Uint64()),
		"X-Mailer: ExampleMailer 4.2",
		"MIME-Version: 1.0",
		"Content-Type: " + ctype,
		"Content-Transfer-Encoding: " + encoding,
	}
	return strings.Join(fields, "\r\n") + "\r\n\r\n"
}

func (w *writer) multipart(i int, kind string, parts ...string) string {
	return w.head(i, "multipart/"+kind+"; boundary=\"=_"+kind+"\"", "7bit") + bounded(kind, parts)
}

func bounded(kind string, parts []string) string {
	delimiter := "--=_" + kind
	return delimiter + "\r\n" + strings.Join(parts, "\r\n"+delimiter+"\r\n") + "\r\n" + delimiter + "--\r\n"
}

func (w *writer) alternative(text, html int) []string {
	return []string{
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted(w.text(text)),
		"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted(w.html(html)),
	}
}

func (w *writer) withFile(i, n int) string {
	file := "Content-Type: application/pdf; name=\"invoice.pdf\"\r\nContent-Disposition: attachment; filename=\"invoice.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.ReplaceAll(w.base64(n, 76), "\r\n ", "\r\n")
	return w.multipart(i, "mixed", "Content-Type: multipart/alternative; boundary=\"=_alternative\"\r\n\r\n"+bounded("alternative", w.alternative(2_000, 8_000)), file)
}
