package retry

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestUnreadWait: an eighth of the time that it has waited, from seconds to minutes.
func TestUnreadWait(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		0: 5 * time.Second, 40 * time.Second: 5 * time.Second, 80 * time.Second: 10 * time.Second,
		40 * time.Minute: 5 * time.Minute, 72 * time.Hour: 5 * time.Minute,
	} {
		for random, part := range map[float64]float64{0: 0.8, 0.5: 1, 0.999: 1.1996} {
			if got := unreadWait(age, random); (got - time.Duration(part*float64(want))).Abs() > time.Millisecond {
				t.Errorf("%v at %v: %v, want %v of %v", age, random, got, part, want)
			}
		}
	}
}

// TestTellUnread: one line tells of many messages, and no more than one in ten
// seconds.
func TestTellUnread(t *testing.T) {
	now := start
	var log strings.Builder
	w := NewWorker(nil, nil, WorkerConfig{}, WorkerDeps{Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	tell := func(n int) {
		for range n {
			w.tellUnread(Lease{}, errors.New("away"))
		}
	}
	tell(3)
	now = now.Add(tellEvery - 1)
	tell(2)
	now = now.Add(1)
	tell(1)
	tell(4)
	now = now.Add(time.Hour)
	tell(1)
	var counts []string
	for line := range strings.Lines(log.String()) {
		_, count, _ := strings.Cut(line, "count=")
		counts = append(counts, strings.Fields(count)[0])
	}
	if got := strings.Join(counts, " "); got != "1 5 5" {
		t.Errorf("told of %s, want of 1, then of the 5 since, then of the 5 since", got)
	}
}

// TestOldAttempts: an attempt of an earlier opening, and one of which nothing is
// known, bring no endpoint back.
func TestOldAttempts(t *testing.T) {
	b := &Breaker{State: BreakerClosed, Epoch: 3}
	if b.End(start, 2, Healthy) || b.End(start, 3, HealthUnknown) || b.End(start, 3, Healthy) {
		t.Error("a closed breaker's endpoint came back")
	}
}

// TestLongRun: a run of failures lasts from its first one.
func TestLongRun(t *testing.T) {
	for _, c := range []struct {
		last time.Duration // of five failures, the second half a second after the first
		want BreakerState
	}{{breakerLongRun, BreakerOpen}, {breakerLongRun - time.Millisecond, BreakerClosed}} {
		b, now := &Breaker{State: BreakerClosed}, start
		for range 100 {
			epoch, _ := b.Begin(now)
			b.End(now, epoch, Healthy)
		}
		for _, at := range []time.Duration{0, time.Second / 2, time.Second / 2, time.Second / 2, c.last} {
			epoch, _ := b.Begin(now.Add(at))
			b.End(now.Add(at), epoch, Unhealthy)
		}
		if b.State != c.want {
			t.Errorf("five failures within %v: %s, want %s", c.last, b.State, c.want)
		}
	}
}
