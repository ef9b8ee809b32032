package dispatch

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/webhook"
)

const ms = time.Millisecond

func answers(n int, took time.Duration) []time.Duration {
	return slices.Repeat([]time.Duration{took}, n)
}

// TestPace is the policy over all that a trip may teach.
func TestPace(t *testing.T) {
	b := bounds{64, 1000}
	for name, c := range map[string]struct {
		was  pace
		trip trip
		want pace
	}{
		"first answers, all used":           {pace{64, 0, false}, trip{64, answers(64, 100*ms), 0}, pace{128, 100 * ms, false}},
		"first answers, not all used":       {pace{64, 0, false}, trip{40, answers(40, 100*ms), 0}, pace{64, 100 * ms, false}},
		"as fast as ever":                   {pace{256, 100 * ms, false}, trip{256, answers(256, 175*ms), 0}, pace{512, 100 * ms, false}},
		"as fast as ever, not all used":     {pace{256, 100 * ms, false}, trip{200, answers(256, 100*ms), 0}, pace{256, 100 * ms, false}},
		"as fast as ever, all but one used": {pace{256, 100 * ms, false}, trip{255, answers(256, 100*ms), 0}, pace{512, 100 * ms, false}},
		"faster":                            {pace{256, 100 * ms, false}, trip{256, answers(256, 50*ms), 0}, pace{512, 50 * ms, false}},
		"just not slow":                     {pace{256, 100 * ms, false}, trip{256, answers(256, 325*ms), 0}, pace{256, 100 * ms, false}},
		"a little slower":                   {pace{256, 100 * ms, false}, trip{256, answers(256, 320*ms), 0}, pace{256, 100 * ms, false}},
		"slower":                            {pace{256, 100 * ms, false}, trip{256, answers(256, 330*ms), 0}, pace{192, 100 * ms, true}},
		"noise of a quick one":              {pace{256, ms, false}, trip{256, answers(256, 26*ms), 0}, pace{512, ms, false}},
		"fast again, in small steps":        {pace{192, 100 * ms, true}, trip{192, answers(192, 100*ms), 0}, pace{240, 100 * ms, true}},
		"no more than the most":             {pace{800, 100 * ms, false}, trip{800, answers(800, 100*ms), 0}, pace{1000, 100 * ms, false}},
		"no fewer than the least":           {pace{64, 100 * ms, true}, trip{64, answers(64, 900*ms), 0}, pace{64, 300 * ms, true}},
		"slow by itself, as one learns":     {pace{64, 400 * ms, true}, trip{64, answers(64, 700*ms), 0}, pace{64, 475 * ms, false}},
		"one in ten fails":                  {pace{800, 100 * ms, false}, trip{800, answers(900, 100*ms), 100}, pace{1000, 100 * ms, false}},
		"more than one in ten fails":        {pace{800, 100 * ms, false}, trip{800, answers(890, 100*ms), 110}, pace{400, 100 * ms, true}},
		"all fail":                          {pace{800, 100 * ms, false}, trip{800, nil, 800}, pace{400, 100 * ms, true}},
		"all fail, the first":               {pace{64, 0, false}, trip{64, nil, 64}, pace{64, 0, true}},
		"hardly used":                       {pace{800, 100 * ms, false}, trip{100, answers(100, 100*ms), 0}, pace{200, 100 * ms, false}},
		"not quite slow":                    {pace{256, 100 * ms, false}, trip{256, answers(256, 210*ms), 0}, pace{256, 100 * ms, false}},
		"still fine":                        {pace{256, 100 * ms, false}, trip{256, answers(256, 160*ms), 0}, pace{512, 100 * ms, false}},
		"all but two used":                  {pace{256, 100 * ms, false}, trip{254, answers(256, 100*ms), 0}, pace{256, 100 * ms, false}},
		"less than half used":               {pace{256, 100 * ms, false}, trip{100, answers(100, 100*ms), 0}, pace{200, 100 * ms, false}},
		"half of an odd number used":        {pace{257, 100 * ms, false}, trip{128, answers(128, 100*ms), 0}, pace{257, 100 * ms, false}},
		"just fine with the fewest":         {pace{64, 100 * ms, true}, trip{40, answers(40, 175*ms), 0}, pace{64, 118750 * time.Microsecond, true}},
		"half used":                         {pace{256, 100 * ms, false}, trip{128, answers(128, 100*ms), 0}, pace{256, 100 * ms, false}},
		"hardly used at all":                {pace{800, 100 * ms, true}, trip{2, answers(32, 100*ms), 0}, pace{64, 100 * ms, true}},
	} {
		if got := c.was.next(c.trip, b); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestPaceFindsTheEndpoint lets a pace meet endpoints as they are, with more mail
// waiting than they can take: it must find what they work with, and stay there.
func TestPaceFindsTheEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		answer      func(slots, trip int) time.Duration
		least, most int // of the slots, from the 40th trip on
	}{
		"thinks for a moment, however many ask": {func(int, int) time.Duration { return 100 * ms }, 1000, 1000},
		"has 16 workers":                        {func(n, _ int) time.Duration { return time.Duration(n) * 100 * ms / 16 }, 64, 256},
		"has 300 workers":                       {func(n, _ int) time.Duration { return max(100*ms, time.Duration(n)*100*ms/300) }, 300, 1000},
		"is slow by itself":                     {func(int, int) time.Duration { return 8 * time.Second }, 1000, 1000},
		"gets slower for good":                  {func(_, trip int) time.Duration { return 100*ms + time.Duration(min(trip, 10))*100*ms }, 64, 1000},
	} {
		p, b := pace{slots: 64}, bounds{64, 1000}
		for trip := range 200 {
			p = p.next(tripOf(p.slots, c.answer(p.slots, trip)), b)
			if trip >= 40 && (p.slots < c.least || p.slots > c.most) {
				t.Errorf("%s: %d slots after %d trips", name, p.slots, trip)
				break
			}
		}
	}
}

