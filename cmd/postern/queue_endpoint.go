package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/ops"
	"postern/gateway/ops/audit"
	"postern/gateway/text"
	"postern/retry"
)

func (q *queueCommand) pauseEndpoint(ctx context.Context) error {
	q.why = audit.Why(q.why)
	if err := q.queue.Pause(ctx, q.args[0], q.pause, q.why); err != nil {
		return err
	}
	audited(q.s, q.cfg.Process, audit.Paused, 1, slog.String("endpoint", q.args[0]), slog.String("for", q.pause.String()), slog.String("why", q.why))
	until := "until it is resumed"
	if q.pause > 0 {
		until = "for " + config.Duration(q.pause)
	}
	_, err := fmt.Fprintf(q.s.Out, "%s is paused %s; postern queue resume %s ends it\n", q.args[0], until, q.args[0])
	return err
}

func (q *queueCommand) resume(ctx context.Context) error {
	states, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	if err := q.queue.Resume(ctx, q.args[0]); err != nil {
		return err
	}
	audited(q.s, q.cfg.Process, audit.Resumed, 1, slog.String("endpoint", q.args[0]))
	note := ""
	if openBreaker(states, q.args[0]) {
		note = "; its breaker was open and lets a probe through now"
	}
	_, err = fmt.Fprintf(q.s.Out, "%s goes on%s\n", q.args[0], note)
	return err
}

func openBreaker(all []retry.EndpointState, name string) bool {
	for _, e := range all {
		if e.Endpoint == name {
			b, err := retry.UnmarshalBreaker(e.Breaker)
			return err == nil && b.State == retry.BreakerOpen
		}
	}
	return false
}

func (q *queueCommand) stats(ctx context.Context) error {
	st, err := q.queue.Stats(ctx)
	if err != nil {
		return err
	}
	if q.json {
		return json.NewEncoder(q.s.Out).Encode(ops.StatsJSON(st))
	}
	endpoints, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(q.s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "messages\t%d of %d\nsize\t%s of %s\n", st.Messages, st.MaxMessages, config.Size(st.Bytes).Rough(), config.Size(st.MaxBytes).Rough())
	if !st.OldestDue.IsZero() {
		fmt.Fprintf(w, "oldest waiting\t%s\n", short(time.Since(st.OldestDue)))
	}
	fmt.Fprintln(w, "\nendpoint\tdue\tleased\tdead\t")
	for _, name := range slices.Sorted(maps.Keys(st.Endpoints)) {
		c := st.Endpoints[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", name, c.Due, c.Leased, c.Dead, heldNote(endpoints, name, time.Now()))
	}
	for _, reason := range slices.Sorted(maps.Keys(st.DeadByReason)) {
		fmt.Fprintf(w, "dead: %s\t%d\n", reason, st.DeadByReason[reason])
	}
	return w.Flush()
}

// heldNote says why an endpoint's mail waits although it is due: the operator
// paused it, or its breaker is open.
func heldNote(all []retry.EndpointState, name string, now time.Time) string {
	for _, e := range all {
		if e.Endpoint != name {
			continue
		}
		if e.Paused {
			return strings.TrimSuffix("paused: "+text.Terminal(e.Why), ": ")
		}
		if b, err := retry.UnmarshalBreaker(e.Breaker); err == nil && b.State == retry.BreakerOpen {
			return "breaker, probe in " + short(max(b.Until.Sub(now), 0))
		}
	}
	return ""
}
