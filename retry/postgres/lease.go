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

// take leases the rows that the query picks and locks.
const take = `WITH picked AS (%s)
	UPDATE postern.delivery d SET leased_from = d.state, state = 1, lease_until_ms = @until, token = d.token + 1
	FROM picked, postern.message m WHERE d.n = picked.n AND m.n = d.message
	RETURNING ` + engine.LeaseColumns + `, m.body`

const (
	pickDue = `SELECT x.n FROM unnest(@names::text[], @limits::int[]) AS e (name, lim), LATERAL (
		SELECT n FROM postern.delivery WHERE endpoint = e.name AND state = 0 AND due_ms <= @now
		ORDER BY due_ms, n LIMIT e.lim FOR UPDATE SKIP LOCKED) x LIMIT @limit`
	pickExpired = `SELECT n FROM postern.delivery WHERE state < 2 AND state = 0 AND expires_ms <= @now AND expires_ms > @since
		AND endpoint = ANY(@held) ORDER BY expires_ms LIMIT @limit FOR UPDATE SKIP LOCKED`
	pickID = `SELECT n FROM postern.delivery WHERE id = @id AND state <> 1 FOR UPDATE`
)

// Lease implements retry.Queue.
func (q *Queue) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	if q.idle() {
		return nil, nil
	}
	if err := q.endLeases(ctx); err != nil {
		return nil, err
	}
	now := q.now()
	args := pgx.NamedArgs{"now": engine.Millis(now), "until": engine.Millis(engine.LeaseEnd(now, req.TTL)), "limit": req.Max}
	if req.Expired {
		held, err := q.held(ctx, req)
		if err != nil || len(held) == 0 {
			return nil, err
		}
		args["held"], args["since"] = held, q.since(req)
		return q.take(ctx, pickExpired, args, 0)
	}
	names, rooms, err := q.ready(ctx, req)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var out []retry.Lease
	left := req.Octets
	// First an even share for each, then what is left to those that have more.
	for share := (req.Max + len(names) - 1) / len(names); len(out) < req.Max && len(names) > 0; share = req.Max {
		limits := make([]int, len(names))
		for i := range names {
			limits[i] = min(share, rooms[i], req.Max-len(out))
		}
		args["names"], args["limits"], args["limit"] = names, limits, req.Max-len(out)
		ls, err := q.take(ctx, pickDue, args, left)
		if err != nil {
			return out, err
		}
		out = append(out, ls...)
		if left > 0 {
			left -= octets(ls)
		}
		if share == req.Max || req.Octets > 0 && left <= 0 {
			break
		}
		names, rooms = hungry(names, rooms, limits, ls)
	}
	return out, nil
}

// held lists the endpoints that nobody can ask now.
func (q *Queue) held(ctx context.Context, req retry.LeaseRequest) ([]string, error) {
	states, err := q.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	return engine.Held(states, req), nil
}

// since is when what the request leaves out had passed its end at the latest.
func (q *Queue) since(req retry.LeaseRequest) int64 {
	if req.Since <= 0 {
		return math.MinInt64
	}
	return engine.Millis(q.now().Add(-req.Since))
}

// hungry keeps the endpoints that used their whole share and have room.
func hungry(names []string, rooms, limits []int, got []retry.Lease) ([]string, []int) {
	count := map[string]int{}
	for _, l := range got {
		count[l.Endpoint]++
	}
	var n []string
	var r []int
	for i, name := range names {
		if count[name] == limits[i] && rooms[i] > limits[i] {
			n, r = append(n, name), append(r, rooms[i]-limits[i])
		}
	}
	return n, r
}

// ready lists endpoints with something due that aren't paused and have room,
// a different one first each time.
func (q *Queue) ready(ctx context.Context, req retry.LeaseRequest) (names []string, rooms []int, err error) {
	rows, err := q.pool.Query(ctx, `SELECT name FROM postern.endpoint e WHERE (NOT paused OR (until_ms > 0 AND until_ms <= $1))
		AND EXISTS (SELECT 1 FROM postern.delivery WHERE endpoint = e.name AND state = 0 AND due_ms <= $1) ORDER BY name`, engine.Millis(q.now()))
	if err != nil {
		return nil, nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, nil, err
	}
	turn := int(q.turn.Add(1))
	for i := range all {
		name := all[(i+turn)%len(all)]
		room := req.Max
		if req.Room != nil {
			room = req.Room(name)
		}
		if room > 0 {
			names, rooms = append(names, name), append(rooms, room)
		}
	}
	return names, rooms, nil
}

