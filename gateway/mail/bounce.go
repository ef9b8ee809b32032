package mail

import (
	"strings"

	"postern/gateway/text"
)

// Bounces before RFC 3464, and of who never read it: a text that names an
// address and what was said, then the returned mail or its header.
//
//	qmail     "Hi. This is the qmail-send program at …", "<ann@x.org>:", the words,
//	          "--- Below this line is a copy of the message."
//	Exim      X-Failed-Recipients, "  ann@x.org", the words indented,
//	          "------ This is a copy of the message, including all the headers. ------"
//	others    an address on a line of its own or before a colon, an SMTP reply

// bounceLines bounds how much of a bounce's text is looked at.
const bounceLines = 200

// plainBounce reads a bounce that is no multipart/report; nil when it is none.
func (p *parser) plainBounce(r *Report) *Report {
	m := p.msg
	failed := m.header("X-Failed-Recipients")
	if m.Automatic != Bounce && failed == "" {
		return nil
	}
	r.Type = DeliveryStatus
	body := m.Text
	if words, returned := returnedMail(body); returned != "" {
		if r.Headers == nil {
			p.original(r, []byte(strings.TrimLeft(text.Clip(returned, reportPart), "\n ")))
		}
		body = words
	}
	for i := range m.Attachments {
		if a := &m.Attachments[i]; r.Headers == nil && a.ContentType == "message/rfc822" {
			p.original(r, p.partOf(a, reportPart))
		}
	}
	for a := range strings.SplitSeq(failed, ",") {
		if a = strings.Trim(a, " <>"); strings.Contains(a, "@") && len(r.Recipients) < reportRecipients {
			r.Recipients = append(r.Recipients, ReportedRecipient{Address: a})
		}
	}
	r.readWords(body)
	action := "failed"
	if s := strings.ToLower(m.Subject); strings.Contains(s, "delay") || strings.Contains(s, "warning: could not send") {
		action = "delayed"
	}
	for i := range r.Recipients {
		r.Recipients[i].Action = action
	}
	return r
}

// returnedMail cuts a bounce's text at the line that says that the returned mail
// follows; it is "" where the text doesn't hold it.
func returnedMail(s string) (words, returned string) {
	at := 0
	for line := range strings.Lines(text.Clip(s, reportPart)) {
		l := strings.ToLower(line)
		for _, w := range []string{"below this line is a copy of the message", "this is a copy of the message, including all the headers", "this is a copy of your message, including all the headers", "this is a copy of the headers",
			"original message follows", "returned message below", "unsent message below", "unsent message follows", "the following is a copy of the message", "------ copy of your message", "--- original message ---", "--- message header follows"} {
			if strings.Contains(l, w) {
				return s[:at], s[at+len(line):]
			}
		}
		at += len(line)
	}
	return s, ""
}

// readWords finds the addresses that failed and what was said of each: a line
// that is an address, then the words below it.
func (r *Report) readWords(s string) {
	var current *ReportedRecipient
	n := 0
	for line := range strings.Lines(s) {
		if n++; n > bounceLines {
			break
		}
		line = strings.TrimSpace(line)
		if a, rest, ok := failedAddress(line); ok {
			current = r.recipient(a)
			line = rest
		}
		if current == nil || line == "" {
			continue
		}
		if len(current.Diagnostic)+len(line) < reportText {
			current.Diagnostic = strings.TrimSpace(current.Diagnostic + " " + line)
		}
		if current.Status == "" {
			current.Status = statusCode(line)
		}
		if current.RemoteMTA == "" {
			current.RemoteMTA = remoteOf(line)
		}
	}
}

// recipient finds or adds a recipient.
func (r *Report) recipient(address string) *ReportedRecipient {
	for i := range r.Recipients {
		if strings.EqualFold(r.Recipients[i].Address, address) {
			return &r.Recipients[i]
		}
	}
	if len(r.Recipients) >= reportRecipients {
		return nil
	}
	r.Recipients = append(r.Recipients, ReportedRecipient{Address: address})
	return &r.Recipients[len(r.Recipients)-1]
}

// failedAddress reads a line that is an address, or begins with one and a colon.
func failedAddress(line string) (address, rest string, ok bool) {
	word, rest, _ := strings.Cut(line, " ")
	if colon := strings.HasSuffix(word, ":"); !colon && rest != "" && !strings.HasPrefix(rest, "(") {
		return "", "", false
	}
	word = strings.Trim(word, "<>:,;")
	local, domain, found := strings.Cut(word, "@")
	if !found || local == "" || !strings.Contains(domain, ".") || strings.ContainsAny(word, "()/=\"'<>") {
		return "", "", false
	}
	return word, strings.TrimSpace(rest), true
}

// remoteOf finds who said it: "host mx.x.org [192.0.2.1]", "192.0.2.1 does not like recipient."
func remoteOf(line string) string {
	l := strings.ToLower(line)
	for _, before := range []string{"host ", "remote server ", "from remote mail server "} {
		if _, after, ok := strings.Cut(l, before); ok {
			host, _, _ := strings.Cut(strings.TrimSpace(after), " ")
			if host = strings.Trim(host, "[]():,;."); strings.Contains(host, ".") {
				return host
			}
		}
	}
	if host, _, ok := strings.Cut(l, " does not like recipient"); ok {
		return host
	}
	return ""
}
