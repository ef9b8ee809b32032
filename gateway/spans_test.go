package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"postern/gateway"
	"postern/gateway/history"
	"postern/gateway/smtp"
	"postern/retry"
)

// spans is a tracer that notes which spans begin and end. Each span's name stands in
// its context.
type spans struct {
	mu    sync.Mutex
	noted []string
}

type spanName struct{}

func within(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, spanName{}, name)
}

func (s *spans) note(ctx context.Context, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(s.noted, fmt.Sprint(ctx.Value(spanName{}), ": ", fmt.Sprintf(format, args...)))
}

// take returns what was noted since the last call.
func (s *spans) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	noted := s.noted
	s.noted = nil
	return noted
}

// Transaction implements gateway.Tracer.
func (s *spans) Transaction(ctx context.Context, _ *smtp.Client, verb string) context.Context {
	return within(ctx, "transaction "+verb)
}

// Ended implements gateway.Tracer.
func (s *spans) Ended(ctx context.Context, r history.Record) { s.note(ctx, "ended %s", r.Result) }

// Within implements gateway.Tracer.
func (s *spans) Within(ctx, of context.Context) context.Context {
	return within(ctx, fmt.Sprint(of.Value(spanName{})))
}

// Step implements gateway.Tracer.
func (s *spans) Step(ctx context.Context, name string) (context.Context, func(error)) {
	return within(ctx, name), func(err error) { s.note(ctx, "%s, failed %v", name, err != nil) }
}

// Arrival implements gateway.Tracer.
func (s *spans) Arrival(ctx context.Context) string { return fmt.Sprint(ctx.Value(spanName{})) }

// Redelivery implements gateway.Tracer.
func (s *spans) Redelivery(ctx context.Context, l retry.Lease, arrival string) context.Context {
	s.note(within(ctx, "queue"), "attempt %d of what came by %s", l.Attempts+1, arrival)
	return within(ctx, "redelivery")
}

// Redelivered implements gateway.Tracer.
func (s *spans) Redelivered(ctx context.Context, o retry.Outcome) {
	s.note(ctx, "ended %s", o.Reason)
}

// TestSpansEnd: each span that began ends once, with what became of its message: of
// a transaction, and of each attempt out of the queue, whose span tells of the first.
func TestSpansEnd(t *testing.T) {
	s := &spans{}
	h := newHarness(t, setting{tracer: s})
	h.answers(status(503))
	k := h.dial(h.addr, "EHLO")
	k.send("MAIL", "traced@client.example", "a@in.example")
	k.say("NOOP", 250) // the transaction has ended
	got := s.take()
	for _, want := range []string{"ended accepted", "recipient, failed false", "authenticate, failed false", "enqueue, failed false"} {
		if !slices.Contains(got, "transaction MAIL: "+want) {
			t.Errorf("the transaction: %q, want %q among it", got, want)
		}
	}
	l := waitingLease(h)
	for _, c := range []struct {
		endpoint, ends string
		answer         int
	}{{"default", "unavailable", 503}, {"gone", "no_endpoint", 200}, {"default", "delivered", 200}} {
		h.answers(status(c.answer))
		l.Endpoint = c.endpoint
		h.gateway.Deliver(t.Context(), l)
		if got, want := s.take(), []string{"queue: attempt 2 of what came by transaction MAIL", "redelivery: ended " + c.ends}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

var _ gateway.Tracer = (*spans)(nil)
