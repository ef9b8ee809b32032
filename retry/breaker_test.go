package retry

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scripted is what the marks of a play say: + success, - failure, ? an attempt that
// was cut short.
var scripted = map[rune]Health{'+': Healthy, '-': Unhealthy, '?': HealthUnknown}

// play runs a script of attempts against a breaker, each a second apart; "." waits
// ten seconds.
func play(b *Breaker, now time.Time, script string) (time.Time, int) {
	refused := 0
	for _, c := range script {
		switch c {
		case '.':
			now = now.Add(10 * time.Second)
		default:
			now = now.Add(time.Second)
			if epoch, ok := b.Begin(now); ok {
				b.End(now, epoch, scripted[c])
			} else {
				refused++
			}
		}
	}
	return now, refused
}

func TestBreaker(t *testing.T) {
	for _, c := range []struct {
		name, script string
		state        BreakerState
		refused      int
	}{
		{"new", "", BreakerClosed, 0},
		{"four in a row", "----", BreakerClosed, 0},
		{"five in a row", "-----", BreakerOpen, 0},
		{"what was cut short is no failure", "?????", BreakerClosed, 0},
		{"nor does it end a row of failures", "--??---", BreakerOpen, 0},
		{"nor does it thin out the failures", strings.Repeat("+-", 9) + strings.Repeat("?", 10) + "+-", BreakerOpen, 0},
		{"a success starts the row again", "----+----", BreakerClosed, 0},
		{"half of twenty", strings.Repeat("+-", 10), BreakerOpen, 0},
		{"half of eighteen", strings.Repeat("+-", 9), BreakerClosed, 0},
		{"less than half", strings.Repeat("++-", 10), BreakerClosed, 0},
		{"half of twenty, over longer than the window", strings.Repeat("+-.", 10), BreakerClosed, 0},
		{"open refuses", "-----++", BreakerOpen, 2},
		{"a probe after ten seconds", "-----.+", BreakerHalfOpen, 0},
		{"a probe that was cut short makes room for another", "-----.???+", BreakerHalfOpen, 0},
		{"and doesn't count towards recovery", "-----." + strings.Repeat("?", 200) + strings.Repeat("+", 126), BreakerHalfOpen, 0},
		{"a failed probe opens again", "-----.-", BreakerOpen, 0},
		{"and waits twice as long", "-----.-.+", BreakerOpen, 1},
		{"and then probes", "-----.-..+", BreakerHalfOpen, 0},
		{"a failure in slow start opens", "-----.+++-", BreakerOpen, 0},
		{"recovered", "-----." + strings.Repeat("+", 127), BreakerClosed, 0},
		{"not yet recovered", "-----." + strings.Repeat("+", 126), BreakerHalfOpen, 0},
		{"recovered and clean", "-----." + strings.Repeat("+", 127) + "----", BreakerClosed, 0},
	} {
		b := Breaker{State: BreakerClosed}
		if _, refused := play(&b, start, c.script); b.State != c.state || refused != c.refused {
			t.Errorf("%s: %s with %d refused, want %s with %d", c.name, b.State, refused, c.state, c.refused)
		}
	}
}

func TestBreakerProbeWaitDoublesToFiveMinutes(t *testing.T) {
	b := Breaker{State: BreakerClosed}
	now, _ := play(&b, start, "-----")
	for _, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		if b.Wait != want*time.Second || !b.Until.Equal(now.Add(b.Wait)) {
			t.Fatalf("waits %v until %v, want %v", b.Wait, b.Until, want*time.Second)
		}
		if b.Room(b.Until.Add(-1)) != 0 || b.Room(b.Until) != 1 {
			t.Fatal("the probe's time is off")
		}
		now = b.Until
		epoch, _ := b.Begin(now)
		b.End(now, epoch, Unhealthy)
	}
}