// octets is what the bodies of leases have.
func octets(ls []retry.Lease) (n int64) {
	for _, l := range ls {
		n += l.Size
	}
	return n
}

// take leases what the query picks, as far as the bodies' octets go, the first
// one aside; 0 is no bound.
func (q *Queue) take(ctx context.Context, pick string, args pgx.NamedArgs, limit int64) (out []retry.Lease, err error) {
	err = q.relaxed(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(take, pick), args)
		if err != nil {
			return err
		}
		if out, err = pgx.CollectRows(rows, q.scanLease); err != nil || limit <= 0 {
			return err
		}
		n := 0
		for sum := int64(0); n < len(out) && sum < limit; n++ {
			sum += out[n].Size
		}
		back := out[n:]
		out = out[:n]
		return giveBack(ctx, tx, back)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// giveBack undoes leases that nobody was given.
func giveBack(ctx context.Context, tx pgx.Tx, ls []retry.Lease) error {
	if len(ls) == 0 {
		return nil
	}
	ids := make([]string, len(ls))
	for i, l := range ls {
		ids[i] = l.ID
	}
	_, err := tx.Exec(ctx, "UPDATE postern.delivery SET state = leased_from, lease_until_ms = 0 WHERE id = ANY($1)", ids)
	return err
}

func (q *Queue) scanLease(r pgx.CollectableRow) (retry.Lease, error) {
	var row engine.LeaseRow
	var object *string
	if err := r.Scan(append(row.Dest(), &object)...); err != nil {
		return retry.Lease{}, err
	}
	l := row.Lease(q.now())
	l.Body = storedRef(row.Message, l.Size, row.SHA256, object)
	return l, nil
}

// idle says, from an account a second old at most, that nothing alive is stored.
func (q *Queue) idle() bool { return q.usage.Get().Idle() }

// endLeases gives back what ran out. A lease that seems to last longer than
// any that was given was made before the clock was set back.
func (q *Queue) endLeases(ctx context.Context) error {
	now := q.now()
	_, err := q.pool.Exec(ctx, `UPDATE postern.delivery SET state = leased_from, lease_until_ms = 0 WHERE n IN (
		SELECT n FROM postern.delivery WHERE state = 1 AND lease_until_ms <= $1 ORDER BY n FOR UPDATE SKIP LOCKED)`, engine.Millis(now))
	if err != nil {
		return err
	}
	_, err = q.pool.Exec(ctx, `UPDATE postern.delivery SET lease_until_ms = $1 WHERE n IN (
		SELECT n FROM postern.delivery WHERE state = 1 AND lease_until_ms > $1 ORDER BY n FOR UPDATE SKIP LOCKED)`, engine.Millis(now.Add(retry.MaxLease)))
	return err
}

// LeaseID implements retry.Queue.
func (q *Queue) LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error) {
	if err := q.endLeases(ctx); err != nil {
		return retry.Lease{}, err
	}
	ls, err := q.take(ctx, pickID, pgx.NamedArgs{"id": id, "until": engine.Millis(engine.LeaseEnd(q.now(), ttl))}, 0)
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
	return q.relaxed(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE postern.delivery SET state = 1, lease_until_ms = $3 WHERE id = $1 AND token = $2", l.ID, l.Token, engine.Millis(engine.LeaseEnd(q.now(), ttl)))
		if err == nil && tag.RowsAffected() == 0 {
			return retry.ErrLeaseLost
		}
		return err
	})
}

// NextDue implements retry.Leases.
func (q *Queue) NextDue(ctx context.Context, req retry.LeaseRequest) (time.Duration, bool, error) {
	if q.idle() {
		return 0, false, nil
	}
	states, err := q.Endpoints(ctx)
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
	err = q.pool.QueryRow(ctx, `SELECT (SELECT min(lease_until_ms) FROM postern.delivery WHERE state = 1),
		(SELECT expires_ms FROM postern.delivery WHERE state < 2 AND state = 0 AND expires_ms > $3 AND endpoint = ANY($2) ORDER BY expires_ms LIMIT 1),
		(SELECT min(x.due_ms) FROM unnest($1::text[]) AS e (name), LATERAL (
			SELECT due_ms FROM postern.delivery WHERE endpoint = e.name AND state = 0 ORDER BY due_ms LIMIT 1) x)`, names, held, q.since(req)).Scan(&lease, &expiry, &due)
	if err != nil {
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
