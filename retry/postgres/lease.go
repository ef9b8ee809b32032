package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// take leases the rows that the query picks and locks, as far as their bodies'
// octets go, the first one aside; 0 is no bound. LATERAL with LIMIT, and the
// array, make the server look each row up: it can't know how few are picked.
// A server's crash may lose a lease: the next one's token is another all the same,
// so that who has the lost one can't end it.
const take = `WITH picked AS MATERIALIZED (%s), chosen AS MATERIALIZED (
	SELECT n FROM (SELECT p.n, sum(m.size) OVER (ORDER BY p.place ROWS UNBOUNDED PRECEDING) - m.size AS before
		FROM picked p, LATERAL (SELECT size FROM postern.message WHERE n = p.message LIMIT 1) m) x WHERE before < @octets OR @octets <= 0
)
	UPDATE postern.delivery d SET leased_from = d.state, state = 1, lease_until_ms = @until, token = greatest(d.token + 1, @token)
	FROM postern.message m WHERE d.n = ANY(ARRAY(SELECT n FROM chosen)) AND m.n = d.message
	RETURNING ` + engine.LeaseColumns + `, m.body, d.n = ANY(ARRAY(SELECT n FROM picked WHERE lapsed))`

const (
	pickDue = `SELECT x.n, x.message, x.lapsed, e.place FROM unnest(@names::text[], @limits::int[]) WITH ORDINALITY AS e (name, lim, place), LATERAL (
		SELECT n, message, leased_from = 1 AS lapsed FROM postern.delivery WHERE endpoint = e.name AND state = 0 AND due_ms <= @now
		ORDER BY due_ms, n LIMIT e.lim FOR UPDATE SKIP LOCKED) x`
	pickExpired = `SELECT x.n, x.message, false AS lapsed, 1 AS place FROM unnest(@held::text[]) AS e (name), LATERAL (
		SELECT n, message, expires_ms FROM postern.delivery WHERE endpoint = e.name AND state < 2 AND state = 0 AND expires_ms <= @now AND expires_ms > @since
		ORDER BY expires_ms LIMIT @limit FOR UPDATE SKIP LOCKED) x ORDER BY x.expires_ms LIMIT @limit`
	anyExpired = `SELECT FROM unnest($1::text[]) AS e (name), LATERAL (
		SELECT FROM postern.delivery WHERE endpoint = e.name AND state < 2 AND state = 0 AND expires_ms <= $2 AND expires_ms > $3 ORDER BY expires_ms LIMIT 1) x LIMIT 1`
	pickID = `SELECT n, message, state = 0 AND leased_from = 1 AS lapsed, 1 AS place FROM postern.delivery WHERE id = @id AND state <> 1 FOR UPDATE`
)

// Lease implements retry.Queue.
func (q *Queue) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	if req.Expired {
		return q.leaseExpired(ctx, req)
	}
	early, rest := q.ahead.fetch(req, q.now())
	q.giveBack(ctx)
	ls, shut, err := q.leaseDue(ctx, rest)
	if err != nil {
		q.ahead.revoke()
		if len(early) > 0 {
			return early, nil
		}
		return nil, err
	}
	ls = append(early, ls...)
	q.ahead.allow(req, ls, shut, q.now())
	return ls, nil
}

// leaseDue leases in two round trips, one to see who has how much and one to take
// it. Who has no room isn't looked at: what waits for an endpoint that is away costs
// the others nothing. shut are the endpoints whose new mail isn't leased ahead.
func (q *Queue) leaseDue(ctx context.Context, req retry.LeaseRequest) (ls []retry.Lease, shut map[string]bool, err error) {
	states, err := q.knownEndpoints(ctx)
	if err != nil {
		return nil, nil, err
	}
	shut = map[string]bool{}
	for _, e := range states {
		shut[e.Endpoint] = e.Paused
	}
	if req.Max <= 0 || q.idle() {
		return nil, shut, nil
	}
	now := engine.Millis(q.now())
	due, err := q.lookDue(ctx, req, states, now)
	if err != nil {
		return nil, nil, err
	}
	names, limits := shares(due, req)
	some := map[string]int{}
	for i, name := range names {
		some[name] = limits[i]
	}
	for _, d := range due {
		shut[d.Name] = shut[d.Name] || some[d.Name] < int(d.N)
	}
	if len(names) == 0 {
		return nil, shut, nil
	}
	ls, err = q.take(ctx, pickDue, pgx.NamedArgs{"now": now, "until": q.until(req.TTL), "octets": req.Octets, "names": names, "limits": limits})
	return ls, shut, err
}

// until is when a lease that is given now ends.
func (q *Queue) until(ttl time.Duration) int64 { return engine.Millis(engine.LeaseEnd(q.now(), ttl)) }