func TestBreakerHalfOpenLetsOneThenTwoThrough(t *testing.T) {
	b := Breaker{State: BreakerClosed}
	now, _ := play(&b, start, "-----.")
	for _, limit := range []int{1, 2, 4, 8} {
		var epochs []int
		for range limit {
			epoch, ok := b.Begin(now)
			if !ok {
				t.Fatalf("refused within the limit of %d", limit)
			}
			epochs = append(epochs, epoch)
		}
		if _, ok := b.Begin(now); ok || b.Room(now) != 0 {
			t.Fatalf("more than %d at once", limit)
		}
		for _, e := range epochs {
			b.End(now, e, Healthy)
		}
	}
}

func TestBreakerIgnoresAttemptsOfAnEarlierTime(t *testing.T) {
	b := Breaker{State: BreakerClosed}
	epoch, _ := b.Begin(start)
	now, _ := play(&b, start, "-----.")
	probe, _ := b.Begin(now)
	b.End(now, epoch, Healthy) // began before the breaker opened
	if b.State != BreakerHalfOpen || b.Limit != 1 || b.InFlight != 1 {
		t.Errorf("a late success moved the breaker: %+v", b)
	}
	b.End(now, probe, Healthy)
	if b.Limit != 2 {
		t.Errorf("the probe didn't: %+v", b)
	}
}

