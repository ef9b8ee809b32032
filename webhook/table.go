package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"postern/gateway/smtp/reply"
)

// standard is the reply for an outcome that can't wait in the queue, where the
// webhook didn't ask for one.
var standard = map[Reason]reply.Reply{
	ReasonDelivered:     reply.New(250, reply.Enhanced{2, 0, 0}, "Delivered"),
	ReasonRejected:      reply.New(554, reply.Enhanced{5, 7, 1}, "Message rejected"),
	ReasonTooLarge:      reply.New(552, reply.Enhanced{5, 3, 4}, "Message too large"),
	ReasonBusy:          reply.New(452, reply.Enhanced{4, 3, 1}, "Receiver busy, try again later"),
	ReasonMisconfigured: reply.New(451, reply.Enhanced{4, 3, 5}, "Receiver misconfigured, try again later"),
	ReasonUnavailable:   reply.New(451, reply.Enhanced{4, 3, 0}, "Receiver unavailable, try again later"),
	ReasonAsked:         reply.New(451, reply.Enhanced{4, 3, 0}, "Receiver asked to try again later"),
	ReasonEarly:         reply.New(451, reply.Enhanced{4, 4, 1}, "Receiver answered too early, try again later"),
	ReasonTimeout:       reply.New(451, reply.Enhanced{4, 4, 2}, "Receiver timed out, try again later"),
	ReasonConnect:       reply.New(451, reply.Enhanced{4, 4, 1}, "Receiver unreachable, try again later"),
	ReasonDNS:           reply.New(451, reply.Enhanced{4, 4, 3}, "Receiver's name not resolved, try again later"),
	ReasonTLS:           reply.New(451, reply.Enhanced{4, 7, 5}, "TLS with the receiver failed, try again later"),
	ReasonBreaker:       reply.New(451, reply.Enhanced{4, 4, 1}, "Receiver failing, try again later"),
	ReasonNoSlot:        reply.New(451, reply.Enhanced{4, 4, 5}, "Receiver busy with other mail, try again later"),
	ReasonMemory:        reply.New(452, reply.Enhanced{4, 3, 1}, "No memory for the message now, try again later"),
	ReasonPaused:        reply.New(451, reply.Enhanced{4, 3, 2}, "Receiver paused, try again later"),
	ReasonRender:        reply.New(451, reply.Enhanced{4, 3, 0}, "Local error, try again later"),
	ReasonInsecure:      reply.New(550, reply.Enhanced{5, 7, 30}, "REQUIRETLS support required"),
	ReasonSender:        reply.New(550, reply.Enhanced{5, 7, 1}, "Sender refused"),
	ReasonUnsure:        reply.New(451, reply.Enhanced{4, 7, 0}, "Sender can't be verified now, try again later"),
}

// Reasons is the closed set of reasons, in a stable order: a metric has a
// series for each from the start.
func Reasons() []Reason {
	list := make([]Reason, 0, len(standard))
	for r := range standard {
		list = append(list, r)
	}
	slices.Sort(list)
	return list
}

// queuedReply is the answer for mail that waits in our queue.
var queuedReply = reply.New(250, reply.Enhanced{2, 0, 0}, "Queued")

// SMTPReply is the answer to the waiting sender where nothing goes to our queue,
// because there is none or the endpoint has DEFER=false: the sender keeps what is
// deferred, or gets it back where it is too large. What the webhook asked for
// wins, an explicit 4xx too. The text is never empty.
func (o Outcome) SMTPReply() reply.Reply {
	r, known := standard[o.Reason]
	if !known || byCode(r.Code) != o.Result && o.Reason != ReasonTooLarge {
		r = fallback(o.Result)
	}
	if o.Reply == nil {
		return r
	}
	text := r.Lines
	r = *o.Reply
	if len(r.Lines) == 0 {
		r.Lines = text
	}
	if r.Enhanced.Zero() {
		r.Enhanced = reply.Standard(r.Code).Enhanced
	}
	return r
}

// SMTPReplyQueued is SMTPReply where what is deferred goes to our queue, unless the
// webhook asked for a 4xx.
func (o Outcome) SMTPReplyQueued() reply.Reply {
	if o.Result == Deferred && o.Reply == nil {
		return queuedReply
	}
	return o.SMTPReply()
}

func byCode(code int) Result {
	result, _ := ByReply(code)
	return result
}

// fallback is the reply where reason and result don't go together.
func fallback(r Result) reply.Reply {
	switch r {
	case Delivered:
		return standard[ReasonDelivered]
	case Rejected:
		return standard[ReasonRejected]
	default:
		return standard[ReasonUnavailable]
	}
}

