package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
)

// pageSize is how many List gives when the page doesn't say.
const pageSize = 100

// infoColumns are what scanned reads, of delivery d and message m.
const infoColumns = `d.n, d.id, d.endpoint, d.recipients, d.state, d.leased_from, d.lease_until_ms, d.due_ms, d.expires_ms, d.attempts, d.reason,
	d.last_status, d.last_error, m.id, m.key, m.received_ms, m.sender, m.subject, m.size`

// scanned is a row of infoColumns.
type scanned struct {
	i                             retry.Info
	n                             int64
	recipients                    string
	state, leasedFrom             int
	lease, due, expires, received int64
}

func (s *scanned) dest() []any {
	i := &s.i
	return []any{&s.n, &i.ID, &i.Endpoint, &s.recipients, &s.state, &s.leasedFrom, &s.lease, &s.due, &s.expires, &i.Attempts, &i.Reason,
		&i.LastStatus, &i.LastError, &i.MessageID, &i.Key, &s.received, &i.From, &i.Subject, &i.Size}
}

func (s *scanned) info() retry.Info {
	s.i.State = [...]retry.State{retry.Due, retry.Leased, retry.Dead}[min(max(s.state, 0), stateDead)]
	s.i.DueAt, s.i.Expires, s.i.Received = retry.FromMillis(s.due), retry.FromMillis(s.expires), retry.FromMillis(s.received)
	_ = json.Unmarshal([]byte(s.recipients), &s.i.Recipients) // a damaged list shows none
	return s.i
}

// fresh shows a lease that ran out as what it falls back to.
func (q *Queue) fresh(s scanned) retry.Info {
	if s.state == stateLeased && s.lease <= retry.Millis(q.now()) {
		s.state = s.leasedFrom
	}
	return s.info()
}

// where turns a filter into a condition on delivery d and message m.
func where(f retry.Filter, now time.Time) (string, pgx.NamedArgs) {
	cond := []string{"true"}
	args := pgx.NamedArgs{"now": retry.Millis(now)}
	add := func(c, name string, v any) { cond, args[name] = append(cond, c), v }
	if len(f.IDs) > 0 {
		add("d.id = ANY(@ids)", "ids", f.IDs)
	}
	if f.MessageID != "" {
		add("m.id = @message", "message", f.MessageID)
	}
	switch f.State {
	case retry.Due:
		cond = append(cond, "(d.state = 0 OR (d.state = 1 AND d.leased_from = 0 AND d.lease_until_ms <= @now))")
	case retry.Leased:
		cond = append(cond, "(d.state = 1 AND d.lease_until_ms > @now)")
	case retry.Dead:
		cond = append(cond, "(d.state = 2 OR (d.state = 1 AND d.leased_from = 2 AND d.lease_until_ms <= @now))")
	}
	if f.Endpoint != "" {
		add("d.endpoint = @endpoint", "endpoint", f.Endpoint)
	}
	if f.Recipient != "" {
		add("EXISTS (SELECT 1 FROM json_array_elements_text(d.recipients::json) r WHERE lower(r) = lower(@recipient))", "recipient", f.Recipient)
	}
	if f.Reason != "" {
		add("d.reason = @reason", "reason", f.Reason)
	}
	if !f.Before.IsZero() {
		add("m.received_ms < @before", "before", retry.Millis(f.Before))
	}
	return strings.Join(cond, " AND "), args
}

// List implements retry.Queue; the oldest stored come first.
func (q *Queue) List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error) {
	size := page.Size
	if size <= 0 {
		size = pageSize
	}
	var after int64
	if page.After != "" {
		n, err := strconv.ParseInt(page.After, 10, 64)
		if err != nil {
			return nil, retry.Page{}, fmt.Errorf("the place %q in the list isn't one that a list gave", page.After)
		}
		after = n
	}
	cond, args := where(f, q.now())
	args["after"], args["limit"] = after, size+1
	rows, err := q.pool.Query(ctx, "SELECT "+infoColumns+" FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.n > @after AND "+cond+" ORDER BY d.n LIMIT @limit", args)
	if err != nil {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanInfo)
	if err != nil {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	var out []retry.Info
	for _, s := range all[:min(len(all), size)] {
		out = append(out, q.fresh(s))
	}
	if len(all) <= size {
		return out, retry.Page{}, nil
	}
	return out, retry.Page{After: strconv.FormatInt(all[size-1].n, 10), Size: size}, nil
}

func scanInfo(r pgx.CollectableRow) (s scanned, err error) {
	err = r.Scan(s.dest()...)
	return s, err
}

// Get implements retry.Queue.
func (q *Queue) Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	var s scanned
	err := q.pool.QueryRow(ctx, "SELECT "+infoColumns+" FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.id = $1", id).Scan(s.dest()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return retry.Info{}, nil, fmt.Errorf("%w: %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	rows, err := q.pool.Query(ctx, "SELECT n, at_ms, status, took_ns, reason, error FROM postern.attempt WHERE delivery = $1 ORDER BY n", s.n)
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	attempts, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (a retry.PastAttempt, err error) {
		var at, took int64
		err = r.Scan(&a.N, &at, &a.Status, &took, &a.Reason, &a.Error)
		a.At, a.Took = retry.FromMillis(at), time.Duration(took)
		return a, err
	})
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	return q.fresh(s), attempts, nil
}

// OpenMessage implements retry.Queue.
func (q *Queue) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	var (
		m                          retry.Message
		n, received, expires, size int64
		sha                        []byte
	)
	err := q.pool.QueryRow(ctx, `SELECT n, id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope
		FROM postern.message WHERE id = $1`, id).Scan(&n, &m.ID, &m.Key, &received, &expires, &m.From, &m.Subject, &size, &sha, &m.Envelope)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, nil, fmt.Errorf("%w: message %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return m, nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	m.Received, m.Life = retry.FromMillis(received), time.Duration(expires-received)*time.Millisecond
	m.Body = storedRef(n, size, sha)
	body, err := q.Open(ctx, m.Body)
	return m, body, err
}
