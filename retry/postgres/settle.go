package postgres

import (
	"context"
	"errors"
	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
	"time"

	"github.com/jackc/pgx/v5"
)

// What a lease that ends makes of its delivery, beside the states as stored.
const (
	stateGone = -2 // acknowledged
	stateWas  = -1 // what it was leased from
)

// ending is how a lease ends.
type ending struct {
	l       retry.Lease
	state   int
	due     int64  // of engine.StateDue
	why     string // of engine.StateDead
	attempt *retry.Attempt
	// doubtful says that an earlier try's commit is in doubt: the lease may have
	// ended by it.
	doubtful bool
}

// Ack implements retry.Queue.
func (q *Queue) Ack(ctx context.Context, l retry.Lease, _ retry.Attempt) error {
	return q.settle(ctx, ending{l: l, state: stateGone})
}

// Retry implements retry.Queue.
func (q *Queue) Retry(ctx context.Context, l retry.Lease, wait time.Duration, a retry.Attempt) error {
	return q.settle(ctx, ending{l: l, state: engine.StateDue, due: engine.Millis(q.now().Add(wait)), attempt: engine.Made(a)})
}

// Dead implements retry.Queue.
func (q *Queue) Dead(ctx context.Context, l retry.Lease, why string, a retry.Attempt) error {
	return q.settle(ctx, ending{l: l, state: engine.StateDead, why: valid(why), attempt: engine.Made(a)})
}

// Release implements retry.Queue.
func (q *Queue) Release(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	return q.settle(ctx, ending{l: l, state: stateWas, attempt: engine.Made(a)})
}

// How long the end of a lease waits for a server that is away: an outcome that
// isn't stored is asked for again, and the webhook has answered already.
const (
	settlePatience = 25 * time.Second
	settleAgain    = 500 * time.Millisecond
)

// settle ends a lease, if need be once the server is there again. The token
// alone decides: an outcome that comes after the lease ran out, but before
// anybody else took the delivery, is still the truth.
func (q *Queue) settle(ctx context.Context, e ending) error {
	if e.state == stateWas { // no outcome: at an end nobody waits for it
		return q.settleOnce(ctx, &e)
	}
	return patiently(ctx, func() error { return q.settleOnce(ctx, &e) })
}

// patiently has the end of a lease stored, again and again while the server is
// away.
func patiently(ctx context.Context, store func() error) error {
	patience, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	for {
		err := store()
		if err == nil || errors.Is(err, retry.ErrLeaseLost) || errors.Is(err, retry.ErrFull) || errors.Is(err, errClosed) || !away(err) {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(settleAgain):
		}
	}
}

// settleOnce ends a lease together with others, and alone where that won't do.
func (q *Queue) settleOnce(ctx context.Context, e *ending) error {
	err := q.endings.Do(ctx, e, 0)
	if errors.Is(err, errAlone) {
		o := &op[*ending]{It: e}
		q.settleTogether(ctx, []*op[*ending]{o})
		err = o.Err
	}
	if errors.Is(err, retry.ErrLeaseLost) && e.doubtful {
		return q.endedBefore(ctx, *e)
	}
	return err
}

// settleTogether ends leases in one transaction and one round trip.
func (q *Queue) settleTogether(ctx context.Context, batch []*op[*ending]) {
	once := make([]*op[*ending], 0, len(batch))
	taken := map[string]bool{}
	for _, o := range batch {
		if o.Err = errAlone; !taken[o.It.l.ID] {
			once = append(once, o)
		}
		taken[o.It.l.ID] = true
	}
	ended := map[string]bool{}
	err := q.send(ctx, q.settlement(once, ended))
	for _, o := range once {
		switch {
		case err == nil && ended[o.It.l.ID]:
			o.Err = nil
		case err == nil:
			o.Err = retry.ErrLeaseLost
		case isInDoubt(err) && !o.It.doubtful:
			o.It.doubtful = true
		case !refused(err) || len(batch) == 1:
			o.Err = err
		}
	}
}

