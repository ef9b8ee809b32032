package retry

import (
	"encoding/json"
	"math"
	"time"
)

// BreakerState is where a breaker stands.
type BreakerState string

// The states. An open breaker lets nothing through until its probe is due;
// half-open lets one attempt through, then two, four, … until closed.
const (
	BreakerClosed   BreakerState = "closed"
	BreakerOpen     BreakerState = "open"
	BreakerHalfOpen BreakerState = "half-open"
)

// When a breaker opens and how it recovers.
const (
	breakerRate        = 0.5              // share of failures that opens it …
	breakerSample      = 20               // … of at least so many attempts …
	breakerWindow      = 60 * time.Second // … within this time
	breakerConsecutive = 5                // or failures in a row, while there is less traffic …
	breakerLongRun     = 10 * time.Second // … or where they last so long …
	breakerShortRun    = time.Second      // … or so long, and such a row is no chance:
	breakerChance      = 1e-9             // with the share of failures before it, less likely than this
	breakerNoise       = 0.1              // a share of failures that is taken for usual
	breakerFirstProbe  = 10 * time.Second // from opening to the first probe
	breakerMaxProbe    = 5 * time.Minute  // the wait doubles up to this
	breakerSlowStart   = 64               // so many in flight at once and all well: recovered
	breakerBuckets     = 6                // the window's resolution
)

// Breaker is one endpoint's circuit breaker: a plain value without clock or
// lock, so that its whole behaviour can be tested as a table.
type Breaker struct {
	State    BreakerState  `json:"state"`
	Since    time.Time     `json:"since"`     // of the last change of state
	Until    time.Time     `json:"until"`     // open: when a probe may go
	Wait     time.Duration `json:"wait_ns"`   // open: how long this time
	Limit    int           `json:"limit"`     // half-open: in flight at most
	Good     int           `json:"good"`      // half-open: successes at this limit
	Failures int           `json:"failures"`  // closed: failures in a row …
	FailedAt time.Time     `json:"failed_at"` // … and when the first of them was
	InFlight int           `json:"in_flight"` // half-open: under way
	// Epoch changes with every opening and closing: an attempt that began in
	// an earlier one says nothing about this one.
	Epoch  int                   `json:"epoch"`
	Window [breakerBuckets]tally `json:"window"`
}

// tally counts a slice of the window.
type tally struct {
	At       int64 `json:"at"` // the slice's number since the epoch
	Total    int   `json:"total"`
	Failures int   `json:"failures"`
}

// Room is how many attempts may begin now; math.MaxInt is no bound.
func (b *Breaker) Room(now time.Time) int {
	switch b.State {
	case BreakerOpen:
		if now.Before(b.Until) {
			return 0
		}
		return 1
	case BreakerHalfOpen:
		return max(b.Limit-b.InFlight, 0)
	default:
		return math.MaxInt
	}
}

// HalfOpen lets an open breaker's probe go at once; false where it isn't open.
func (b *Breaker) HalfOpen(now time.Time) bool {
	if b.State != BreakerOpen {
		return false
	}
	b.Until = now
	return true
}

// Follow takes over what another replica has found out of the endpoint: ours
// opens with theirs and waits as long, and our probe goes when theirs has
// closed. It says whether that changed anything.
func (b *Breaker) Follow(theirs Breaker, now time.Time) (changed bool) {
	if theirs.State == BreakerClosed {
		return b.HalfOpen(now)
	}
	later := b.State == BreakerClosed || b.State == BreakerOpen && theirs.Until.After(b.Until)
	if theirs.State != BreakerOpen || !theirs.Until.After(now) || !later {
		return false
	}
	until := theirs.Until
	if limit := now.Add(breakerMaxProbe); until.After(limit) {
		until = limit // its clock is another
	}
	*b = Breaker{State: BreakerOpen, Since: now, Until: until, Wait: theirs.Wait, Epoch: b.Epoch + 1}
	return true
}

// Begin asks for leave to attempt; the epoch goes back to End.
func (b *Breaker) Begin(now time.Time) (epoch int, allowed bool) {
	if b.Room(now) == 0 {
		return 0, false
	}
	if b.State == BreakerOpen {
		b.enter(BreakerHalfOpen, now)
		b.Limit, b.Good, b.InFlight = 1, 0, 0
	}
	if b.State == BreakerHalfOpen {
		b.InFlight++
	}
	return b.Epoch, true
}

