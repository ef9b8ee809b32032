package engine

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"postern/retry"
)

// Conditions are a filter's parts in an engine's SQL, of delivery d and
// message m, with the named arguments @now, @message, @endpoint, @reason,
// @before and @since; IDs, Prefix and Recipient take @ids, @prefix and @recipient in the
// engine's form.
type Conditions struct{ IDs, Prefix, Recipient string }

// Where turns a filter into an SQL condition and its named arguments; ids makes the
// argument that the engine's driver wants for a list of strings.
func (c Conditions) Where(f retry.Filter, now time.Time, ids func([]string) any) (string, map[string]any) {
	cond, args := []string{"1 = 1"}, map[string]any{"now": Millis(now)}
	add := func(use bool, sql, name string, v any) {
		if use {
			cond, args[name] = append(cond, sql), v
		}
	}
	add(len(f.IDs) > 0, c.IDs, "ids", ids(f.IDs))
	add(f.Prefix != "", c.Prefix, "prefix", f.Prefix)
	add(f.MessageID != "", "m.id = @message", "message", f.MessageID)
	add(states[f.State] != "", states[f.State], "now", Millis(now))
	add(f.Endpoint != "", "d.endpoint = @endpoint", "endpoint", f.Endpoint)
	add(f.Recipient != "", c.Recipient, "recipient", f.Recipient)
	add(f.Reason != "", "d.reason = @reason", "reason", f.Reason)
	add(!f.Before.IsZero(), "m.received_ms < @before", "before", Millis(f.Before))
	add(!f.Since.IsZero(), "m.received_ms >= @since", "since", Millis(f.Since))
	return strings.Join(cond, " AND "), args
}

// states are the conditions for a state; a lease that ran out is what it falls
// back to.
var states = map[retry.State]string{
	retry.Due:    "(d.state = 0 OR (d.state = 1 AND d.leased_from <> 2 AND d.lease_until_ms <= @now))",
	retry.Leased: "(d.state = 1 AND d.lease_until_ms > @now)",
	retry.Dead:   "(d.state = 2 OR (d.state = 1 AND d.leased_from = 2 AND d.lease_until_ms <= @now))",
}

// Needed returns retry.ErrNoFilter for a filter that selects everything and doesn't
// say so with All: what changes deliveries must not do that by mistake.
func Needed(f retry.Filter) error {
	if f.Empty() && !f.All {
		return retry.ErrNoFilter
	}
	return nil
}

// pageSize is how many deliveries a list gives where Page.Size is 0.
const pageSize = 100

// Place is where a page of a list begins: the lists are in the order of the
// deliveries' row numbers.
type Place struct {
	After int64
	Size  int
}

// PlaceOf reads the page that an earlier Place.Page returned as the next.
func PlaceOf(p retry.Page) (Place, error) {
	at := Place{Size: p.Size}
	if at.Size <= 0 {
		at.Size = pageSize
	}
	if p.After == "" {
		return at, nil
	}
	n, err := strconv.ParseInt(p.After, 10, 64)
	if err != nil || n < 1 {
		return at, fmt.Errorf("%w: after=%q", retry.ErrPage, p.After)
	}
	at.After = n
	return at, nil
}

// Page turns the rows of a query into a page of a list. The query has a limit of
// one row more than the page's size: where that row comes, there is a next page.
func (p Place) Page(rows []Row, now time.Time) (out []retry.Info, next retry.Page) {
	if len(rows) > p.Size {
		rows = rows[:p.Size]
		next = retry.Page{After: strconv.FormatInt(rows[p.Size-1].N, 10), Size: p.Size}
	}
	for i := range rows {
		out = append(out, rows[i].Info(now))
	}
	return out, next
}

// With adds arguments to those of a condition.
func With(args map[string]any, more map[string]any) map[string]any {
	maps.Copy(args, more)
	return args
}
