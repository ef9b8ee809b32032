package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// Mails that cost a reader more than they cost their sender.

func head(contentType string) string {
	return "From: a@client.test\r\nTo: b@slow.test\r\nSubject: pressure\r\nMIME-Version: 1.0\r\nContent-Type: " + contentType + "\r\n"
}

// lines fills size octets with a line, which must end with CRLF.
func lines(line string, size int) []byte { return bytes.Repeat([]byte(line), max(1, size/len(line))) }

// plainText is a text of short lines.
func plainText(size int) []byte {
	return append([]byte(head("text/plain; charset=utf-8")+"\r\n"), lines("Forty characters of text, to be read on.\r\n", size)...)
}

// codedText is a text in base64, of letters that take two octets in UTF-8.
func codedText(size int) []byte {
	raw := bytes.Repeat([]byte("\xe4\xf6\xfc \xc4\xd6\xdc > \r\n"), size*3/4/12)
	return append([]byte(head("text/plain; charset=iso-8859-1")+"Content-Transfer-Encoding: base64\r\n\r\n"), wrapped(raw)...)
}

// wrapped is base64 in lines of 76.
func wrapped(raw []byte) []byte {
	coded := base64.StdEncoding.EncodeToString(raw)
	var out bytes.Buffer
	out.Grow(len(coded) + len(coded)/38 + 2)
	for len(coded) > 76 {
		out.WriteString(coded[:76] + "\r\n")
		coded = coded[76:]
	}
	out.WriteString(coded + "\r\n")
	return out.Bytes()
}

// htmlOnly is HTML of which a text has to be made.
func htmlOnly(size int) []byte {
	return append([]byte(head("text/html; charset=utf-8")+"\r\n"),
		lines("<div><p style=\"color:red\">&auml;&lt;b&gt; <a href=\"https://example.com/\">link</a></p></div>\r\n", size)...)
}

// quoted is a text of quotes and attributions.
func quoted(size int) []byte {
	return append([]byte(head("text/plain")+"\r\n"), lines("> On Mon, 1 Jan 2024 at 10:00, A <a@b.c> wrote:\r\n>> x\r\n\r\n", size)...)
}

// tinyFiles has n attachments of three octets.
func tinyFiles(n int) []byte {
	var b strings.Builder
	b.WriteString(head("multipart/mixed; boundary=b") + "\r\n")
	for i := range n {
		fmt.Fprintf(&b, "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=f%d\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n", i)
	}
	b.WriteString("--b--\r\n")
	return []byte(b.String())
}

// manyTexts has n parts of text that are joined.
func manyTexts(n, size int) []byte {
	var b strings.Builder
	b.WriteString(head("multipart/mixed; boundary=b") + "\r\n")
	part := string(lines("word word word word word\r\n", size))
	for range n {
		b.WriteString("--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n" + part)
	}
	b.WriteString("--b--\r\n")
	return []byte(b.String())
}

// nested is multiparts in multiparts.
func nested(depth, size int) []byte {
	var b strings.Builder
	b.WriteString(head("multipart/mixed; boundary=b0") + "\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i+1)
	}
	fmt.Fprintf(&b, "--b%d\r\n\r\n", depth)
	b.Write(lines("--b\r\n", size))
	return []byte(b.String())
}

// longHeader has a header of n fields.
func longHeader(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-Field-%d: =?utf-8?q?=C3=A4=C3=B6?= =?iso-8859-1?q?=E4?= and words\r\n", i)
	}
	return []byte(b.String() + head("text/plain") + "\r\nshort\r\n")
}

// dotted is lines that begin with a dot.
func dotted(size int) []byte {
	return append([]byte(head("text/plain")+"\r\n"), lines("..\r\n", size)...)
}

// worst is the mix that the flood sends, in turn.
func worst() [][]byte {
	const mb = 1 << 20
	return [][]byte{
		codedText(10 * mb), tinyFiles(1000), plainText(2 * mb), htmlOnly(2 * mb), manyTexts(200, 8<<10), longHeader(2000),
		dotted(mb), nested(60, mb/2), quoted(mb), tinyFiles(1000), htmlOnly(512 << 10), codedText(mb),
		plainText(10 * mb), longHeader(10_000), manyTexts(900, 1<<10), tinyFiles(300), htmlOnly(8 * mb), quoted(256 << 10), nested(40, 64<<10), codedText(300 << 10),
	}
}