// Health is what an attempt says of its endpoint.
type Health uint8

// The three. Of an attempt that we ended ourselves before the endpoint could
// answer nothing is known: it counts neither for the endpoint nor against it.
const (
	HealthUnknown Health = iota
	Healthy
	Unhealthy
)

// End records how an attempt ended. It says whether the endpoint came back: the
// first probe of an opening was good. A probe of which nothing is known makes room
// for another.
func (b *Breaker) End(now time.Time, epoch int, h Health) (back bool) {
	switch {
	case epoch != b.Epoch:
		return false
	case b.State == BreakerHalfOpen:
		first := b.Limit == 1
		b.endProbe(now, h)
		return h == Healthy && first
	case h == HealthUnknown:
		return false
	}
	b.count(now, h == Healthy)
	if b.tripped(now) {
		b.open(now, breakerFirstProbe)
	}
	return false
}

func (b *Breaker) endProbe(now time.Time, h Health) {
	b.InFlight = max(b.InFlight-1, 0)
	switch h {
	case HealthUnknown:
		return
	case Unhealthy:
		b.open(now, min(max(2*b.Wait, breakerFirstProbe), breakerMaxProbe))
		return
	}
	if b.Good++; b.Good < b.Limit {
		return
	}
	b.Good, b.Limit = 0, 2*b.Limit
	if b.Limit > breakerSlowStart {
		*b = Breaker{State: BreakerClosed, Since: now, Epoch: b.Epoch + 1}
	}
}

func (b *Breaker) open(now time.Time, wait time.Duration) {
	b.enter(BreakerOpen, now)
	b.Wait, b.Until = wait, now.Add(wait)
	b.Failures, b.InFlight, b.Window = 0, 0, [breakerBuckets]tally{}
	b.Epoch++
}

func (b *Breaker) enter(s BreakerState, now time.Time) { b.State, b.Since = s, now }

func (b *Breaker) count(now time.Time, ok bool) {
	at := slice(now)
	t := &b.Window[at%breakerBuckets]
	if t.At != at {
		*t = tally{At: at}
	}
	t.Total++
	if ok {
		b.Failures = 0
		return
	}
	t.Failures++
	if b.Failures++; b.Failures == 1 {
		b.FailedAt = now
	}
}

func (b *Breaker) tripped(now time.Time) bool {
	var total, failures int
	for _, t := range b.Window {
		if age := slice(now) - t.At; age >= 0 && age < breakerBuckets {
			total, failures = total+t.Total, failures+t.Failures
		}
	}
	return trips(total, failures, b.Failures, now.Sub(b.FailedAt))
}

// trips says whether a breaker opens: total attempts and failures lie in the
// window, the last run of them failed one after the other for the time that it
// lasted. With much traffic a short run happens by chance, so that there the
// share of failures decides, or a run that can't be chance.
func trips(total, failures, run int, lasted time.Duration) bool {
	if total >= breakerSample && float64(failures) >= breakerRate*float64(total) {
		return true
	}
	if run < breakerConsecutive {
		return false
	}
	if total < breakerSample || lasted >= breakerLongRun {
		return true
	}
	before := max(total-run, 1)
	usual := max(float64(max(failures-run, 0))/float64(before), breakerNoise)
	return lasted >= breakerShortRun && math.Pow(usual, float64(run)) <= breakerChance
}

// slice is the number of the slice of time (the window's resolution) that now lies in.
func slice(now time.Time) int64 {
	return max(now.UnixNano(), 0) / int64(breakerWindow/breakerBuckets)
}

// MarshalBreaker is the form in which a store keeps a breaker.
func MarshalBreaker(b Breaker) []byte {
	out, err := json.Marshal(b)
	if err != nil { // plain numbers and times between years 0 and 9999 only
		return nil
	}
	return out
}

// UnmarshalBreaker reads what MarshalBreaker wrote. What was in flight then is
// not any more.
func UnmarshalBreaker(data []byte) (Breaker, error) {
	var b Breaker
	err := json.Unmarshal(data, &b)
	b.InFlight = 0
	return b, err
}