// settlement are the statements for a batch; ended takes the ids of those whose
// token holds.
func (q *Queue) settlement(batch []*op[*ending], ended map[string]bool) *pipeline {
	var gone goneColumns
	var left leftColumns
	for _, o := range batch {
		if o.It.state == stateGone {
			gone.add(o.It.l)
		} else {
			left.add(o.It)
		}
	}
	var id string
	note := func(r pgx.Rows) error {
		_, err := pgx.ForEachRow(r, []any{&id}, func() error { ended[id] = true; return nil })
		return err
	}
	p := q.begin(durable)
	// Of few rows in a table that changes fast the plan is cheap, and one that
	// was made for another size isn't.
	p.exec("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
	now := engine.Millis(q.now())
	if len(gone.id) > 0 {
		p.query(note, acknowledge, gone.id, gone.token, now)
		p.exec(dropMessages, gone.message, now)
	}
	if len(left.id) > 0 {
		p.query(note, endLease, left.id, left.token, left.state, left.due, left.why, left.made, left.status, left.text, left.at, left.took, left.reason, engine.AttemptsKept)
	}
	return p
}

// acknowledge removes deliveries, and at once the messages that have no other;
// dropMessages those that lost their others meanwhile. A token before the lease's
// says that a server's crash lost the lease and nobody has had another since: what
// a webhook took isn't sent again for it.
const (
	acknowledge = `WITH gone AS (
	DELETE FROM postern.delivery d USING unnest($1::text[], $2::bigint[]) AS a (id, token) WHERE d.id = a.id AND d.token <= a.token
	RETURNING d.id, d.message, d.state
), whole AS (
	DELETE FROM postern.message m USING (SELECT message, count(*) AS live FROM gone WHERE state <> 2 GROUP BY message) g
	WHERE m.n = g.message AND m.live = g.live AND m.dead = 0 AND m.keep_ms <= $3
)
SELECT id FROM gone`
	dropMessages = "DELETE FROM postern.message WHERE id = ANY($1) AND live = 0 AND dead = 0 AND keep_ms <= $2"
)

// endLease ends leases and writes their attempts down, if one was made.
const endLease = `WITH e AS (
	SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[], $4::bigint[], $5::text[], $6::bool[], $7::int[], $8::text[], $9::bigint[], $10::bigint[], $11::text[])
		AS e (id, token, state, due, why, made, status, error, at_ms, took_ns, reason)
), ended AS (
	UPDATE postern.delivery d SET state = CASE e.state WHEN -1 THEN CASE d.leased_from WHEN 2 THEN 2 ELSE 0 END ELSE e.state END, leased_from = 0,
		due_ms = CASE e.state WHEN 0 THEN e.due ELSE d.due_ms END, reason = CASE e.state WHEN 2 THEN e.why ELSE d.reason END,
		lease_until_ms = 0, token = d.token + 1, attempts = d.attempts + e.made::int,
		last_status = CASE WHEN e.made THEN e.status ELSE d.last_status END, last_error = CASE WHEN e.made THEN e.error ELSE d.last_error END
	FROM e WHERE d.id = e.id AND d.token = e.token RETURNING d.n, d.id, d.attempts
), noted AS (
	INSERT INTO postern.attempt (delivery, n, at_ms, status, took_ns, reason, error)
		SELECT ended.n, ended.attempts, e.at_ms, e.status, e.took_ns, e.reason, e.error FROM ended JOIN e USING (id) WHERE e.made
		ON CONFLICT (delivery, n) DO UPDATE SET at_ms = excluded.at_ms, status = excluded.status, took_ns = excluded.took_ns, reason = excluded.reason, error = excluded.error
), forgotten AS (
	DELETE FROM postern.attempt a USING ended WHERE a.delivery = ended.n AND a.n <= ended.attempts - $12
)
SELECT id FROM ended`

type goneColumns struct {
	id, message []string
	token       []int64
}

func (c *goneColumns) add(l retry.Lease) {
	c.id, c.message, c.token = append(c.id, l.ID), append(c.message, l.MessageID), append(c.token, l.Token)
}

type leftColumns struct {
	id, why, text, reason []string
	token, due, at, took  []int64
	state, status         []int
	made                  []bool
}

func (c *leftColumns) add(e *ending) {
	var a retry.Attempt
	if e.attempt != nil {
		a = *e.attempt
	}
	c.id, c.token = append(c.id, e.l.ID), append(c.token, e.l.Token)
	c.state, c.due, c.why = append(c.state, e.state), append(c.due, e.due), append(c.why, e.why)
	c.made, c.status, c.text = append(c.made, e.attempt != nil), append(c.status, a.Status), append(c.text, valid(text.Clip(a.Error, engine.ErrorMax)))
	c.at, c.took, c.reason = append(c.at, engine.Millis(a.At)), append(c.took, int64(a.Took)), append(c.reason, valid(a.Reason))
}

// endedBefore says whether a try whose commit was in doubt has ended the lease:
// its delivery is gone, or has the token after the lease's in the state wanted.
func (q *Queue) endedBefore(ctx context.Context, e ending) error {
	var token int64
	var state int
	err := q.pool.QueryRow(ctx, "SELECT token, state FROM postern.delivery WHERE id = $1", e.l.ID).Scan(&token, &state)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && e.state == stateGone:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return retry.ErrLeaseLost
	case err != nil:
		return err
	case e.state != stateGone && token == e.l.Token+1 && (state == e.state || e.state == stateWas && state != engine.StateLeased):
		return nil
	}
	return retry.ErrLeaseLost
}
