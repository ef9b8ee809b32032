package retry

import (
	"testing"
	"time"
)

func TestPolicyNext(t *testing.T) {
	p := DefaultPolicy()
	const middle = 0.5 // no jitter
	for _, c := range []struct {
		name    string
		attempt int
		age     time.Duration
		after   time.Duration
		rnd     float64
		want    time.Duration // from now; -1 dead
	}{
		{"first", 1, 0, 0, middle, 5 * time.Second},
		{"second", 2, 0, 0, middle, 15 * time.Second},
		{"third", 3, 0, 0, middle, 45 * time.Second},
		{"fourth", 4, 0, 0, middle, 135 * time.Second},
		{"fifth", 5, 0, 0, middle, 405 * time.Second},
		{"sixth", 6, 0, 0, middle, 1215 * time.Second},
		{"seventh is capped", 7, 0, 0, middle, time.Hour},
		{"thousandth", 1000, 0, 0, middle, time.Hour},
		{"no attempt counts as one", 0, 0, 0, middle, 5 * time.Second},
		{"least jitter", 1, 0, 0, 0, 4 * time.Second},
		{"most jitter", 7, 0, 0, 1, 72 * time.Minute},
		{"Retry-After raises", 1, 0, time.Minute, middle, time.Minute},
		{"Retry-After never lowers", 7, 0, time.Minute, middle, time.Hour},
		{"Retry-After is capped", 1, 0, 100 * time.Hour, middle, 6 * time.Hour},
		{"Retry-After below zero", 1, 0, -time.Minute, middle, 5 * time.Second},
		{"not beyond its age", 9, 71*time.Hour + 30*time.Minute, 0, middle, 30 * time.Minute},
		{"used up", 9, 72 * time.Hour, 0, middle, -1},
		{"long gone", 9, 1000 * time.Hour, 0, middle, -1},
		{"received in the future", 1, -time.Hour, 0, middle, 5 * time.Second},
	} {
		wait, dead := p.Next(c.attempt, p.MaxAge-c.age, c.after, c.rnd)
		if dead != (c.want < 0) || !dead && wait != c.want {
			t.Errorf("%s: due in %v, dead %v; want %v", c.name, wait, dead, c.want)
		}
	}
}

func TestPolicyMakesAbout78Attempts(t *testing.T) {
	p := DefaultPolicy()
	n, left := 0, p.MaxAge
	for dead := false; !dead && n < 1000; {
		n++
		var wait time.Duration
		wait, dead = p.Next(n, left, 0, 0.5)
		left -= wait
	}
	if n < 76 || n > 80 {
		t.Errorf("%d attempts", n)
	}
}

func TestSteer(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		wall   time.Duration // where the wall clock stands, from at
		passed time.Duration
		want   time.Duration
	}{
		{"in step", time.Second, time.Second, time.Second},
		{"a small step is followed", 30 * time.Second, time.Second, 30 * time.Second},
		{"a small step back too", -30 * time.Second, time.Second, -30 * time.Second},
		{"a day ahead is approached", 24 * time.Hour, 10 * time.Second, 11 * time.Second},
		{"a day back too", -24 * time.Hour, 10 * time.Second, 9 * time.Second},
		{"no time passed", 24 * time.Hour, 0, 0},
	} {
		now, off := steer(at, at.Add(c.wall), c.passed)
		if got := now.Sub(at); got != c.want || off != c.wall-c.want {
			t.Errorf("%s: %v, %v off, want %v", c.name, got, off, c.want)
		}
	}
}

func TestMemoryDedup(t *testing.T) {
	ctx := t.Context()
	l := NewMemoryDedup(2)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l.now = func() time.Time { return now }
	count := func(key string) int {
		ids, err := l.Delivered(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	for _, k := range []string{"a", "b", "a", "c"} {
		if err := l.Remember(ctx, k, []string{"x", k, k}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if count("a") != 0 || count("b") != 2 || count("c") != 2 {
		t.Errorf("the oldest key isn't the one that is forgotten")
	}
	if err := l.Forget(ctx, "b"); err != nil || count("b") != 0 {
		t.Errorf("Forget: %v", err)
	}
	now = now.Add(time.Hour)
	if count("c") != 0 || len(l.keys) != 0 {
		t.Error("an expired key is remembered")
	}
}
