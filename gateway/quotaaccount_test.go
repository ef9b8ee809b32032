package gateway

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/retry"
	"postern/webhook"
)

// tally is a queue that counts as it is told.
type tally struct {
	waiting retry.Waiting
	err     error
	asked   int
}

func (t *tally) Waiting(context.Context, string, int64) (retry.Waiting, error) {
	t.asked++
	return t.waiting, t.err
}

// TestQuotaCountsInTime: an account is believed for some seconds, a full one for one;
// that an endpoint is full is told once a minute.
func TestQuotaCountsInTime(t *testing.T) {
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "a", URL: "http://127.0.0.1:1/", MaxQueued: 10})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Unix(1_000_000, 0)
	now, queue := began, &tally{}
	var log strings.Builder
	q := newQuotas(queue, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	for _, c := range []struct {
		at      time.Duration
		waiting int64 // what a count says from here on
		asked   int   // how often it was asked in all
		full    bool
		told    int
	}{
		{0, 0, 1, false, 0},
		{countFresh - 1, 10, 1, false, 0},
		{countFresh, 10, 2, true, 1},
		{countFresh + countAgain - 1, 0, 2, true, 1},
		{countFresh + countAgain, 10, 3, true, 1},
		{countFresh + tellOverfull - 1, 10, 4, true, 1},
		{countFresh + tellOverfull, 10, 4, true, 2},
	} {
		now, queue.waiting.Deliveries = began.Add(c.at), c.waiting
		full := q.full(t.Context(), ep)
		if told := strings.Count(log.String(), "too much mail waits"); full != c.full || queue.asked != c.asked || told != c.told {
			t.Errorf("after %v: full %t, asked %d times, told %d times; want %t, %d, %d", c.at, full, queue.asked, told, c.full, c.asked, c.told)
		}
	}
}

// TestQuotaBookings: neither a count that fails nor one that came before a commit
// makes room, and what isn't stored gives its room back.
func TestQuotaBookings(t *testing.T) {
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "a", URL: "http://127.0.0.1:1/", MaxQueued: 10})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_000_000, 0)
	queue := &tally{waiting: retry.Waiting{Deliveries: 5}}
	q := newQuotas(queue, slog.New(slog.DiscardHandler), func() time.Time { return now })
	var open []booking
	book := func(what string, n int64, want bool) {
		t.Helper()
		b, ok := q.book(t.Context(), ep, n, n)
		if ok != want {
			t.Errorf("%s: %d more: %t", what, n, ok)
		}
		if ok {
			open = append(open, b)
		}
	}
	end := func(stored bool) { endAll(open, stored); open = nil }

	book("at first", 5, true)
	book("beside what isn't stored yet", 1, false)
	now = now.Add(time.Hour)
	book("a count that can't have what isn't stored yet", 1, false)
	end(false)
	book("what wasn't stored", 4, true)
	end(true) // 9 wait
	queue.err = errors.New("away")
	for range 3 {
		now = now.Add(time.Hour)
		book("nobody can count", 2, false)
	}
	book("nobody can count, and there is room", 1, true)
	end(true)
	book("then it is full", 1, false)

	queue.err, queue.waiting = nil, retry.Waiting{Deliveries: 3}
	now = now.Add(time.Hour)
	book("counted again", 7, true)
	end(true)

	never := newQuotas(&tally{err: errors.New("away")}, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if _, ok := never.book(t.Context(), ep, 10, 10); !ok || !never.full(t.Context(), ep) {
		t.Errorf("never counted: room %t", ok)
	}
}