func (q *Queue) leaseExpired(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	if q.idle() {
		return nil, nil
	}
	states, err := q.knownEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	held := engine.Held(states, req)
	if len(held) == 0 {
		return nil, nil
	}
	now, since := engine.Millis(q.now()), q.since(req)
	some := false
	err = q.ask(ctx, func(p *pipeline) {
		p.query(func(r pgx.Rows) error { some = r.Next(); return nil }, anyExpired, held, now, since)
	})
	if err != nil || !some {
		return nil, err
	}
	return q.take(ctx, pickExpired, pgx.NamedArgs{"now": now, "until": q.until(req.TTL), "octets": 0, "held": held, "since": since, "limit": req.Max})
}

// since is when what the request leaves out had passed its end at the latest.
func (q *Queue) since(req retry.LeaseRequest) int64 {
	if req.Since <= 0 {
		return math.MinInt64
	}
	return engine.Millis(q.now().Add(-req.Since))
}

// countDue counts what is due for each endpoint that isn't paused, as far as
// one lease may want, beginning after the name $3 and without the names $4. The
// order has the server read the index of what is due; of thousands of endpoints
// as many are looked at as a lease can take from.
const countDue = `SELECT e.name, x.n FROM (
	(SELECT name, paused, until_ms FROM postern.endpoint WHERE name > $3 ORDER BY name) UNION ALL
	(SELECT name, paused, until_ms FROM postern.endpoint WHERE name <= $3 ORDER BY name)) e, LATERAL (SELECT count(*) AS n FROM (
		SELECT FROM postern.delivery WHERE endpoint = e.name AND state = 0 AND due_ms <= $1 ORDER BY due_ms, n LIMIT $2) y) x
	WHERE NOT (e.paused AND (e.until_ms = 0 OR e.until_ms > $1)) AND e.name NOT IN (SELECT unnest($4::text[])) AND x.n > 0 LIMIT $2`

type dueCount struct {
	Name string
	N    int64
}

// lookDue says who has how much that is due and may be leased. Who comes first
// changes with each call.
func (q *Queue) lookDue(ctx context.Context, req retry.LeaseRequest, states []retry.EndpointState, now int64) (due []dueCount, err error) {
	full := []string{}
	for _, e := range states {
		if req.Room != nil && req.Room(e.Endpoint) <= 0 {
			full = append(full, e.Endpoint)
		}
	}
	err = q.ask(ctx, func(p *pipeline) {
		p.query(func(r pgx.Rows) (err error) {
			due, err = pgx.CollectRows(r, pgx.RowToStructByPos[dueCount])
			return err
		}, countDue, now, req.Max, *q.turn.Load(), full)
	})
	if err != nil || len(due) == 0 {
		return nil, err
	}
	last := &due[0].Name
	if len(due) >= req.Max { // there may be more after them
		last = &due[len(due)-1].Name
	}
	q.turn.Store(last)
	return due, nil
}

// shares says how much to take of each endpoint: even shares, and what one
// doesn't need goes to the others.
func shares(due []dueCount, req retry.LeaseRequest) (names []string, limits []int) {
	want := make([]int, 0, len(due))
	for _, d := range due {
		n := min(int(d.N), req.Max)
		if req.Room != nil {
			n = min(n, req.Room(d.Name))
		}
		if n > 0 {
			names, want = append(names, d.Name), append(want, n)
		}
	}
	return fill(names, want, req.Max)
}

// fill shares room out evenly among those who want so much each; who gets
// nothing is left out.
func fill(names []string, want []int, room int) (who []string, limits []int) {
	got := make([]int, len(want))
	for some := true; some && room > 0; {
		some = false
		for i := range want {
			if got[i] < want[i] && room > 0 {
				got[i], room, some = got[i]+1, room-1, true
			}
		}
	}
	for i, n := range got {
		if n > 0 {
			who, limits = append(who, names[i]), append(limits, n)
		}
	}
	return who, limits
}

// take leases what the query picks.
func (q *Queue) take(ctx context.Context, pick string, args pgx.NamedArgs) (out []retry.Lease, err error) {
	args["token"] = engine.FirstToken(q.now())
	p := q.begin(relaxed)
	p.query(func(r pgx.Rows) (err error) {
		out, err = pgx.CollectRows(r, q.scanLease)
		return err
	}, fmt.Sprintf(take, pick), args)
	if err := q.send(ctx, p); err != nil {
		return nil, err
	}
	return out, nil
}

func (q *Queue) scanLease(r pgx.CollectableRow) (retry.Lease, error) {
	var row engine.LeaseRow
	var object *string
	var lapsed bool
	if err := r.Scan(append(row.Dest(), &object, &lapsed)...); err != nil {
		return retry.Lease{}, err
	}
	l := row.Lease(q.now())
	l.Lapsed = lapsed
	l.Body = storedRef(row.Message, l.Size, row.SHA256, object)
	return l, nil
}

// idle says, from an account a second old at most, that nothing alive is stored.
func (q *Queue) idle() bool { return q.usage.Idle() }