// TestPaceFollowsAnEndpointThatChanges: one that was quick and now thinks for a
// moment has all slots again before a second is over, and one that is in trouble
// gets no more than the least for a while.
func TestPaceFollowsAnEndpointThatChanges(t *testing.T) {
	trips := func(p pace, answer time.Duration, until func(pace) bool) (n int) {
		for n = 0; n < 100 && !until(p); n++ {
			p = p.next(tripOf(p.slots, answer), bounds{64, 1000})
		}
		return n
	}
	quick := pace{slots: 64, usual: ms, found: true}
	if n := trips(quick, 100*ms, func(p pace) bool { return p.slots == 1000 }); n > 9 {
		t.Errorf("an endpoint that thinks for a moment has its slots after %d trips", n)
	}
	if n := trips(quick, 5*time.Second, func(p pace) bool { return p.slots > 64 }); n < 4 {
		t.Errorf("an endpoint in trouble is given more after %d trips", n)
	}
}

// TestTypicalAnswer is the one in the middle, whichever came last.
func TestTypicalAnswer(t *testing.T) {
	for _, took := range [][]time.Duration{{ms, 2 * ms, 9 * ms}, {ms, 9 * ms, 2 * ms}, {2 * ms, ms, 9 * ms}, {9 * ms, ms, 2 * ms}, {2 * ms}} {
		if got := median(slices.Clone(took)); got != 2*ms {
			t.Errorf("of %v it is %v", took, got)
		}
	}
	if got := median([]time.Duration{4 * ms, ms, 3 * ms, 2 * ms}); got != 3*ms {
		t.Errorf("of four it is %v", got)
	}
	if got := median(nil); got != 0 {
		t.Errorf("of none it is %v", got)
	}
}

func tripOf(slots int, took time.Duration) trip {
	return trip{peak: slots, took: answers(slots, took)}
}

func TestPaceBounds(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		memory    int64
		endpoints int
		want      bounds
	}{{0, 1, bounds{64, 1000}}, {8192 * mib, 1, bounds{64, 1000}}, {128 * mib, 1, bounds{64, 256}}, {128 * mib, 3, bounds{64, 85}}, {16 * mib, 9, bounds{64, 64}}, {128 * mib, 0, bounds{64, 256}}} {
		if got := paceBounds(c.memory, c.endpoints); got != c.want {
			t.Errorf("%d MiB, %d endpoints: %+v, want %+v", c.memory>>20, c.endpoints, got, c.want)
		}
	}
}

