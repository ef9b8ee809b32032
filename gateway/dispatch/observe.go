package dispatch

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"postern/webhook"
)

// Observer hears how deliveries end, for metrics. It must return quickly.
type Observer interface {
	// Delivered is called for each end of a delivery attempt, and for each
	// delivery that was not attempted; age is the message's, from its last octet.
	Delivered(o webhook.Outcome, age time.Duration)
}

type nobody struct{}

func (nobody) Delivered(webhook.Outcome, time.Duration) {}

// AddressLog says how much of an address logs show: addresses are personal data.
type AddressLog string

// The settings of POSTERN_LOG_ADDRESSES.
const (
	LogFull   AddressLog = "full"
	LogDomain AddressLog = "domain"
	LogNone   AddressLog = "none"
)

// Show renders an address for a log line.
func (l AddressLog) Show(address string) string {
	switch l {
	case LogFull:
		return address
	case LogNone:
		return ""
	}
	return address[strings.LastIndexByte(address, '@')+1:]
}

// observe counts and logs the end of an attempt, one line each.
func (x *Dispatcher) observe(d *Delivery) {
	o := d.Outcome
	x.deps.Observer.Delivered(o, x.deps.Now().Sub(d.Mail.Envelope.Received))
	level := slog.LevelInfo
	if o.Result != webhook.Delivered {
		level = slog.LevelWarn
	}
	log := x.deps.Logger
	if !log.Enabled(context.Background(), level) {
		return
	}
	env := d.Mail.Envelope
	attrs := []slog.Attr{
		slog.String("message", env.ID), slog.String("delivery", d.ID), slog.String("endpoint", o.Endpoint),
		slog.String("from", x.cfg.LogAddresses.Show(env.From)), slog.Int("rcpts", len(d.To)), slog.Int64("size", env.Size),
		slog.String("result", string(o.Reason)), slog.Int("status", o.Status), slog.Int("attempt", d.Attempt), slog.Int64("took_ms", o.Elapsed.Milliseconds()),
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("err", o.Err.Error()))
	}
	log.LogAttrs(context.Background(), level, "delivery", attrs...)
}
