package retry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"strings"
	"time"
)

// Report is a delivery status notification (RFC 3464) to be: what the sender
// of a mail is told when it became a dead letter.
type Report struct {
	Host       string // ours: Reporting-MTA, and the domain of From
	To         string // the original reverse-path, never empty
	Date       time.Time
	MessageID  string // of the report, without angle brackets
	Received   time.Time
	EnvelopeID string // ENVID as the sender gave it, "" none
	Recipients []ReportRecipient
	// Original is the mail, or its head alone; Full returns all of it
	// (RET=FULL), else its header.
	Original []byte
	Full     bool
}

// ReportRecipient is one recipient's part of a report.
type ReportRecipient struct {
	Address  string
	Original string // ORCPT as given: "rfc822;x@y", "" none
	Action   string // failed, delayed, delivered, relayed, expanded; "" is failed
	Status   string // RFC 3463, "5.4.7"
	Text     string // why, for people and as Diagnostic-Code
	Last     time.Time
}

// MayReport says whether a report may be sent at all: only to a sender that
// authentication has confirmed, never for bounces and automatic mail
// (RFC 3834, section 2), and never against the sender's NOTIFY=NEVER.
func MayReport(reversePath string, verified, automatic, notifyNever bool) bool {
	return reversePath != "" && verified && !automatic && !notifyNever
}

// StatusOf is the enhanced status code for a dead letter's reason.
func StatusOf(reason string) string {
	switch reason {
	case ReasonExpired:
		return "5.4.7" // delivery time expired
	case "rejected":
		return "5.7.1"
	case "too_large":
		return "5.3.4"
	default:
		return "5.0.0"
	}
}

// Bytes is the report as a message. Send it with an empty reverse-path.
func (r Report) Bytes() []byte {
	utf8 := r.international()
	status, headers := "message/delivery-status", "text/rfc822-headers"
	if r.Full {
		headers = "message/rfc822"
	}
	if utf8 {
		status, headers = "message/global-delivery-status", "message/global-headers"
		if r.Full {
			headers = "message/global"
		}
	}
	parts := []struct {
		kind string
		text []byte
	}{
		{"text/plain; charset=utf-8", r.text()},
		{status, r.fields(utf8)},
		{headers, r.original()},
	}
	boundary := r.boundary()
	var b bytes.Buffer
	r.header(&b, boundary)
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n", boundary, p.kind)
		if !ascii(p.text) {
			b.WriteString("Content-Transfer-Encoding: 8bit\r\n")
		}
		b.WriteString("\r\n")
		b.Write(p.text)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

func (r Report) header(b *bytes.Buffer, boundary string) {
	fmt.Fprintf(b, "From: \"Mail Delivery System\" <MAILER-DAEMON@%s>\r\n", line(r.Host))
	fmt.Fprintf(b, "To: <%s>\r\n", line(r.To))
	fmt.Fprintf(b, "Subject: %s\r\n", mime.QEncoding.Encode("utf-8", r.subject()))
	fmt.Fprintf(b, "Date: %s\r\n", r.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	fmt.Fprintf(b, "Message-ID: <%s>\r\n", line(r.MessageID))
	b.WriteString("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n")
	fmt.Fprintf(b, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n\r\n", boundary)
}

func (r Report) subject() string {
	for _, c := range r.Recipients {
		if c.action() != "failed" {
			return "Delivery status of your mail"
		}
	}
	return "Your mail could not be delivered"
}

// text is the part for people.
func (r Report) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "This is the mail system at %s.\r\n\r\nYour mail of %s, status for each recipient:\r\n", line(r.Host), r.Received.Format(time.RFC1123Z))
	for _, c := range r.Recipients {
		fmt.Fprintf(&b, "\r\n  <%s>: %s (%s)\r\n", line(c.Address), c.action(), line(c.Status))
		if c.Text != "" {
			fmt.Fprintf(&b, "  %s\r\n", line(c.Text))
		}
	}
	return b.Bytes()
}

// fields is the part for programs: RFC 3464, section 2.
func (r Report) fields(utf8 bool) []byte {
	var b bytes.Buffer
	if r.EnvelopeID != "" {
		fmt.Fprintf(&b, "Original-Envelope-Id: %s\r\n", line(r.EnvelopeID))
	}
	fmt.Fprintf(&b, "Reporting-MTA: dns; %s\r\n", line(r.Host))
	fmt.Fprintf(&b, "Arrival-Date: %s\r\n", r.Received.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	for _, c := range r.Recipients {
		b.WriteString("\r\n")
		if c.Original != "" {
			fmt.Fprintf(&b, "Original-Recipient: %s\r\n", line(c.Original))
		}
		kind := "rfc822"
		if utf8 && !ascii([]byte(c.Address)) {
			kind = "utf-8" // RFC 6533, section 3
		}
		fmt.Fprintf(&b, "Final-Recipient: %s; %s\r\n", kind, line(c.Address))
		fmt.Fprintf(&b, "Action: %s\r\nStatus: %s\r\n", c.action(), line(c.Status))
		if c.Text != "" {
			fmt.Fprintf(&b, "Diagnostic-Code: x-postern; %s\r\n", plain(c.Text))
		}
		if !c.Last.IsZero() {
			fmt.Fprintf(&b, "Last-Attempt-Date: %s\r\n", c.Last.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
		}
	}
	return b.Bytes()
}

// original is what of the mail goes back.
func (r Report) original() []byte {
	if r.Full {
		return r.Original
	}
	head := r.Original
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(head, []byte(end)); i >= 0 {
			head = head[:i+len(end)/2]
		}
	}
	return head
}

// boundary doesn't occur in the original, and is the same for the same report.
func (r Report) boundary() string {
	sum := sha256.Sum256(append([]byte(r.MessageID), r.Original...))
	for {
		b := "report-" + hex.EncodeToString(sum[:16])
		if !bytes.Contains(r.Original, []byte("--"+b)) {
			return b
		}
		sum = sha256.Sum256(sum[:])
	}
}

func (r Report) international() bool {
	if !ascii([]byte(r.To)) {
		return true
	}
	for _, c := range r.Recipients {
		if !ascii([]byte(c.Address)) {
			return true
		}
	}
	return false
}

func (c ReportRecipient) action() string {
	if c.Action == "" {
		return "failed"
	}
	return c.Action
}

// line keeps a value on its line.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}

// plain is a line in ASCII.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c > 0x7e {
			return '?'
		}
		return c
	}, line(s))
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
