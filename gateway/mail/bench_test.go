package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The four mails of the benchmarks: what people and machines send most, built
// here so that they never change.

func benchHeader(ctype string) string {
	var b strings.Builder
	for i := range 2 {
		fmt.Fprintf(&b, "Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\r\n\tby in.example.org (Postfix) with ESMTPS id %06X;\r\n\tMon, 2 Nov 2026 10:11:12 +0000\r\n", i, i, i, i*7919)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net;\r\n\ts=s2026; bh=" + strings.Repeat("A", 43) + "=;\r\n\tb=" +
		strings.Repeat(strings.Repeat("b", 70)+"\r\n\t", 5) + "\r\n")
	b.WriteString("From: \"Example Sender\" <sender@example.net>\r\nTo: Inbox <inbox@example.org>\r\nReply-To: <support@example.net>\r\n" +
		"Subject: =?utf-8?Q?Ihre_Bestellung_best=C3=A4tigt?= number 12\r\nDate: Mon, 02 Nov 2026 10:11:12 +0000\r\n" +
		"Message-ID: <1@bench.example.net>\r\nX-Mailer: ExampleMailer 4.2\r\nMIME-Version: 1.0\r\n" + ctype + "\r\n\r\n")
	return b.String()
}

func benchAlternative(text, html int) string {
	words := "invoice order café shipment customer support ticket update Zürich account password reset weekly report meeting agenda "
	var t, h bytes.Buffer
	qt, qh := quotedprintable.NewWriter(&t), quotedprintable.NewWriter(&h)
	for n := 0; n < text; n += 73 {
		fmt.Fprintf(qt, "%s\r\n", words[28+n%13:28+n%13+72])
	}
	io.WriteString(qh, "<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body><table width=\"100%\">")
	for n := 0; n < html; n += 220 {
		fmt.Fprintf(qh, "<tr><td style=\"color:#%06x;border-bottom:1px solid #eee\"><a href=\"https://click.example.net/t/%024x?u=%d&amp;c=3\">%s</a></td></tr>\r\n", n*7919, n, n, words[:60])
	}
	io.WriteString(qh, "</table></body></html>\r\n")
	qt.Close()
	qh.Close()
	return "--alt\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + t.String() +
		"\r\n--alt\r\nContent-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + h.String() + "\r\n--alt--\r\n"
}

func wrapBase64(raw []byte) string {
	e := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	for len(e) > 76 {
		b.WriteString(e[:76] + "\r\n")
		e = e[76:]
	}
	return b.String() + e
}

func benchMixed(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return []byte(benchHeader("Content-Type: multipart/mixed; boundary=\"mix\"") +
		"--mix\r\nContent-Type: multipart/alternative; boundary=\"alt\"\r\n\r\n" + benchAlternative(2000, 8000) +
		"--mix\r\nContent-Type: application/pdf; name=\"invoice.pdf\"\r\nContent-Disposition: attachment; filename=\"invoice.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		wrapBase64(raw) + "\r\n--mix--\r\n")
}

func benchMails() map[string][]byte {
	return map[string][]byte{
		"small": []byte(benchHeader("Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit") +
			strings.Repeat("order shipment customer support ticket update account password\r\n", 12)),
		"typical": []byte(benchHeader("Content-Type: multipart/alternative; boundary=\"alt\"") + "This is a multi-part message in MIME format.\r\n" + benchAlternative(4000, 19500)),
		"pdf500k": benchMixed(355_000),
		"big20m":  benchMixed(15_320_000),
	}
}

func BenchmarkParse(b *testing.B) {
	mails := benchMails()
	for _, name := range []string{"small", "typical", "pdf500k", "big20m"} {
		mail := mails[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(mail)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(Bytes(mail), Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("big20m-file", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "mail")
		if err := os.WriteFile(path, mails["big20m"], 0o600); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(fileSource(path), Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWriteBase64(b *testing.B) {
	m, err := Parse(Bytes(benchMails()["big20m"]), Limits{})
	if err != nil || len(m.Attachments) != 1 {
		b.Fatal(err, len(m.Attachments))
	}
	b.SetBytes(m.Attachments[0].Size)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Attachments[0].Content.WriteBase64(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
