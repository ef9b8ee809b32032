package retry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Admin is what an operator can do with a queue: the commands and the API are
// both made of it. Its results are ready for JSON.
type Admin struct {
	q   Queue
	now func() time.Time
}

// NewAdmin returns the operator's side of a queue. now is nil for time.Now.
func NewAdmin(q Queue, now func() time.Time) *Admin {
	if now == nil {
		now = time.Now
	}
	return &Admin{q: q, now: now}
}

// Listing is a page of deliveries.
type Listing struct {
	Deliveries []Info `json:"deliveries"`
	Next       string `json:"next,omitempty"` // Page.After of the next page
}

// Shown is all that is known of a delivery but the mail itself.
type Shown struct {
	Info
	History  []Attempt       `json:"history"`
	Envelope json.RawMessage `json:"envelope,omitempty"`
}

// Changed says how many deliveries an action touched.
type Changed struct {
	Count int `json:"count"`
}

// Overview is the queue at a glance.
type Overview struct {
	Bytes        int64                     `json:"bytes"`
	MaxBytes     int64                     `json:"max_bytes"`
	Messages     int64                     `json:"messages"`
	MaxMessages  int64                     `json:"max_messages"`
	OldestDue    *time.Time                `json:"oldest_due,omitempty"`
	Endpoints    map[string]EndpointCounts `json:"endpoints"`
	DeadByReason map[string]int64          `json:"dead_by_reason"`
	Healthy      bool                      `json:"healthy"`
	Problem      string                    `json:"problem,omitempty"`
}

// EndpointCounts is an endpoint at a glance.
type EndpointCounts struct {
	Due         int64        `json:"due"`
	Leased      int64        `json:"leased"`
	Dead        int64        `json:"dead"`
	Paused      bool         `json:"paused"`
	PausedUntil *time.Time   `json:"paused_until,omitempty"`
	Why         string       `json:"why,omitempty"`
	Breaker     BreakerState `json:"breaker,omitempty"` // as last saved
}

// List lists deliveries, the oldest first.
func (a *Admin) List(ctx context.Context, f Filter, p Page) (Listing, error) {
	list, next, err := a.q.List(ctx, f, p)
	if err != nil {
		return Listing{}, err
	}
	if list == nil {
		list = []Info{}
	}
	return Listing{Deliveries: list, Next: next.After}, nil
}

// Show tells all about one delivery.
func (a *Admin) Show(ctx context.Context, id string) (Shown, error) {
	info, history, err := a.q.Get(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{Info: info, History: history}
	if s.History == nil {
		s.History = []Attempt{}
	}
	m, body, err := a.q.OpenMessage(ctx, info.MessageID)
	if err == nil {
		_ = body.Close()
	}
	if json.Valid(m.Envelope) {
		s.Envelope = m.Envelope
	}
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return Shown{}, err
	}
	return s, nil
}

// Replay makes dead letters due now, for another endpoint where to isn't "".
func (a *Admin) Replay(ctx context.Context, f Filter, to string) (Changed, error) {
	n, err := a.q.Replay(ctx, f, to, a.now())
	return Changed{n}, err
}

// Delete removes deliveries for good, those under way excepted.
func (a *Admin) Delete(ctx context.Context, f Filter) (Changed, error) {
	n, err := a.q.Delete(ctx, f)
	return Changed{n}, err
}

// Pause holds an endpoint's deliveries back for d, 0 until Resume. Their age
// still counts.
func (a *Admin) Pause(ctx context.Context, endpoint string, d time.Duration, why string) error {
	if endpoint == "" {
		return errors.New("name the endpoint to pause")
	}
	var until time.Time
	if d > 0 {
		until = a.now().Add(d)
	}
	return a.q.Pause(ctx, endpoint, until, why)
}

// Resume ends a pause.
func (a *Admin) Resume(ctx context.Context, endpoint string) error {
	if endpoint == "" {
		return errors.New("name the endpoint to resume")
	}
	return a.q.Resume(ctx, endpoint)
}

// Export writes a delivery's mail, verified, as an .eml file. After an error
// what was written is not the mail.
func (a *Admin) Export(ctx context.Context, id string, w io.Writer) error {
	info, _, err := a.q.Get(ctx, id)
	if err != nil {
		return err
	}
	_, body, err := a.q.OpenMessage(ctx, info.MessageID)
	if err != nil {
		return fmt.Errorf("exporting %s: %w", id, err)
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("exporting %s: %w", id, err)
	}
	return nil
}

// Overview counts what waits and says how the store is.
func (a *Admin) Overview(ctx context.Context) (Overview, error) {
	s, err := a.q.Stats(ctx)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{Bytes: s.Bytes, MaxBytes: s.MaxBytes, Messages: s.Messages, MaxMessages: s.MaxMessages,
		Endpoints: map[string]EndpointCounts{}, DeadByReason: s.DeadByReason, Healthy: true}
	if !s.OldestDue.IsZero() {
		o.OldestDue = &s.OldestDue
	}
	for name, c := range s.Endpoints {
		o.Endpoints[name] = EndpointCounts{Due: c.Due, Leased: c.Leased, Dead: c.Dead}
	}
	states, err := a.q.Endpoints(ctx)
	if err != nil {
		return Overview{}, err
	}
	for _, e := range states {
		o.Endpoints[e.Endpoint] = o.Endpoints[e.Endpoint].with(e)
	}
	if err := a.q.Health(ctx); err != nil {
		o.Healthy, o.Problem = false, err.Error()
	}
	return o, nil
}

func (c EndpointCounts) with(e EndpointState) EndpointCounts {
	c.Paused, c.Why = e.Paused, e.Why
	if !e.PausedUntil.IsZero() {
		c.PausedUntil = &e.PausedUntil
	}
	if b, err := UnmarshalBreaker(e.Breaker); err == nil {
		c.Breaker = b.State
	}
	return c
}
