package gateway

import (
	"context"
	"log/slog"
	"strings"

	"postern/gateway/mail"
	"postern/webhook"
)

// Observer hears what becomes of messages, for metrics. Its methods must
// return quickly.
type Observer interface {
	// Received is called for each reply to a message.
	Received(e *mail.Envelope, code int)
	// Delivered is called for each end of a delivery attempt.
	Delivered(o webhook.Outcome, queued bool)
	// Queued is called for each delivery that was stored.
	Queued(endpoint string, dead bool)
}

type nobody struct{}

func (nobody) Received(*mail.Envelope, int)    {}
func (nobody) Delivered(webhook.Outcome, bool) {}
func (nobody) Queued(string, bool)             {}

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
func (g *Gateway) observe(d *delivery, o webhook.Outcome) {
	g.Observer.Delivered(o, d.queued)
	level := slog.LevelInfo
	if o.Result != webhook.Delivered {
		level = slog.LevelWarn
	}
	log := g.Logger
	if !log.Enabled(context.Background(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", d.m.env.ID), slog.String("delivery", d.id), slog.String("endpoint", d.ep.Name()),
		slog.String("from", g.LogAddresses.Show(d.m.env.From)), slog.Int("rcpts", len(d.to)), slog.Int64("size", d.m.env.Size),
		slog.String("result", string(o.Reason)), slog.Int("status", o.Status), slog.Int("attempt", d.attempt), slog.Duration("took", o.Elapsed),
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("error", o.Err.Error()))
	}
	log.LogAttrs(context.Background(), level, "delivery", attrs...)
}
