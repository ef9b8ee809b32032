package ops

import (
	"sync"
	"time"

	"postern/gateway/mail"
	"postern/webhook"
)

// recentSize is how many of each kind the page shows.
const recentSize = 200

// Arrival is a message as it was answered.
type Arrival struct {
	At         time.Time `json:"at"`
	ID         string    `json:"id"`
	From       string    `json:"from"`
	Recipients []string  `json:"recipients"`
	Size       int64     `json:"size"`
	Code       int       `json:"code"` // SMTP reply
}

// Answer is the end of a delivery attempt.
type Answer struct {
	At       time.Time `json:"at"`
	Endpoint string    `json:"endpoint"`
	Result   string    `json:"result"` // delivered, deferred, rejected
	Reason   string    `json:"reason"`
	Status   int       `json:"status"` // HTTP status, 0 where none came
	Queued   bool      `json:"queued"` // came out of the queue
	TookMS   int64     `json:"took_ms"`
	Error    string    `json:"error,omitempty"`
}

// Recent remembers the last arrivals and answers, in memory alone. A nil
// *Recent remembers nothing.
type Recent struct {
	now      func() time.Time
	mu       sync.Mutex
	arrivals ring[Arrival]
	answers  ring[Answer]
}

// NewRecent returns an empty memory; now is nil for time.Now.
func NewRecent(now func() time.Time) *Recent {
	if now == nil {
		now = time.Now
	}
	return &Recent{now: now}
}

func (r *Recent) received(e *mail.Envelope, code int) {
	if r == nil {
		return
	}
	to := make([]string, 0, min(len(e.To), 10))
	for _, rcpt := range e.To[:cap(to)] {
		to = append(to, rcpt.Address)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals.add(Arrival{At: r.now(), ID: e.ID, From: e.From, Recipients: to, Size: e.Size, Code: code})
}

func (r *Recent) delivered(o webhook.Outcome, queued bool) {
	if r == nil {
		return
	}
	a := Answer{At: r.now(), Endpoint: o.Endpoint, Result: resultWord(o.Result), Reason: string(o.Reason),
		Status: o.Status, Queued: queued, TookMS: o.Elapsed.Milliseconds()}
	if o.Err != nil {
		a.Error = o.Err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers.add(a)
}

func resultWord(r webhook.Result) string {
	switch r {
	case webhook.Delivered:
		return "delivered"
	case webhook.Rejected:
		return "rejected"
	}
	return "deferred"
}

// list returns what is remembered, newest first.
func (r *Recent) list() ([]Arrival, []Answer) {
	if r == nil {
		return []Arrival{}, []Answer{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrivals.newest(), r.answers.newest()
}

// ring keeps the last recentSize values.
type ring[T any] struct {
	items []T
	next  int
}

func (r *ring[T]) add(v T) {
	if len(r.items) < recentSize {
		r.items = append(r.items, v)
		return
	}
	r.items[r.next] = v
	r.next = (r.next + 1) % recentSize
}

func (r *ring[T]) newest() []T {
	out := make([]T, 0, len(r.items))
	for i := len(r.items) - 1; i >= 0; i-- {
		out = append(out, r.items[(r.next+i)%len(r.items)])
	}
	return out
}
