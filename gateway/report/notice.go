package report

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

const (
	// maxReturned is the size of a message that RET=FULL returns whole; of a
	// larger one only the header is returned.
	maxReturned = 10 << 20
	// maxReturnedHeader is how much of a header is returned.
	maxReturnedHeader = 64 << 10
	// maxLine is the longest line that SMTP carries (RFC 5321 section 4.5.3.1.6).
	maxLine = 998
)

// notice is a delivery status notification (RFC 3464) about recipients who
// got a message or never will.
type notice struct {
	domain    string
	at        time.Time
	env       *mail.Envelope
	to        []mail.Recipient
	end       end
	last      time.Time // attempt; zero: none
	messageID string    // of the message, may be ""
	raw       mail.Source
}

// utf8 implements content.
func (n *notice) utf8() bool {
	for _, to := range n.to {
		if !ascii(shown(to)) {
			return true
		}
	}
	return !ascii(n.env.From)
}

// write implements content.
func (n *notice) write(out io.Writer, eightBit bool) error {
	w := bufio.NewWriter(out)
	boundary := "=_" + rand.Text()
	n.header(w, boundary)
	fmt.Fprintf(w, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", boundary, encoding(n.utf8()))
	n.words(w)
	fmt.Fprintf(w, "\r\n--%s\r\nContent-Type: message/%sdelivery-status\r\nContent-Transfer-Encoding: %s\r\n\r\n", boundary, global(n.utf8()), encoding(n.utf8()))
	n.status(w)
	fmt.Fprintf(w, "--%s\r\n", boundary)
	if err := n.returned(w, eightBit); err != nil {
		return err
	}
	fmt.Fprintf(w, "\r\n--%s--\r\n", boundary)
	return w.Flush()
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

func (n *notice) header(w io.Writer, boundary string) {
	fmt.Fprintf(w, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%s>\r\n", n.domain, oneLine(n.env.From))
	fmt.Fprintf(w, "Subject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n",
		n.end.subject, n.at.Format(time.RFC1123Z), strings.ToLower(rand.Text()), n.domain)
	if n.messageID != "" && strings.IndexFunc(n.messageID, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) < 0 {
		fmt.Fprintf(w, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", n.messageID, n.messageID)
	}
	fmt.Fprintf(w, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=%sdelivery-status;\r\n\tboundary=\"%s\"\r\n\r\n",
		global(n.utf8()), boundary)
}

// words is the part for people.
func (n *notice) words(w io.Writer) {
	fmt.Fprintf(w, "This is the mail system at %s.\r\n\r\nYour message of %s %s\r\n\r\n",
		n.domain, n.env.Received.Format(time.RFC1123Z), n.end.opening)
	for _, to := range n.to {
		fmt.Fprintf(w, "    <%s>\r\n", oneLine(shown(to)))
	}
	fmt.Fprintf(w, "\r\n%s\r\n", n.end.words)
}

// end is what became of the recipients, in words that a stranger may read:
// no name, address or answer of our own systems is in it.
type end struct {
	action  string // RFC 3464 section 2.3.3
	code    string // RFC 3463
	subject string
	opening string
	words   string
}

var success = end{"delivered", "2.0.0", "Your mail was delivered", "was delivered, as you asked to be told, to",
	"The recipient's system took it. Whether anybody read it is not known."}

// failure is the end of a dead letter.
func failure(reason string) end {
	e := end{"failed", "5.3.0", "Undelivered mail returned to sender", "could not be delivered to", "The recipient's system could not take it."}
	switch reason {
	case retry.ReasonExpired:
		e.code, e.words = "5.4.7", "The recipient's system did not take it within the time that messages are kept."
	case string(webhook.ReasonTooLarge):
		e.code, e.words = "5.3.4", "It is too large for the recipient's system."
	case string(webhook.ReasonRejected):
		e.code, e.words = "5.7.1", "The recipient's system refused it."
	case string(webhook.ReasonInsecure):
		e.code, e.words = "5.7.30", "It asked for encryption all the way (REQUIRETLS), which the recipient's system doesn't offer."
	}
	e.words += "\r\n\r\nIt will not be tried again."
	return e
}

// status is the part for machines (RFC 3464 sections 2.2 and 2.3).
func (n *notice) status(w io.Writer) {
	if d := n.env.DSN; d != nil && d.EnvID != "" {
		fmt.Fprintf(w, "Original-Envelope-Id: %s\r\n", oneLine(d.EnvID))
	}
	fmt.Fprintf(w, "Reporting-MTA: dns; %s\r\n", n.domain)
	if n.env.Hello != "" {
		fmt.Fprintf(w, "Received-From-MTA: dns; %s\r\n", oneLine(n.env.Hello))
	}
	fmt.Fprintf(w, "Arrival-Date: %s\r\n\r\n", n.env.Received.Format(time.RFC1123Z))
	for _, to := range n.to {
		if to.ORcpt != "" {
			fmt.Fprintf(w, "Original-Recipient: %s\r\n", oneLine(to.ORcpt))
		}
		kind := "rfc822"
		if !ascii(shown(to)) {
			kind = "utf-8"
		}
		fmt.Fprintf(w, "Final-Recipient: %s; %s\r\nAction: %s\r\nStatus: %s\r\n", kind, oneLine(shown(to)), n.end.action, n.end.code)
		if !n.last.IsZero() {
			fmt.Fprintf(w, "Last-Attempt-Date: %s\r\n", n.last.Format(time.RFC1123Z))
		}
		io.WriteString(w, "\r\n")
	}
}

// shown is the recipient as the sender knows it: where mail was forwarded to
// is nobody else's business (RFC 3461 section 6.3).
func shown(to mail.Recipient) string {
	if to.Original != "" {
		return to.Original
	}
	return to.Address
}

// returned is the message, whole where RET=FULL asks for it and it can travel
// as it is, else its header.
func (n *notice) returned(w *bufio.Writer, eightBit bool) error {
	if n.whole() {
		high, fits, err := travels(n.raw)
		if err != nil {
			return err
		}
		if fits && (!high || eightBit) {
			fmt.Fprintf(w, "Content-Type: message/%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", map[bool]string{false: "rfc822", true: "global"}[n.env.UTF8], encoding(high))
			return copySource(w, n.raw)
		}
	}
	head, err := headerOf(n.raw)
	if err != nil {
		return err
	}
	high := !ascii(string(head))
	if high && !eightBit {
		head, high = bytes.Map(func(r rune) rune {
			if r > 126 {
				return '?'
			}
			return r
		}, head), false
	}
	kind := "text/rfc822-headers"
	if high && n.utf8() {
		kind = "message/global-headers"
	}
	fmt.Fprintf(w, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", kind, encoding(high))
	_, err = w.Write(head)
	return err
}

// whole reports whether the whole message may be returned: RET speaks of
// failures only (RFC 3461 section 4.3), and what asked for encryption all the
// way doesn't go back without it.
func (n *notice) whole() bool {
	return n.env.DSN != nil && strings.EqualFold(n.env.DSN.Ret, "FULL") && n.end != success && !n.env.RequireTLS && n.raw.Size() <= maxReturned
}

func copySource(w io.Writer, src mail.Source) error {
	r, err := src.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// travels reads a message and says whether it has octets above 127, and
// whether SMTP carries it unchanged: CRLF alone ends lines, no line is too
// long, no NUL.
func travels(src mail.Source) (high, fits bool, err error) {
	r, err := src.Open()
	if err != nil {
		return false, false, err
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, 64<<10)
	line, last := 0, byte('\n')
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return high, last != '\r', nil
		}
		if err != nil {
			return high, false, err
		}
		switch {
		case b == 0, (b == '\n') != (last == '\r') && (b == '\n' || last == '\r'), line > maxLine:
			return high, false, nil
		case b == '\n':
			line = 0
		case b != '\r':
			line++
			high = high || b > 127
		}
		last = b
	}
}

// headerOf is the message's header without the empty line after it; lines too
// long for SMTP and what lies beyond the limit are left out.
func headerOf(src mail.Source) ([]byte, error) {
	r, err := src.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxReturnedHeader))
	if err != nil {
		return nil, err
	}
	var out []byte
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) <= maxLine {
			out = append(append(out, bytes.Map(visible, line)...), "\r\n"...)
		}
	}
	return out, nil
}

func visible(r rune) rune {
	if r == '\r' || r == 0 {
		return -1
	}
	return r
}

// oneLine keeps what a client said inside its field.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] > 126 {
			return false
		}
	}
	return true
}
