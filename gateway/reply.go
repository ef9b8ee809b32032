package gateway

import (
	"errors"
	"strings"
	"syscall"

	"postern/gateway/directory"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// errNoSpace is what a full disk says to a write of the spool.
var errNoSpace = syscall.ENOSPC

// Replies that don't depend on anything.
var (
	replyNoRecipient   = smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Lines: []string{"No such recipient here"}}
	replyNoEndpoint    = smtp.Reply{Code: 450, Enhanced: smtp.EnhancedCode{4, 3, 0}, Lines: []string{"The recipient can't be served yet, please try again later"}}
	replyNoTerminal    = smtp.Reply{Code: 450, Enhanced: smtp.EnhancedCode{4, 2, 1}, Lines: []string{"No terminal answers for this recipient now"}}
	replyNotTaken      = smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 4, 1}, Lines: []string{"No terminal took the message"}}
	replyNoRequireTLS  = smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 7, 30}, Lines: []string{"REQUIRETLS can't be kept: the recipient's webhook is not https"}}
	replyOtherEndpoint = smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 5, 3}, Lines: []string{"This recipient goes elsewhere than the first; send it a message of its own"}}
	replyFull          = smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 3, 1}, Lines: []string{"The queue is full, please try again later"}}
	replyCantWrite     = smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 3, 0}, Lines: []string{"The message can't be stored now, please try again later"}}
	replyLocalError    = smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 3, 0}, Lines: []string{"Local error, please try again later"}}
	replyDMARC         = smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 7, 1}, Lines: []string{"The sender's domain asks to reject mail that fails DMARC"}}
)

// replyTaken is the 250 after which the message is ours.
func replyTaken(id string) smtp.Reply {
	return smtp.Reply{Code: 250, Enhanced: smtp.EnhancedCode{2, 0, 0}, Lines: []string{"Taken as " + id}}
}

// failure is the reply to a sender who keeps the mail.
func failure(o webhook.Outcome) smtp.Reply { return fromWebhook(o.SMTPReply(false)) }

// fromWebhook converts a reply that is known to be well formed.
func fromWebhook(r webhook.Reply) smtp.Reply {
	out := smtp.Reply{Code: r.Code, Enhanced: enhanced(r.Enhanced, r.Code)}
	if r.Text != "" {
		out.Lines = []string{r.Text}
	}
	return out
}

// enhanced parses "5.1.1"; anything else becomes the code's class and 0.0.
func enhanced(s string, code int) smtp.EnhancedCode {
	e := smtp.EnhancedCode{uint8(code / 100), 0, 0}
	parts := strings.SplitN(s, ".", 3)
	if len(parts) != 3 {
		return e
	}
	for i, p := range parts[1:] {
		n := 0
		for _, c := range p {
			if c < '0' || c > '9' || n > 99 {
				return smtp.EnhancedCode{uint8(code / 100), 0, 0}
			}
			n = n*10 + int(c-'0')
		}
		e[i+1] = uint8(min(n, 255))
	}
	return e
}

// storeFailure is the reply when the queue did not take a message.
func storeFailure(err error) smtp.Reply {
	if errors.Is(err, retry.ErrFull) {
		return replyFull
	}
	return replyCantWrite
}

// directoryReply is the answer to RCPT.
func directoryReply(a directory.Answer) smtp.Reply {
	r := smtp.Reply{Code: a.Code, Enhanced: a.Enhanced}
	switch {
	case a.Text != "":
		r.Lines = []string{a.Text}
	case a.Code == 251:
		r.Lines = []string{"User not local; will forward to <" + a.Address + ">"}
	case a.Code == 550:
		r.Lines = []string{"No such recipient here"}
	}
	return r
}

// lookupReply is the answer to VRFY and EXPN: a line for each mailbox.
func lookupReply(a directory.Answer, arg string) smtp.Reply {
	r := directoryReply(a)
	if len(a.Members) > 0 {
		r.Lines = r.Lines[:0]
		for _, m := range a.Members {
			r.Lines = append(r.Lines, mailbox(m.Name, m.Address))
		}
		return r
	}
	if a.Code == 250 {
		r.Lines = []string{mailbox(a.Name, a.Address)}
	}
	if a.Code == 553 {
		r.Lines = []string{"The name is ambiguous: " + printable(arg, "(none)")}
	}
	return r
}

// mailbox renders "Name <addr>" in what a reply line can hold.
func mailbox(name, address string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '<' || r == '>' {
			return -1
		}
		return r
	}, name)
	if name == "" {
		return "<" + address + ">"
	}
	return name + " <" + address + ">"
}
