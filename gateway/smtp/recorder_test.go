package smtp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// recorder is the Handler of the tests: local parts say what it answers, and
// it keeps what it was given.
type recorder struct {
	mu       sync.Mutex
	messages []message
	shelf    *shelf // nil: nothing to collect
	aborted  int
	opened   int
	gone     []bool   // of each message that was answered
	ended    []string // each transaction and refusal, in short
	helloOK  reply.Reply
	onData   func() (smtp.Sink, reply.Reply) // nil: a memory sink
	onMsg    func(ctx context.Context) []reply.Reply
}

type message struct {
	verb, from string
	to         []string
	body       string
	t          smtp.Transaction
	rcpts      []smtp.Recipient
}

// memory is a Sink that keeps what it gets.
type memory struct {
	bytes.Buffer
	r    *recorder
	fail error
}

func (m *memory) Write(p []byte) (int, error) {
	if m.fail != nil {
		return 0, m.fail
	}
	return m.Buffer.Write(p)
}

func (m *memory) Abort() {
	m.r.mu.Lock()
	m.r.aborted++
	m.r.mu.Unlock()
}

func (r *recorder) Connect(context.Context, *smtp.Client) reply.Reply { return r.helloOK }

func (r *recorder) Mail(_ context.Context, t *smtp.Transaction) reply.Reply {
	if t.From.Local == "spammer" {
		return reply.New(550, reply.Enhanced{5, 7, 1}, "Not you")
	}
	return reply.Reply{}
}

var byLocal = map[string]reply.Reply{
	"bad":       reply.New(550, reply.Enhanced{5, 1, 1}, "No such user"),
	"moved":     reply.New(251, reply.Enhanced{2, 1, 5}, "User not local; will forward to <there@other.example>"),
	"gone":      reply.New(551, reply.Enhanced{5, 1, 6}, "User not local; please try <there@other.example>"),
	"ambiguous": reply.New(553, reply.Enhanced{5, 1, 4}, "Ambiguous"),
	"full":      reply.New(552, reply.Enhanced{5, 2, 2}, "Mailbox full"),
	"later":     reply.New(450, reply.Enhanced{4, 3, 0}, "Directory unavailable"),
	"odd":       {Code: 354},
	"shut":      {Code: 421, Enhanced: reply.Enhanced{4, 3, 2}},
}

func (r *recorder) Rcpt(_ context.Context, _ *smtp.Transaction, rcpt *smtp.Recipient) reply.Reply {
	if rcpt.Address.Local == "panic" {
		panic("the handler's own fault")
	}
	return byLocal[rcpt.Address.Local]
}

func (r *recorder) Data(_ context.Context, t *smtp.Transaction) (smtp.Sink, reply.Reply) {
	r.mu.Lock()
	r.opened++
	r.mu.Unlock()
	if r.onData != nil {
		return r.onData()
	}
	m := &memory{r: r}
	switch t.From.Local {
	case "nospace":
		m.fail = smtp.ErrSinkFull
	case "ioerror":
		m.fail = errors.New("input/output error")
	case "nosink":
		return nil, reply.New(452, reply.Enhanced{4, 3, 1}, "Spool is full")
	}
	return m, reply.Reply{}
}

var byMessage = map[string]reply.Reply{
	"reject":  reply.New(554, reply.Enhanced{5, 7, 1}, "Rejected"),
	"defer":   reply.New(451, reply.Enhanced{4, 3, 0}, "Not now"),
	"busy":    reply.New(452, reply.Enhanced{4, 3, 1}, "Queue is full"),
	"toolong": reply.New(552, reply.Enhanced{5, 3, 4}, "The app says too large"),
	"utf8":    reply.New(550, reply.Enhanced{}, "nö\r\n250 injected"),
	"silent":  {},
}

func (r *recorder) Message(ctx context.Context, t *smtp.Transaction, s smtp.Sink) []reply.Reply {
	r.mu.Lock()
	m := message{verb: t.Verb, from: t.From.String(), t: *t}
	if sink, ok := s.(*memory); ok {
		m.body = sink.String()
	}
	replies := make([]reply.Reply, 0, len(t.Recipients))
	for _, rcpt := range t.Recipients {
		m.to = append(m.to, rcpt.Address.String())
		m.rcpts = append(m.rcpts, *rcpt)
		answer, ok := byMessage[rcpt.Address.Local]
		if !ok {
			answer = reply.New(250, reply.Enhanced{2, 0, 0}, "Taken")
		}
		replies = append(replies, answer)
	}
	r.messages = append(r.messages, m)
	r.mu.Unlock()
	if r.onMsg != nil {
		return r.onMsg(ctx)
	}
	return replies
}

// Ended notes a transaction as "to:code-code … => code code gone".
func (r *recorder) Ended(t *smtp.Transaction, replies []reply.Reply, gone bool) {
	var b strings.Builder
	for _, to := range t.Recipients {
		b.WriteString(to.Address.String() + " ")
	}
	for _, no := range t.Refusals {
		fmt.Fprintf(&b, "%s:%d ", no.Address, no.Reply.Code)
	}
	b.WriteString("=>")
	for _, reply := range replies {
		fmt.Fprintf(&b, " %d", reply.Code)
	}
	if gone {
		b.WriteString(" gone")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, b.String())
	if replies != nil {
		r.gone = append(r.gone, gone)
	}
}

// Refused notes "verb argument: code".
func (r *recorder) Refused(_ *smtp.Client, verb, argument string, answer reply.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, fmt.Sprintf("%s %s: %d", verb, argument, answer.Code))
}

func (r *recorder) Verify(_ context.Context, _ *smtp.Client, arg string) reply.Reply {
	local, _, _ := strings.Cut(strings.Trim(arg, "<>"), "@")
	if local == "smith" {
		return reply.Reply{Code: 553, Enhanced: reply.Enhanced{5, 1, 4}, Lines: []string{"Ambiguous; one of", "John Smith <john@here.example>", "Jane Smith <jane@here.example>"}}
	}
	if local == "unsure" {
		return reply.Reply{}
	}
	if answer, ok := byLocal[local]; ok {
		return answer
	}
	return reply.New(250, reply.Enhanced{2, 1, 5}, "Somebody <"+strings.Trim(arg, "<>")+">")
}

func (r *recorder) Expand(_ context.Context, _ *smtp.Client, arg string) reply.Reply {
	if arg == "staff" {
		return reply.Reply{Code: 250, Enhanced: reply.Enhanced{2, 1, 5}, Lines: []string{"Ann <ann@here.example>", "Bob <bob@here.example>"}}
	}
	return byLocal[arg]
}

func (r *recorder) Status(context.Context, *smtp.Client) reply.Reply { return reply.Reply{} }

func (r *recorder) got() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message(nil), r.messages...)
}
