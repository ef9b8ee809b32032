package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// notice is a delivery status notification (RFC 3464) about recipients who
// got a message or never will.
type notice struct {
	domain    string
	at        time.Time
	env       *mail.Envelope
	to        []mail.Recipient
	wording   wording
	last      time.Time // attempt; zero: none
	messageID string    // of the message, may be ""
	raw       mail.Source
}

// utf8 implements content.
func (n *notice) utf8() bool {
	for _, to := range n.to {
		if !text.IsASCII(shown(to)) {
			return true
		}
	}
	return !text.IsASCII(n.env.From)
}

// write implements content.
func (n *notice) write(out io.Writer, eightBit bool) error {
	w, err := message.CreateWriter(out, n.header())
	if err != nil {
		return err
	}
	returned, err := n.returned(eightBit)
	if err != nil {
		return err
	}
	own := encoding(n.utf8())
	for _, p := range []part{
		{"text/plain; charset=utf-8", own, n.words},
		{"message/" + global(n.utf8()) + "delivery-status", own, n.status},
		returned,
	} {
		if err := p.add(w); err != nil {
			return err
		}
	}
	return w.Close()
}

// part is one of a notification's.
type part struct {
	kind     string // Content-Type
	encoding string // 7bit or 8bit: nothing is changed on its way
	write    func(io.Writer) error
}

func (p part) add(to *message.Writer) error {
	var h message.Header
	h.Set("Content-Transfer-Encoding", p.encoding)
	h.Set("Content-Type", p.kind)
	w, err := to.CreatePart(h)
	if err != nil {
		return err
	}
	return errors.Join(p.write(w), w.Close())
}

func encoding(eightBit bool) string {
	if eightBit {
		return "8bit"
	}
	return "7bit"
}

// global is the prefix of the types that carry UTF-8 (RFC 6533).
func global(utf8 bool) string {
	if utf8 {
		return "global-"
	}
	return ""
}

// header is the notification's own. A field is written before those that were
// set earlier.
func (n *notice) header() message.Header {
	var h gomail.Header
	h.SetContentType("multipart/report", map[string]string{"report-type": global(n.utf8()) + "delivery-status", "boundary": "=_" + rand.Text()})
	h.Set("Auto-Submitted", "auto-replied")
	if n.messageID != "" && strings.IndexFunc(n.messageID, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) < 0 {
		h.SetMsgIDList("References", []string{n.messageID})
		h.SetMsgIDList("In-Reply-To", []string{n.messageID})
	}
	h.SetMessageID(strings.ToLower(rand.Text()) + "@" + n.domain)
	h.SetDate(n.at)
	h.SetSubject(n.wording.subject)
	h.Set("To", "<"+text.OneLine(n.env.From)+">") // as it was said: its local part may be quoted
	h.SetAddressList("From", []*gomail.Address{{Name: "Mail Delivery System", Address: "MAILER-DAEMON@" + n.domain}})
	return h.Header
}

// words is the part for people.
func (n *notice) words(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\r\n\r\nYour message of %s %s\r\n\r\n",
		n.domain, n.env.Received.Format(time.RFC1123Z), n.wording.opening)
	for _, to := range n.to {
		fmt.Fprintf(&b, "    <%s>\r\n", text.OneLine(shown(to)))
	}
	fmt.Fprintf(&b, "\r\n%s\r\n", n.wording.words)
	_, err := io.WriteString(out, b.String())
	return err
}

// status is the part for machines (RFC 3464 sections 2.2 and 2.3).
func (n *notice) status(out io.Writer) error {
	w := new(strings.Builder)
	if d := n.env.DSN; d != nil && d.EnvID != "" {
		fmt.Fprintf(w, "Original-Envelope-Id: %s\r\n", text.OneLine(d.EnvID))
	}
	fmt.Fprintf(w, "Reporting-MTA: dns; %s\r\n", n.domain)
	if n.env.Hello != "" {
		fmt.Fprintf(w, "Received-From-MTA: dns; %s\r\n", text.OneLine(n.env.Hello))
	}
	fmt.Fprintf(w, "Arrival-Date: %s\r\n\r\n", n.env.Received.Format(time.RFC1123Z))
	for _, to := range n.to {
		if to.ORcpt != "" {
			fmt.Fprintf(w, "Original-Recipient: %s\r\n", text.OneLine(to.ORcpt))
		}
		kind := "rfc822"
		if !text.IsASCII(shown(to)) {
			kind = "utf-8"
		}
		fmt.Fprintf(w, "Final-Recipient: %s; %s\r\nAction: %s\r\nStatus: %s\r\n", kind, text.OneLine(shown(to)), n.wording.action, n.wording.code)
		if !n.last.IsZero() {
			fmt.Fprintf(w, "Last-Attempt-Date: %s\r\n", n.last.Format(time.RFC1123Z))
		}
		io.WriteString(w, "\r\n")
	}
	_, err := io.WriteString(out, w.String())
	return err
}

// shown is the recipient as the sender knows it: where mail was forwarded to
// is nobody else's business (RFC 3461 section 6.3).
func shown(to mail.Recipient) string {
	if to.Original != "" {
		return to.Original
	}
	return to.Address
}