// ask asks something of the queue in one round trip. Where leases ran out, they
// are given back first and it is asked again: that is seldom, and statements that
// change rows run their triggers even where there are none.
func (q *Queue) ask(ctx context.Context, question func(*pipeline)) error {
	for again := false; ; again = true {
		now, over := q.now(), false
		p := q.begin(relaxed)
		p.query(func(r pgx.Rows) error { over = r.Next(); return nil }, anyOver, engine.Millis(now), engine.Millis(now.Add(retry.MaxLease)))
		question(p)
		if err := q.send(ctx, p); err != nil || !over || again {
			return err
		}
		p = q.begin(relaxed)
		q.endLeases(p)
		if err := q.send(ctx, p); err != nil {
			return err
		}
	}
}

// anyOver finds a lease that ran out or seems to last too long.
const anyOver = `SELECT FROM ((SELECT FROM postern.delivery WHERE state = 1 AND lease_until_ms <= $1 LIMIT 1) UNION ALL
	(SELECT FROM postern.delivery WHERE state = 1 AND lease_until_ms > $2 LIMIT 1)) x LIMIT 1`

// endLeases gives back what ran out. A lease that seems to last longer than
// any that was given was made before the clock was set back.
func (q *Queue) endLeases(p *pipeline) {
	now := q.now()
	p.exec(`UPDATE postern.delivery SET `+engine.Lapse+` WHERE n IN (
		SELECT n FROM postern.delivery WHERE state = 1 AND lease_until_ms <= $1 ORDER BY n FOR UPDATE SKIP LOCKED)`, engine.Millis(now))
	p.exec(`UPDATE postern.delivery SET lease_until_ms = $1 WHERE n IN (
		SELECT n FROM postern.delivery WHERE state = 1 AND lease_until_ms > $1 ORDER BY n FOR UPDATE SKIP LOCKED)`, engine.Millis(now.Add(retry.MaxLease)))
}

// LeaseID implements retry.Queue.
func (q *Queue) LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error) {
	p := q.begin(relaxed)
	q.endLeases(p)
	if err := q.send(ctx, p); err != nil {
		return retry.Lease{}, err
	}
	ls, err := q.take(ctx, pickID, pgx.NamedArgs{"id": id, "until": q.until(ttl), "octets": 0})
	if err != nil {
		return retry.Lease{}, err
	}
	if len(ls) == 1 {
		return ls[0], nil
	}
	if _, _, err := q.Get(ctx, id); err != nil {
		return retry.Lease{}, fmt.Errorf("leasing: %w", err)
	}
	return retry.Lease{}, fmt.Errorf("somebody has the delivery: %w", retry.ErrLeaseLost)
}

// Extend implements retry.Queue.
func (q *Queue) Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error {
	p := q.begin(relaxed)
	held := false
	p.query(func(r pgx.Rows) error {
		held = r.Next()
		return nil
	}, "UPDATE postern.delivery SET leased_from = CASE state WHEN 1 THEN leased_from ELSE state END, state = 1, lease_until_ms = $3 WHERE id = $1 AND token = $2 RETURNING n", l.ID, l.Token, q.until(ttl))
	if err := q.send(ctx, p); err != nil {
		return err
	}
	if !held {
		return retry.ErrLeaseLost
	}
	return nil
}

// NextDue implements retry.Leases.
func (q *Queue) NextDue(ctx context.Context, req retry.LeaseRequest) (time.Duration, bool, error) {
	if q.idle() {
		return 0, false, nil
	}
	states, err := q.knownEndpoints(ctx)
	if err != nil {
		return 0, false, err
	}
	var next *int64
	sooner := func(v *int64) {
		if v != nil && (next == nil || *v < *next) {
			next = v
		}
	}
	names, held := []string{}, engine.Held(states, req)
	for _, e := range states {
		switch {
		case req.Room != nil && req.Room(e.Endpoint) <= 0:
		case !e.Paused:
			names = append(names, e.Endpoint)
		case !e.PausedUntil.IsZero():
			until := engine.Millis(e.PausedUntil)
			sooner(&until)
		}
	}
	var lease, expiry, due *int64
	p := q.begin(relaxed)
	p.query(func(r pgx.Rows) error {
		_, err := pgx.ForEachRow(r, []any{&lease, &expiry, &due}, func() error { return nil })
		return err
	}, `SELECT (SELECT min(lease_until_ms) FROM postern.delivery WHERE state = 1),
		(SELECT min(x.expires_ms) FROM unnest($2::text[]) AS e (name), LATERAL (
			SELECT expires_ms FROM postern.delivery WHERE endpoint = e.name AND state < 2 AND state = 0 AND expires_ms > $3 ORDER BY expires_ms LIMIT 1) x),
		(SELECT min(x.due_ms) FROM unnest($1::text[]) AS e (name), LATERAL (
			SELECT due_ms FROM postern.delivery WHERE endpoint = e.name AND state = 0 ORDER BY due_ms LIMIT 1) x)`, names, held, q.since(req))
	if err := q.send(ctx, p); err != nil {
		return 0, false, err
	}
	for _, v := range []*int64{lease, expiry, due} {
		sooner(v)
	}
	if next == nil {
		return 0, false, nil
	}
	return engine.FromMillis(*next).Sub(q.now()), true, nil
}