// Row is a line of the table of answers, as postern explain prints it.
type Row struct {
	Answer  string // "503", "timeout"
	Reason  Reason
	Waiting string // the reply while the sender waits, with a queue
	NoQueue string // the reply without a queue
	Queued  string // what happens to mail that is queued already
	Note    string // what it says about the webhook; may be ""
}

// errorWords are the faults that have no status.
var errorWords = []struct {
	word   string
	reason Reason
	note   string
}{
	{"timeout", ReasonTimeout, "no answer within TIMEOUT, or the upload stalled for 10 s"},
	{"refused", ReasonConnect, "nothing listens at the URL's port"},
	{"reset", ReasonConnect, "the connection broke before an answer"},
	{"dns", ReasonDNS, "the URL's host name doesn't resolve"},
	{"tls", ReasonTLS, "the handshake failed: check the certificate, CA_FILE, CERT_FILE"},
	{"breaker", ReasonBreaker, "the endpoint kept failing and isn't asked for a while"},
	{"early", ReasonEarly, "a 2xx came before the message was sent whole: what the webhook has of it is unknown"},
	{"no-slot", ReasonNoSlot, "CONCURRENCY POSTs were under way for the whole time"},
	{"memory", ReasonMemory, "no memory for the message came free in time"},
	{"paused", ReasonPaused, "the operator paused the endpoint"},
}

// Table lists the answers that differ: every status with a name of its own and
// every fault.
func Table() []Row {
	var rows []Row
	for _, s := range []string{"200", "301", "401", "404", "406", "408", "413", "422", "425", "429", "500", "503", "507"} {
		r, _ := Explain(s, Statuses{})
		rows = append(rows, r)
	}
	for _, w := range errorWords {
		r, _ := Explain(w.word, Statuses{})
		rows = append(rows, r)
	}
	q, _ := Explain("queue-full", Statuses{})
	w, _ := Explain("queue-broken", Statuses{})
	return append(rows, q, w)
}

// Explain is the table's row for a status ("503") or a fault ("timeout"), with
// the endpoint's own rejecting statuses.
func Explain(answer string, rejects Statuses) (Row, error) {
	answer = strings.ToLower(strings.TrimSpace(answer))
	switch answer {
	case "queue-full":
		return Row{Answer: answer, Waiting: "452 4.3.1", NoQueue: "-", Queued: "-", Note: "the sender keeps the mail"}, nil
	case "queue-broken":
		return Row{Answer: answer, Waiting: "451 4.3.0", NoQueue: "-", Queued: "-", Note: "the queue can't write; the sender keeps the mail"}, nil
	}
	for _, w := range errorWords {
		if w.word == answer {
			return row(answer, Outcome{Result: Deferred, Reason: w.reason}, w.note), nil
		}
	}
	status, err := strconv.Atoi(answer)
	if err != nil || status < 100 || status > 599 {
		return Row{}, explainError(answer)
	}
	o := Classify(Answer{Status: status}, rejects)
	return row(statusText(status), o, note(o)), nil
}

func explainError(answer string) error {
	words := make([]string, len(errorWords), len(errorWords)+2)
	for i, w := range errorWords {
		words[i] = w.word
	}
	words = append(words, "queue-full", "queue-broken")
	return fmt.Errorf("%q is no answer: give a status from 100 to 599, or one of %s", answer, strings.Join(words, ", "))
}

func row(answer string, o Outcome, note string) Row {
	r := Row{Answer: answer, Reason: o.Reason, Note: note}
	r.Waiting, r.NoQueue = codes(o.SMTPReplyQueued()), codes(o.SMTPReply())
	switch o.Result {
	case Delivered:
		r.Queued = "done"
	case Rejected:
		r.Queued = "dead letter"
	default:
		r.Queued = "retry"
		if o.Reason == ReasonBusy {
			r.Queued = "after Retry-After"
		}
		r.Waiting = "queued, " + strings.TrimSuffix(r.Waiting, " 2.0.0")
	}
	if o.Reason == ReasonTooLarge {
		r.Queued = "once more by url, else " + r.Queued
		r.Waiting = "once more by url, else " + r.Waiting
		r.NoQueue = "once more by url, else " + r.NoQueue
	}
	return r
}

func codes(r reply.Reply) string { return strconv.Itoa(r.Code) + " " + r.Enhanced.String() }

func note(o Outcome) string {
	switch o.Reason {
	case ReasonMisconfigured, ReasonTooLarge:
		return "counted and logged as a configuration fault" + hint(Answer{Status: o.Status}, o.Reason)
	case ReasonRejected:
		return "the webhook will never take this mail"
	case ReasonBusy:
		return "Retry-After is obeyed up to 6 h"
	}
	return ""
}