// TestSlotsFollowTheirPace: slots that come free by learning go to who waits; a
// number of the operator's stands.
func TestSlotsFollowTheirPace(t *testing.T) {
	delivered := webhook.Outcome{Result: webhook.Delivered, Reason: webhook.ReasonDelivered, Status: 200, Elapsed: 100 * ms}
	timeout := webhook.Outcome{Result: webhook.Deferred, Reason: webhook.ReasonTimeout, Elapsed: time.Second}
	post := func(s *slots, o webhook.Outcome, n int) {
		for range n {
			s.learn(o)
		}
	}
	adapts, fixed := newSlots(bounds{64, 1000}), newSlots(bounds{64, 64})
	for _, s := range []*slots{adapts, fixed} {
		for range 64 {
			if err := s.acquire(t.Context(), Fresh, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		go s.acquire(t.Context(), Fresh, func() {})
		for s.mu.Lock(); s.waiting[Fresh].Len() == 0; s.mu.Lock() {
			s.mu.Unlock()
		}
		s.mu.Unlock()
		post(s, delivered, 63)
		post(s, webhook.NotPosted(webhook.ReasonBreaker, nil), 100) // says nothing of the endpoint
		if s.most() != 64 {
			t.Errorf("%d slots before the trip's end", s.most())
		}
		post(s, delivered, 1)
	}
	if adapts.most() != 128 || adapts.busy[Fresh] != 65 || fixed.most() != 64 || fixed.busy[Fresh] != 64 {
		t.Errorf("%d slots, %d taken; of those that are fixed %d and %d", adapts.most(), adapts.busy[Fresh], fixed.most(), fixed.busy[Fresh])
	}
	post(adapts, timeout, 65)
	if adapts.most() != 64 {
		t.Errorf("%d slots after time-outs", adapts.most())
	}
}

// TestLearn: what counts as a failing answer, and that a trip begins with the POSTs
// of both origins that are still under way.
func TestLearn(t *testing.T) {
	for status, failed := range map[int]int{0: 1, 200: 0, 404: 0, 429: 1, 499: 0, 500: 1, 503: 1} {
		s := newSlots(bounds{1, 1000})
		s.learn(webhook.Outcome{Reason: webhook.ReasonUnavailable, Status: status, Elapsed: ms})
		if s.trip.failed != failed || len(s.trip.took) != 1-failed {
			t.Errorf("%d: %+v", status, s.trip)
		}
	}
	s := newSlots(bounds{64, 1000})
	s.take(Fresh)
	s.take(Fresh)
	s.take(Queued)
	if s.trip.peak != 3 {
		t.Errorf("of three under way the trip noted %d", s.trip.peak)
	}
	for range shortTrip {
		s.learn(webhook.Outcome{Reason: webhook.ReasonDelivered, Status: 200, Elapsed: ms})
	}
	if s.trip.peak != 3 || len(s.trip.took) != 0 {
		t.Errorf("the next trip begins with %+v", s.trip)
	}
}

// TestDeliveriesTeach: each POST's end is learned from.
func TestDeliveriesTeach(t *testing.T) {
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, Deps{Memory: budget.New(8 << 30)}, webhook.Config{Name: "main"})
	b.Deliver(t.Context(), b.queued(newMail(t, 0)))
	for ep, s := range b.slots {
		if s.trip.failed != 1 {
			t.Errorf("%s: %+v", ep.Name(), s.trip)
		}
	}
}

// TestLargeMailLeavesAProcessor: a large mail waits while another has all but one
// processor; what is smaller goes on.
func TestLargeMailLeavesAProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := budget.NewProcessors(2, nil)
		x := &Dispatcher{deps: Deps{Processors: p}}
		release := make(chan struct{})
		go func() { _ = p.Whole(t.Context(), func() { <-release }) }()
		synctest.Wait()
		ran := map[int]bool{}
		for _, size := range []int{largeMail + 1, largeMail, smallMail + 1, smallMail} {
			go x.compute(t.Context(), mail.Bytes(make([]byte, size)), func() { ran[size] = true })
			synctest.Wait()
			if want := size <= largeMail; ran[size] != want {
				t.Errorf("%d octets beside a large mail: ran %t", size, ran[size])
			}
		}
		close(release)
		synctest.Wait()
		if !ran[largeMail+1] {
			t.Error("a large mail waits for ever")
		}
		_ = p.Enter(t.Context())
		_ = p.Enter(t.Context()) // no processor is free
		clear(ran)
		for size, want := range map[int]bool{smallMail: true, smallMail + 1: false} {
			go x.compute(t.Context(), mail.Bytes(make([]byte, size)), func() { ran[size] = true })
			synctest.Wait()
			if ran[size] != want {
				t.Errorf("%d octets where all processors have work: ran %t", size, ran[size])
			}
		}
		p.Leave()
		p.Leave()
		synctest.Wait()
	})
}
