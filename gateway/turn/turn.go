// Package turn hands waiting mail over to clients who come for it (TURN, RFC
// 821): what is deferred or dead for the endpoints that they may collect.
//
// Each delivery is leased when its turn comes and kept leased while the client
// takes it. The client's 2xx makes it the client's; anything else, a broken
// connection too, leaves it in the state that it was in and records the
// attempt. A damaged mail is never handed over.
package turn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"postern/gateway/archive"
	"postern/gateway/smtp"
	"postern/gateway/smtp/address"
	"postern/gateway/smtp/reply"
	"postern/retry"
)

const (
	// leaseTTL is how long a mail that is handed over stays leased without a
	// sign of life; it is extended every third of it.
	leaseTTL = 2 * time.Minute
	// storeTimeout bounds what is written about a mail that was handed over.
	storeTimeout = 30 * time.Second
	// pageSize is how many deliveries are listed at once.
	pageSize = 500
)

// Queue is what handing over asks of the retry queue.
type Queue interface {
	archive.Bodies
	List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error)
	LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error)
	Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error
	Ack(ctx context.Context, l retry.Lease, a retry.Attempt) error
	Release(ctx context.Context, l retry.Lease, a retry.Attempt) error
}

// Collector is a smtp.Collector.
type Collector struct {
	queue Queue
	log   *slog.Logger
	now   func() time.Time
	told  Told
}

// Told hears what became of a mail that was offered to a client: taken says that it
// is the client's now.
type Told func(l retry.Lease, a retry.Attempt, taken bool)

// New returns a collector; told is nil where nobody wants to hear.
func New(q Queue, log *slog.Logger, now func() time.Time, told Told) *Collector {
	if told == nil {
		told = func(retry.Lease, retry.Attempt, bool) {}
	}
	return &Collector{queue: q, log: log, now: now, told: told}
}

var (
	replyNothing    = reply.Reply{Code: 502, Enhanced: reply.Enhanced{5, 7, 1}, Lines: []string{"There is nothing that you may collect"}}
	replyLocalError = reply.Reply{Code: 451, Enhanced: reply.Enhanced{4, 3, 0}, Lines: []string{"Local error, please try again later"}}
)

// Collect implements smtp.Collector.
func (c *Collector) Collect(ctx context.Context, client *smtp.Client) (smtp.Collection, reply.Reply) {
	if len(client.Collect) == 0 {
		return nil, replyNothing
	}
	col := &collection{Collector: c, by: client.Auth}
	for _, endpoint := range client.Collect {
		if err := col.list(ctx, endpoint); err != nil {
			c.log.Error("the queue can't be listed", "auth", client.Auth, "err", err)
			return nil, replyLocalError
		}
	}
	return col, reply.Reply{}
}

// collection yields the deliveries that waited when the client asked; each is
// leased when its turn comes.
type collection struct {
	*Collector
	by  string
	ids []string
}

func (c *collection) list(ctx context.Context, endpoint string) error {
	for _, state := range []retry.State{retry.Due, retry.Dead} {
		page := retry.Page{Size: pageSize}
		for {
			list, next, err := c.queue.List(ctx, retry.Filter{Endpoint: endpoint, State: state}, page)
			if err != nil {
				return err
			}
			for _, i := range list {
				c.ids = append(c.ids, i.ID)
			}
			if next.After == "" || len(list) == 0 {
				break
			}
			page = next
		}
	}
	return nil
}

// Close implements smtp.Collection; what was not handed over was never leased.
func (c *collection) Close() error { return nil }

// Next implements smtp.Collection. What somebody else took meanwhile is passed over.
func (c *collection) Next(ctx context.Context) (*smtp.Waiting, error) {
	for len(c.ids) > 0 {
		id := c.ids[0]
		c.ids = c.ids[1:]
		l, err := c.queue.LeaseID(ctx, id, leaseTTL)
		if errors.Is(err, retry.ErrNotFound) || errors.Is(err, retry.ErrLeaseLost) {
			continue
		}
		if err != nil {
			return nil, err
		}
		w, err := c.waiting(ctx, l)
		if err != nil {
			c.log.Error("a waiting mail can't be handed over", "delivery", id, "err", err)
			c.release(l, retry.Attempt{})
			continue
		}
		return w, nil
	}
	return nil, io.EOF
}

// waiting makes a mail to hand over of a lease.
func (c *collection) waiting(ctx context.Context, l retry.Lease) (*smtp.Waiting, error) {
	m, err := archive.OpenLease(ctx, c.queue, l)
	if err != nil {
		return nil, err
	}
	w, err := describe(l, m)
	if err != nil {
		m.Close()
		return nil, err
	}
	h := c.hold(ctx, l, m)
	w.Settle = func(_ context.Context, code int, text string, err error) { c.settle(h, code, text, err) }
	w.Skip = func(_ context.Context, why string) {
		h.end()
		c.log.Info("a waiting mail stays", "why", why, "delivery", l.ID, "auth", c.by)
		c.release(l, retry.Attempt{})
	}
	return w, nil
}

// describe says what the peer must know and be able to take.
func describe(l retry.Lease, m *archive.Mail) (w *smtp.Waiting, err error) {
	env, raw := m.Envelope, m.Raw()
	w = &smtp.Waiting{Size: raw.Size(), Binary: env.Body == "BINARYMIME", RequireTLS: env.RequireTLS}
	var ok bool
	if w.From, ok = address.Parse(env.From); !ok {
		return nil, fmt.Errorf("turn: reverse-path %q", env.From)
	}
	w.UTF8 = env.UTF8 || !w.From.ASCII()
	for _, r := range l.Recipients {
		to, ok := address.Parse(r)
		if !ok {
			return nil, fmt.Errorf("turn: forward-path %q", r)
		}
		w.Recipients = append(w.Recipients, to)
		w.UTF8 = w.UTF8 || !to.ASCII()
	}
	if w.EightBit, w.BareLF, err = octets(raw); err != nil {
		return nil, err
	}
	w.Open = func(context.Context) (io.ReadCloser, error) { return raw.Open() }
	return w, nil
}

// settle ends a handed-over mail: the peer's 2xx makes it the peer's, anything
// else leaves it as it was and records the attempt.
func (c *collection) settle(h *held, code int, text string, err error) {
	h.end()
	a := retry.Attempt{At: c.now(), Reason: "turn", Status: code, Error: text}
	switch {
	case err != nil:
		a.Error = err.Error()
	case code/100 == 2:
		a.Error = ""
		c.handedOver(h.lease, a)
		return
	}
	c.told(h.lease, a, false)
	c.release(h.lease, a)
}

func (c *collection) handedOver(l retry.Lease, a retry.Attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := c.queue.Ack(ctx, l, a); err != nil {
		c.log.Error("a mail was handed over, but the queue keeps it: it may be delivered again", "delivery", l.ID, "err", err)
		return
	}
	c.told(l, a, true)
	c.log.Info("mail handed over", "delivery", l.ID, "auth", c.by)
}

func (c *collection) release(l retry.Lease, a retry.Attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := c.queue.Release(ctx, l, a); err != nil {
		c.log.Warn("a lease could not be given back, it runs out by itself", "delivery", l.ID, "err", err)
	}
}
