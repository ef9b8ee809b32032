package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
	"postern/retry"
)

// collectTTL is how long a mail that is handed over by TURN stays leased
// without a sign of life; it is extended every third of it.
const collectTTL = 2 * time.Minute

// Collect implements smtp.Collector (TURN): what waits, deferred or dead, for
// the endpoints that the client may collect from.
func (g *Gateway) Collect(ctx context.Context, c *smtp.Client) (smtp.Collection, smtp.Reply) {
	if g.Queue == nil || len(c.Collect) == 0 {
		return nil, smtp.Reply{Code: 502, Enhanced: reply.Enhanced{5, 7, 1}, Lines: []string{"There is nothing that you may collect"}}
	}
	col := &collection{g: g, by: c.Auth}
	for _, endpoint := range c.Collect {
		if err := col.list(ctx, endpoint); err != nil {
			g.Logger.Error("the queue can't be listed", "for", c.Auth, "error", err)
			return nil, replyLocalError
		}
	}
	return col, smtp.Reply{}
}

// collection yields the deliveries that waited when the client asked; each is
// leased when its turn comes.
type collection struct {
	g   *Gateway
	by  string
	ids []string
}

func (c *collection) list(ctx context.Context, endpoint string) error {
	for _, state := range []retry.State{retry.Due, retry.Dead} {
		page := retry.Page{Size: 500}
		for {
			list, next, err := c.g.Queue.List(ctx, retry.Filter{Endpoint: endpoint, State: state}, page)
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
		l, err := c.g.Queue.LeaseID(ctx, id, collectTTL)
		if errors.Is(err, retry.ErrNotFound) || errors.Is(err, retry.ErrLeaseLost) {
			continue
		}
		if err != nil {
			return nil, err
		}
		w, err := c.waiting(ctx, l)
		if err != nil {
			c.g.Logger.Error("a waiting mail can't be handed over", "delivery", id, "error", err)
			c.release(l, retry.Attempt{})
			continue
		}
		return w, nil
	}
	return nil, io.EOF
}

// waiting makes a mail to hand over of a lease.
func (c *collection) waiting(ctx context.Context, l retry.Lease) (*smtp.Waiting, error) {
	m, err := c.g.load(ctx, l)
	if err != nil {
		return nil, err
	}
	w, err := c.describe(l, m)
	if err != nil {
		m.close()
		return nil, err
	}
	h := c.hold(ctx, l, m)
	w.Settle = func(_ context.Context, code int, text string, err error) { c.settle(h, code, text, err) }
	w.Skip = func(_ context.Context, why string) {
		h.end()
		c.g.Logger.Info("a waiting mail stays: "+why, "delivery", l.ID, "for", c.by)
		c.release(l, retry.Attempt{})
	}
	return w, nil
}

// describe says what the peer must know and be able to take.
func (c *collection) describe(l retry.Lease, m *message) (w *smtp.Waiting, err error) {
	w = &smtp.Waiting{Size: m.raw.Size(), Binary: m.env.Body == "BINARYMIME", RequireTLS: m.env.RequireTLS}
	var ok bool
	if w.From, ok = smtp.ParseAddress(m.env.From); !ok {
		return nil, fmt.Errorf("gateway: reverse-path %q", m.env.From)
	}
	for _, r := range l.Recipients {
		to, ok := smtp.ParseAddress(r)
		if !ok {
			return nil, fmt.Errorf("gateway: forward-path %q", r)
		}
		w.Recipients = append(w.Recipients, to)
	}
	ascii := func(a smtp.Address) bool { return a.ASCII() }
	if w.EightBit, w.BareLF, err = octets(m.raw); err != nil {
		return nil, err
	}
	w.UTF8 = m.env.UTF8 || !w.From.ASCII() || !all(w.Recipients, ascii)
	w.Open = func(context.Context) (io.ReadCloser, error) { return m.raw.Open() }
	return w, nil
}

// settle ends a handed-over mail: the peer's 2xx makes it the peer's, anything
// else leaves it as it was and records the attempt.
func (c *collection) settle(h *held, code int, text string, err error) {
	h.end()
	a := retry.Attempt{At: c.g.Now(), Reason: "turn", Status: code, Error: text}
	switch {
	case err != nil:
		a.Error = err.Error()
	case code/100 == 2:
		a.Error = ""
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if err := c.g.Queue.Ack(ctx, h.lease, a); err != nil {
			c.g.Logger.Error("a mail was handed over, but the queue keeps it: it may be delivered again", "delivery", h.lease.ID, "error", err)
			return
		}
		c.g.Logger.Info("mail handed over", "delivery", h.lease.ID, "for", c.by)
		return
	}
	c.release(h.lease, a)
}

func (c *collection) release(l retry.Lease, a retry.Attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := c.g.Queue.Release(ctx, l, a); err != nil {
		c.g.Logger.Warn("a lease could not be given back, it runs out by itself", "delivery", l.ID, "error", err)
	}
}

// held is a lease that is kept alive until end.
type held struct {
	lease retry.Lease
	mail  *message
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func (c *collection) hold(ctx context.Context, l retry.Lease, m *message) *held {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &held{lease: l, mail: m, stop: stop}
	h.done.Go(func() {
		tick := time.NewTicker(collectTTL / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := c.g.Queue.Extend(ctx, l, collectTTL); err != nil && ctx.Err() == nil {
					c.g.Logger.Warn("a lease could not be extended", "delivery", l.ID, "error", err)
				}
			}
		}
	})
	return h
}

func (h *held) end() {
	h.stop()
	h.done.Wait()
	h.mail.close()
}

// octets looks through a message for what a peer must be able to take: octets
// above 127, and line ends that are no CRLF.
func octets(src mail.Source) (eightBit, bareLF bool, err error) {
	r, err := src.Open()
	if err != nil {
		return false, false, err
	}
	defer r.Close()
	buf := make([]byte, 32<<10)
	last := byte(0)
	for {
		n, err := r.Read(buf)
		eightBit = eightBit || slices.ContainsFunc(buf[:n], func(b byte) bool { return b >= 0x80 || b == 0 })
		bareLF = bareLF || bare(last, buf[:n])
		if n > 0 {
			last = buf[n-1]
		}
		if err == io.EOF {
			return eightBit, bareLF || last == '\r', nil
		}
		if err != nil {
			return false, false, err
		}
	}
}

// bare reports whether a CR or LF stands alone in b, which follows last.
func bare(last byte, b []byte) bool {
	for len(b) > 0 {
		if last == '\r' && b[0] != '\n' || last != '\r' && b[0] == '\n' {
			return true
		}
		i := bytes.IndexAny(b, "\r\n")
		switch {
		case i < 0:
			return false
		case i == 0:
			last, b = b[0], b[1:]
		default:
			last, b = b[i-1], b[i:]
		}
	}
	return false
}

func all[T any](list []T, f func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !f(v) })
}
