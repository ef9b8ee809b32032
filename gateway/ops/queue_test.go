package ops

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/retry"
)

// memQueue is a queue in memory, as far as this package asks one.
type memQueue struct {
	mu       sync.Mutex
	infos    []retry.Info
	attempts map[string][]retry.PastAttempt
	states   map[string]retry.EndpointState
	messages map[string]memMessage
	broken   error
	asked    int // calls of Stats
}

type memMessage struct {
	m    retry.Message
	data []byte
	sum  [32]byte
}

func newMemQueue(infos ...retry.Info) *memQueue {
	return &memQueue{infos: infos, attempts: map[string][]retry.PastAttempt{}, states: map[string]retry.EndpointState{}, messages: map[string]memMessage{}}
}

// keep stores a message as the gateway would.
func (q *memQueue) keep(t testing.TB, env *mail.Envelope, data []byte) {
	t.Helper()
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	q.messages[env.ID] = memMessage{retry.Message{ID: env.ID, Envelope: b}, data, sha256.Sum256(data)}
}

func (q *memQueue) selects(f retry.Filter, i retry.Info) bool {
	return (len(f.IDs) == 0 || slices.Contains(f.IDs, i.ID)) && (f.State == "" || f.State == i.State) &&
		(f.Endpoint == "" || f.Endpoint == i.Endpoint) && (f.Reason == "" || f.Reason == i.Reason) &&
		(f.MessageID == "" || f.MessageID == i.MessageID) && (f.Before.IsZero() || i.Received.Before(f.Before)) && !i.Received.Before(f.Since) &&
		(f.Recipient == "" || slices.Contains(i.Recipients, f.Recipient))
}

func isEmpty(f retry.Filter) bool {
	return len(f.IDs) == 0 && f.MessageID == "" && f.State == "" && f.Endpoint == "" && f.Recipient == "" && f.Reason == "" && f.Before.IsZero() && f.Since.IsZero() && !f.All
}

func (q *memQueue) List(_ context.Context, f retry.Filter, p retry.Page) ([]retry.Info, retry.Page, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []retry.Info
	for _, i := range q.infos {
		if q.selects(f, i) && i.ID > p.After {
			if p.Size > 0 && len(out) == p.Size {
				return out, retry.Page{After: out[len(out)-1].ID, Size: p.Size}, q.broken
			}
			out = append(out, i)
		}
	}
	return out, retry.Page{}, q.broken
}

func (q *memQueue) Get(_ context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.infos {
		if i.ID == id {
			return i, q.attempts[id], nil
		}
	}
	return retry.Info{}, nil, retry.ErrNotFound
}

func (q *memQueue) Replay(_ context.Context, f retry.Filter, to string, wait time.Duration) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if isEmpty(f) {
		return 0, retry.ErrNoFilter
	}
	n := 0
	for i := range q.infos {
		if q.selects(f, q.infos[i]) && q.infos[i].State == retry.Dead {
			q.infos[i].State, q.infos[i].DueAt = retry.Due, time.Now().Add(wait)
			if to != "" {
				q.infos[i].Endpoint = to
			}
			n++
		}
	}
	return n, nil
}

func (q *memQueue) RetryNow(_ context.Context, f retry.Filter, spread time.Duration) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if isEmpty(f) {
		return 0, retry.ErrNoFilter
	}
	n := 0
	for i := range q.infos {
		if q.selects(f, q.infos[i]) && q.infos[i].State == retry.Due {
			q.infos[i].DueAt = time.Now().Add(spread)
			n++
		}
	}
	return n, nil
}

func (q *memQueue) Delete(_ context.Context, f retry.Filter) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if isEmpty(f) {
		return 0, retry.ErrNoFilter
	}
	before := len(q.infos)
	q.infos = slices.DeleteFunc(q.infos, func(i retry.Info) bool { return q.selects(f, i) && i.State != retry.Leased })
	return before - len(q.infos), nil
}

func (q *memQueue) Pause(_ context.Context, endpoint string, d time.Duration, why string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := time.Time{}
	if d > 0 {
		until = time.Now().Add(d)
	}
	q.states[endpoint] = retry.EndpointState{Endpoint: endpoint, Paused: true, PausedUntil: until, Why: why}
	return nil
}

func (q *memQueue) Resume(_ context.Context, endpoint string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.states, endpoint)
	return nil
}

func (q *memQueue) Endpoints(context.Context) ([]retry.EndpointState, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []retry.EndpointState
	for _, s := range q.states {
		out = append(out, s)
	}
	return out, q.broken
}

func (q *memQueue) Stats(context.Context) (retry.Stats, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	s := retry.Stats{MaxBytes: 1 << 30, MaxMessages: 1000, Endpoints: map[string]retry.Counts{}, DeadByReason: map[string]int64{}}
	for _, i := range q.infos {
		c := s.Endpoints[i.Endpoint]
		switch i.State {
		case retry.Due:
			c.Due++
			if s.OldestDue.IsZero() || i.Received.Before(s.OldestDue) {
				s.OldestDue = i.Received
			}
		case retry.Leased:
			c.Leased++
		case retry.Dead:
			c.Dead++
			s.DeadByReason[i.Reason]++
		}
		s.Endpoints[i.Endpoint] = c
		s.Messages++
		s.Bytes += i.Size
	}
	return s, q.broken
}

func (q *memQueue) Health(context.Context) error { return q.broken }

func (q *memQueue) OpenMessage(_ context.Context, id string) (retry.Message, retry.StoredBody, error) {
	m, ok := q.messages[id]
	if !ok {
		return retry.Message{}, nil, retry.ErrNotFound
	}
	return m.m, memBody{bytes.NewReader(m.data), m}, nil
}

type memBody struct {
	*bytes.Reader
	m memMessage
}

func (b memBody) Close() error { return nil }

func (b memBody) Verify() error {
	if sha256.Sum256(b.m.data) != b.m.sum {
		return retry.ErrCorrupt
	}
	return nil
}

var _ io.ReaderAt = memBody{}
