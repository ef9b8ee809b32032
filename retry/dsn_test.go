package retry

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

func report() Report {
	return Report{Host: "mx.in.example", To: "ann@sender.example", Date: start, MessageID: "r1@mx.in.example", Received: start.Add(-72 * time.Hour),
		EnvelopeID: "QQ314159", Original: []byte("From: ann@sender.example\r\nSubject: hello\r\n\r\nsecret body\r\n"),
		Recipients: []ReportRecipient{{Address: "sales@in.example", Original: "rfc822;sales@in.example", Status: StatusOf(ReasonExpired),
			Text: "no answer for 72 h\r\nX-Injected: yes", Last: start}}}
}

// parts reads a report as a mail program does.
func parts(t *testing.T, data []byte) (mail.Header, []string, [][]byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("Content-Type %q: %v", m.Header.Get("Content-Type"), err)
	}
	var kinds []string
	var bodies [][]byte
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return m.Header, kinds, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kinds, bodies = append(kinds, p.Header.Get("Content-Type")), append(bodies, body)
	}
}

func TestReport(t *testing.T) {
	h, kinds, bodies := parts(t, report().Bytes())
	if h.Get("Auto-Submitted") != "auto-replied" || h.Get("To") != "<ann@sender.example>" {
		t.Errorf("header %v", h)
	}
	if len(kinds) != 3 || kinds[1] != "message/delivery-status" || kinds[2] != "text/rfc822-headers" {
		t.Fatalf("parts %v", kinds)
	}
	fields := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(bodies[1], "\r\n"...))))
	mta, err := fields.ReadMIMEHeader()
	if err != nil || mta.Get("Reporting-MTA") != "dns; mx.in.example" || mta.Get("Original-Envelope-Id") != "QQ314159" {
		t.Errorf("per message: %v, %v", mta, err)
	}
	rcpt, err := fields.ReadMIMEHeader()
	if err != nil || rcpt.Get("Final-Recipient") != "rfc822; sales@in.example" || rcpt.Get("Action") != "failed" || rcpt.Get("Status") != "5.4.7" ||
		rcpt.Get("Original-Recipient") != "rfc822;sales@in.example" || rcpt.Get("X-Injected") != "" {
		t.Errorf("per recipient: %v, %v", rcpt, err)
	}
	if bytes.Contains(bodies[2], []byte("secret")) || !bytes.Contains(bodies[2], []byte("Subject: hello")) {
		t.Errorf("returned %q", bodies[2])
	}
}

func TestReportReturnsAllOfAMailThatHoldsItsBoundary(t *testing.T) {
	r := report()
	r.Full = true
	first := r.boundary()
	r.Original = append(r.Original, "--"+first+"\r\n"...)
	_, kinds, bodies := parts(t, r.Bytes())
	if len(kinds) != 3 || kinds[2] != "message/rfc822" || !bytes.Equal(bodies[2], r.Original) {
		t.Errorf("parts %v, returned %q", kinds, bodies[2])
	}
}

func TestReportInternational(t *testing.T) {
	r := report()
	r.Recipients[0].Address = "продажи@in.example"
	_, kinds, bodies := parts(t, r.Bytes())
	if kinds[1] != "message/global-delivery-status" || !strings.Contains(string(bodies[1]), "utf-8; продажи@in.example") {
		t.Errorf("%v: %s", kinds, bodies[1])
	}
}

func TestMayReport(t *testing.T) {
	for i := range 16 {
		from, verified, automatic, never := "", i&2 != 0, i&4 != 0, i&8 != 0
		if i&1 != 0 {
			from = "a@b"
		}
		if got, want := MayReport(from, verified, automatic, never), i == 3; got != want {
			t.Errorf("MayReport(%q, %v, %v, %v) = %v", from, verified, automatic, never, got)
		}
	}
}
