package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// where turns a filter into a condition on delivery d and message m.
func where(f retry.Filter, now time.Time) (string, []any) {
	var cond []string
	var args []any
	add := func(c string, a ...any) { cond, args = append(cond, c), append(args, a...) }
	if len(f.IDs) > 0 {
		ids, _ := json.Marshal(f.IDs) // strings always marshal
		add("d.id IN (SELECT value FROM json_each(?))", string(ids))
	}
	if f.MessageID != "" {
		add("m.id = ?", f.MessageID)
	}
	switch f.State {
	case retry.Due:
		add("(d.state = 0 OR (d.state = 1 AND d.leased_from = 0 AND d.lease_until_ms <= ?))", retry.Millis(now))
	case retry.Leased:
		add("(d.state = 1 AND d.lease_until_ms > ?)", retry.Millis(now))
	case retry.Dead:
		add("(d.state = 2 OR (d.state = 1 AND d.leased_from = 2 AND d.lease_until_ms <= ?))", retry.Millis(now))
	}
	if f.Endpoint != "" {
		add("d.endpoint = ?", f.Endpoint)
	}
	if f.Recipient != "" {
		add("EXISTS (SELECT 1 FROM json_each(d.recipients) WHERE value = ? COLLATE NOCASE)", f.Recipient)
	}
	if f.Reason != "" {
		add("d.reason = ?", f.Reason)
	}
	if !f.Before.IsZero() {
		add("m.received_ms < ?", retry.Millis(f.Before))
	}
	if len(cond) == 0 {
		return "1", nil
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
	rows, err := q.read.QueryContext(ctx, "SELECT "+infoColumns+" FROM delivery d JOIN message m ON m.n = d.message WHERE d.n > ? AND "+cond+" ORDER BY d.n LIMIT ?",
		append(append([]any{after}, args...), size+1)...)
	if err != nil {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	defer rows.Close()
	var out []retry.Info
	var last int64
	for rows.Next() {
		var s scanned
		if err := rows.Scan(s.dest()...); err != nil {
			return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
		}
		if len(out) == size {
			return out, retry.Page{After: strconv.FormatInt(last, 10), Size: size}, nil
		}
		out, last = append(out, q.fresh(s)), s.n
	}
	return out, retry.Page{}, rows.Err()
}

// fresh shows a lease that ran out as what it falls back to.
func (q *Queue) fresh(s scanned) retry.Info {
	if s.state == stateLeased && s.lease <= retry.Millis(q.now()) {
		s.state = s.leasedFrom
	}
	return s.info()
}

// Get implements retry.Queue.
func (q *Queue) Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	var s scanned
	err := q.read.QueryRowContext(ctx, "SELECT "+infoColumns+" FROM delivery d JOIN message m ON m.n = d.message WHERE d.id = ?", id).Scan(s.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return retry.Info{}, nil, fmt.Errorf("%w: %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	rows, err := q.read.QueryContext(ctx, "SELECT n, at_ms, status, took_ns, reason, error FROM attempt WHERE delivery = ? ORDER BY n", s.n)
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	defer rows.Close()
	var attempts []retry.PastAttempt
	for rows.Next() {
		var a retry.PastAttempt
		var at, took int64
		if err := rows.Scan(&a.N, &at, &a.Status, &took, &a.Reason, &a.Error); err != nil {
			return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
		}
		a.At, a.Took = retry.FromMillis(at), time.Duration(took)
		attempts = append(attempts, a)
	}
	return q.fresh(s), attempts, rows.Err()
}

// OpenMessage implements retry.Queue.
func (q *Queue) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	var (
		m                    retry.Message
		n, received, expires int64
		size                 int64
		sha                  []byte
		file                 sql.NullString
	)
	err := q.read.QueryRowContext(ctx, `SELECT n, id, key, received_ms, expires_ms, sender, subject, size, sha256, file, envelope
		FROM message WHERE id = ?`, id).Scan(&n, &m.ID, &m.Key, &received, &expires, &m.From, &m.Subject, &size, &sha, &file, &m.Envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil, fmt.Errorf("%w: message %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return m, nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	m.Received, m.Life = retry.FromMillis(received), time.Duration(expires-received)*time.Millisecond
	m.Body = storedRef(n, size, sha, file)
	body, err := q.Open(ctx, m.Body)
	return m, body, err
}
