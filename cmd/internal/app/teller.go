package app

import (
	"context"
	"errors"
	"io/fs"

	"postern/cmd/internal/config"
	"postern/gateway/dispatch"
	"postern/gateway/history"
)

// tellAtOnce is how many events a Teller writes together.
const tellAtOnce = 500

// Teller puts what a command does into the history, beside a running gateway. Where
// there is none, it does nothing; what can't be written is an error of Close alone,
// since the history decides nothing.
type Teller struct {
	ctx     context.Context
	store   history.Store // nil: there is none
	show    func(address string) string
	pending []history.Attempt
	err     error
}

// OpenTeller opens the history for an operator's command.
func OpenTeller(ctx context.Context, c *config.Config) (*Teller, error) {
	t := &Teller{ctx: context.WithoutCancel(ctx), show: dispatch.AddressLog(c.Process.LogAddresses).Show}
	if c.Delivery.Store == config.StoreOff {
		return t, nil
	}
	h, err := HistoryBeside(ctx, c.Delivery)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	t.store = h
	return t, err
}

// Tell takes an event.
func (t *Teller) Tell(a history.Attempt) {
	if t.store == nil {
		return
	}
	for i := range a.To {
		a.To[i] = t.show(a.To[i])
	}
	if t.pending = append(t.pending, a); len(t.pending) >= tellAtOnce {
		t.write()
	}
}

func (t *Teller) write() {
	if len(t.pending) > 0 && t.err == nil {
		t.err = t.store.Write(t.ctx, history.Batch{Attempts: t.pending})
	}
	t.pending = nil
}

// Find is the id of the message that an id or the beginning of one means; the same
// where the history doesn't know it.
func (t *Teller) Find(ctx context.Context, id string) (string, error) {
	if t.store == nil {
		return id, nil
	}
	r, err := t.store.Get(ctx, id)
	switch {
	case err == nil:
		return r.ID, nil
	case errors.Is(err, history.ErrAmbiguous):
		return "", err
	}
	return id, nil
}

// Close writes what is left.
func (t *Teller) Close() error {
	if t.store == nil {
		return nil
	}
	t.write()
	return errors.Join(t.err, t.store.Close())
}