func TestBreakerSurvivesTheStore(t *testing.T) {
	b := Breaker{State: BreakerClosed}
	now, _ := play(&b, start, "-----.")
	b.Begin(now)
	back, err := UnmarshalBreaker(MarshalBreaker(b))
	if err != nil || back.State != BreakerHalfOpen || back.InFlight != 0 || back.Room(now) != 1 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestBreakersTellChanges(t *testing.T) {
	now := start
	var changes []BreakerState
	s := NewBreakers(func() time.Time { return now }, func(c BreakerChange) { changes = append(changes, c.To) })
	for range 5 {
		done, ok := s.Begin("a")
		if !ok {
			t.Fatal("refused while closed")
		}
		done(Unhealthy)
		done(Unhealthy) // twice is once
	}
	if s.Allowed("a") || !s.Allowed("b") {
		t.Error("open for one endpoint is open for that one alone")
	}
	if _, ok := s.Begin("a"); ok {
		t.Error("open and allowed")
	}
	now = now.Add(10 * time.Second)
	done, ok := s.Begin("a")
	if _, second := s.Begin("a"); !ok || second {
		t.Error("half-open takes exactly one")
	}
	done(Healthy)
	if len(changes) != 2 || changes[0] != BreakerOpen || changes[1] != BreakerHalfOpen {
		t.Errorf("changes %v", changes)
	}
	if i := s.Snapshot(); len(i) != 1 || i[0].Endpoint != "a" || i[0].State != BreakerHalfOpen {
		t.Errorf("Snapshot = %+v", i)
	}
}

func TestTrips(t *testing.T) {
	for _, c := range []struct {
		name                 string
		total, failures, run int
		lasted               time.Duration
		want                 bool
	}{
		{"nothing yet", 0, 0, 0, 0, false},
		{"four in a row and little traffic", 4, 4, 4, time.Minute, false},
		{"five in a row and little traffic", 5, 5, 5, 0, true},
		{"five in a row of nineteen", 19, 5, 5, 0, true},
		{"five in a row of twenty are chance", 20, 5, 5, time.Second, false},
		{"five in a row of thousands", 3000, 300, 5, time.Second, false},
		{"five in a row that last", 3000, 300, 5, 10 * time.Second, true},
		{"nine in a row of thousands within a second", 3000, 300, 9, 999 * time.Millisecond, false},
		{"ten in a row of thousands are no chance", 3000, 300, 10, time.Second, true},
		{"nor are they where a quarter fails", 3000, 758, 9, time.Second, false},
		{"fifteen are", 3000, 760, 15, time.Second, true},
		{"twelve in a row where a fifth failed before", 60, 22, 12, 2 * time.Second, false},
		{"half of twenty", 20, 10, 1, 0, true},
		{"less than half of twenty", 20, 9, 1, 0, false},
		{"half of thousands", 3000, 1500, 1, 0, true},
		{"all of nineteen, but not in a row", 19, 18, 4, 0, false},
	} {
		if got := trips(c.total, c.failures, c.run, c.lasted); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestBreakerUnderChance plays traffic whose failures are drawn: a webhook that
// answers most of it is not cut off, one that is down is, at once.
func TestBreakerUnderChance(t *testing.T) {
	const runs = 60_000 // attempts of each
	for _, rate := range []float64{0.2, 1, 10, 100, 1000} {
		for _, c := range []struct {
			share float64
			opens func(times int, first time.Duration) bool
		}{
			{0, func(n int, _ time.Duration) bool { return n == 0 }},
			{0.1, func(n int, _ time.Duration) bool { return n == 0 || rate < 1 && n < 5 }}, // with little traffic five in a row are all there is
			{0.25, func(n int, _ time.Duration) bool { return rate < 1 || n < 10 }},
			{0.5, func(n int, first time.Duration) bool { return n > 0 && first < 3*time.Minute }},
			{1, func(n int, first time.Duration) bool {
				return n > 0 && first <= max(time.Second, time.Duration(5/rate*float64(time.Second)))
			}},
		} {
			n, first := chance(rate, c.share, runs)
			t.Logf("%5.1f/s, %3.0f%% fail: opened %d times in %d attempts, first after %v", rate, 100*c.share, n, runs, first)
			if !c.opens(n, first) {
				t.Errorf("%.1f/s, %.0f%% fail: opened %d times in %d attempts, first after %v", rate, 100*c.share, n, runs, first)
			}
		}
	}
}

// chance has a closed breaker hear of attempts at a rate, each of which fails by
// chance, and begins anew whenever it opened.
func chance(rate, share float64, attempts int) (opened int, first time.Duration) {
	r := rand.New(rand.NewPCG(1, uint64(rate*1000+share*100)))
	b := Breaker{State: BreakerClosed}
	for i := range attempts {
		now := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		epoch, _ := b.Begin(now)
		b.End(now, epoch, map[bool]Health{true: Healthy, false: Unhealthy}[r.Float64() >= share])
		if b.State == BreakerOpen {
			if opened++; opened == 1 {
				first = now.Sub(start)
			}
			b = Breaker{State: BreakerClosed}
		}
	}
	return opened, first
}

// TestHeed: each resume of the operator's lets one probe go, once.
func TestHeed(t *testing.T) {
	s := NewBreakers(func() time.Time { return start }, nil)
	for i, c := range []struct {
		resumes int64
		probe   bool
	}{{0, false}, {1, true}, {1, false}, {2, true}, {2, false}} {
		for s.Allowed("a") {
			done, _ := s.Begin("a")
			done(Unhealthy)
		}
		s.heed([]EndpointState{{Endpoint: "other", Resumes: 9}, {Endpoint: "a", Resumes: c.resumes}})
		if s.Allowed("a") != c.probe {
			t.Errorf("step %d, %d resumes: a probe may go: %v", i, c.resumes, !c.probe)
		}
	}
}

func TestBreakerFollowsAnotherReplica(t *testing.T) {
	now, soon, late := start, start.Add(10*time.Second), start.Add(20*time.Second)
	open := func(until time.Time) Breaker { return Breaker{State: BreakerOpen, Until: until, Wait: 7} }
	for _, c := range []struct {
		name         string
		ours, theirs Breaker
		state        BreakerState
		until        time.Time
		changed      bool
	}{
		{"opens with theirs", Breaker{State: BreakerClosed}, open(soon), BreakerOpen, soon, true},
		{"waits as long", open(soon), open(late), BreakerOpen, late, true},
		{"waits no less", open(late), open(soon), BreakerOpen, late, false},
		{"no longer than a breaker waits", Breaker{State: BreakerClosed}, open(start.Add(time.Hour)), BreakerOpen, start.Add(breakerMaxProbe), true},
		{"what is over doesn't open", Breaker{State: BreakerClosed}, open(start), BreakerClosed, time.Time{}, false},
		{"a probe under way finds out itself", Breaker{State: BreakerHalfOpen, Limit: 1}, open(late), BreakerHalfOpen, time.Time{}, false},
		{"theirs closed: our probe goes", open(late), Breaker{State: BreakerClosed}, BreakerOpen, now, true},
		{"theirs closed, ours too", Breaker{State: BreakerClosed}, Breaker{State: BreakerClosed}, BreakerClosed, time.Time{}, false},
		{"their probe says nothing yet", open(late), Breaker{State: BreakerHalfOpen}, BreakerOpen, late, false},
	} {
		b := c.ours
		if changed := b.Follow(c.theirs, now); changed != c.changed || b.State != c.state || !b.Until.Equal(c.until) {
			t.Errorf("%s: %v, %+v", c.name, changed, b)
		}
		if b.State == BreakerOpen && c.ours.State == BreakerClosed && (b.Epoch != c.ours.Epoch+1 || b.Wait != c.theirs.Wait || !b.Since.Equal(now)) {
			t.Errorf("%s: %+v", c.name, b)
		}
	}
}

// TestBreakerCountsWhatIsUnderWay: each probe that ends makes room for one more, and
// every opening and closing begins an epoch of its own.
func TestBreakerCountsWhatIsUnderWay(t *testing.T) {
	b := Breaker{State: BreakerClosed}
	now, _ := play(&b, start, "-----.+") // two may go now
	first, _ := b.Begin(now)
	if _, ok := b.Begin(now); !ok || b.Room(now) != 0 {
		t.Fatalf("%+v", b)
	}
	b.End(now, first, HealthUnknown)
	if b.Room(now) != 1 {
		t.Errorf("room for %d", b.Room(now))
	}
	epoch := b.Epoch
	if now, _ = play(&b, now, strings.Repeat("+", 200)); b.State != BreakerClosed || b.Epoch != epoch+1 {
		t.Errorf("closed: %+v after epoch %d", b, epoch)
	}
	if play(&b, now, strings.Repeat("-", 15)); b.State != BreakerOpen || b.Epoch != epoch+2 {
		t.Errorf("opened: %+v after epoch %d", b, epoch)
	}
}

// TestWindow: what a breaker counts is the last minute's, and nothing of a time that
// is still to come.
func TestWindow(t *testing.T) {
	for after, counts := range map[time.Duration]bool{-10 * time.Second: false, 0: true, 50 * time.Second: true, 60 * time.Second: false, time.Hour: false} {
		var b Breaker
		at := slice(start)
		b.Window[at%breakerBuckets] = tally{At: at, Total: 20, Failures: 20}
		if got := b.tripped(start.Add(after)); got != counts {
			t.Errorf("%v after: %v", after, got)
		}
	}
}

// TestBreakersAtWork: only an open breaker has a next probe and heeds a resume, and
// a probe that ended is a hint that the next may go.
func TestBreakersAtWork(t *testing.T) {
	now := start
	s := NewBreakers(func() time.Time { return now }, nil)
	done, _ := s.Begin("well")
	done(Unhealthy)
	if i := s.Snapshot()[0]; s.anyOpen() || !i.Until.IsZero() {
		t.Errorf("closed: %+v", i)
	}
	for s.Allowed("a") {
		done, _ := s.Begin("a")
		done(Unhealthy)
	}
	for _, i := range s.Snapshot() {
		if (i.Endpoint == "a") == i.Until.IsZero() {
			t.Errorf("%+v", i)
		}
	}
	if !s.anyOpen() {
		t.Error("an open breaker isn't seen")
	}
	now = now.Add(breakerFirstProbe)
	done, _ = s.Begin("a")
	<-s.Changed()
	done(Healthy)
	select {
	case <-s.Changed():
	default:
		t.Error("no hint that the next probe may go")
	}
}
