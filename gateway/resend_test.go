package gateway_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/retry"
	"postern/webhook"
)

// asked is a Dedup that notes what it is asked.
type asked struct {
	retry.Dedup
	mu    sync.Mutex
	calls []string
}

func (a *asked) note(call string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
}

func (a *asked) Delivered(ctx context.Context, key string) ([]string, error) {
	a.note("look")
	return a.Dedup.Delivered(ctx, key)
}

func (a *asked) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	a.note("remember")
	return a.Dedup.Remember(ctx, key, ids, d)
}

func (a *asked) Forget(ctx context.Context, key string) error {
	a.note("forget")
	return a.Dedup.Forget(ctx, key)
}

// TestDedupIsAskedLittle: a message that nobody has seen before costs one look; one
// whose earlier try reached some of its endpoints has its records dropped at the 250.
func TestDedupIsAskedLittle(t *testing.T) {
	notes := &asked{Dedup: retry.NewMemoryDedup(10)}
	h := newHarness(t, setting{dedup: notes, endpoints: []webhook.Config{{Name: "copy", Copy: true, Defer: true}, {Name: "main", Defer: false}}})
	k := h.dial(h.addr, "EHLO")
	for _, c := range []struct {
		id, reply string
		status    int
		want      []string
	}{
		{"n1@client.example", "250 ", 200, []string{"look"}},
		{"n2@client.example", "451 ", 503, []string{"look", "remember"}},
		{"n2@client.example", "250 ", 200, []string{"look", "forget"}},
		{"n2@client.example", "250 ", 200, []string{"look"}}, // a new one, as far as anybody knows
	} {
		h.answers(path("/main", says(c.status)))
		if got := k.send("MAIL", c.id, "a@in.example"); !strings.HasPrefix(got, c.reply) {
			t.Errorf("%s: %s", c.id, got)
		}
		k.say("NOOP", 250) // the transaction has ended
		notes.mu.Lock()
		if !slices.Equal(notes.calls, c.want) {
			t.Errorf("%s: the records were asked to %q, want %q", c.id, notes.calls, c.want)
		}
		notes.calls = nil
		notes.mu.Unlock()
	}
}
