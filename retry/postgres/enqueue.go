package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// Enqueue implements retry.Queue.
func (q *Queue) Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error) {
	e := &enqueue{q: q, m: m, ds: ds}
	if err := e.store(ctx); err != nil {
		return retry.Result{}, fmt.Errorf("queueing %s: %w", m.ID, err)
	}
	for _, d := range ds {
		if _, ok := q.names.Load(d.Endpoint); !ok {
			q.endpoints.forget()
		}
		if d.Wait <= 0 && d.Dead == "" && !e.early {
			q.teller.want()
		}
	}
	q.hint()
	return e.res, nil
}

// Keep implements retry.Keeper.
func (q *Queue) Keep(ctx context.Context, m retry.Message, d time.Duration) error {
	e := &enqueue{q: q, m: m, keep: d}
	if err := e.store(ctx); err != nil {
		return fmt.Errorf("keeping %s: %w", m.ID, err)
	}
	return nil
}

// Drop implements retry.Keeper.
func (q *Queue) Drop(ctx context.Context, messageID string) error {
	err := q.tx(ctx, func(tx pgx.Tx) error {
		var n int64
		err := tx.QueryRow(ctx, "UPDATE postern.message SET keep_ms = 0 WHERE id = $1 RETURNING n", messageID).Scan(&n)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return q.dropMessage(ctx, tx, n)
	})
	if err != nil {
		return fmt.Errorf("dropping %s: %w", messageID, err)
	}
	return nil
}

// enqueue stores a message, its deliveries, and how long it is kept.
type enqueue struct {
	q        *Queue
	m        retry.Message
	ds       []retry.NewDelivery
	keep     time.Duration // 0: no longer than its deliveries
	res      retry.Result
	inserted bool
	early    bool // its deliveries were leased as they were stored
	ours     bool // a try whose commit was in doubt stored this very object
}

var (
	// errNothing rolls a message back that nothing needs.
	errNothing = errors.New("nothing to store")
	// errOver says that an earlier try stored the message, and that all of it was
	// settled since.
	errOver = errors.New("stored and settled before")
)

// store stores it in company where that will do.
func (e *enqueue) store(ctx context.Context) error {
	err := errAlone
	if e.sociable() {
		err = e.q.stores.Do(ctx, e, int64(len(e.m.Body.Inline)+len(e.m.Envelope)))
	}
	if errors.Is(err, errAlone) {
		err = e.alone(ctx)
	}
	if err != nil {
		e.q.staged.End(e.m.Body.ID, false) // an object stays for the sweep: it may be stored
		return err
	}
	e.q.stored(e.m.Body, e.inserted || e.ours)
	return nil
}

// sociable says that all of it is at hand and new.
func (e *enqueue) sociable() bool {
	_, object := engine.ObjectName(e.m.Body.ID)
	return (e.m.Body.Inline != nil || object) && (len(e.ds) > 0 || e.keep > 0)
}

// alone stores it in a transaction of its own. What was stored though its
// commit's outcome is unknown is found by the second try.
func (e *enqueue) alone(ctx context.Context) error {
	try := func() error { return e.q.tx(ctx, func(tx pgx.Tx) error { return e.run(ctx, tx) }) }
	err := try()
	if isInDoubt(err) {
		err = try()
	}
	switch {
	case errors.Is(err, errNothing):
		err, e.inserted = nil, false
	case errors.Is(err, errOver):
		err, e.ours, e.res = nil, true, retry.Result{Stored: len(e.ds)}
	}
	return err
}

// stored ends a body's staging after the commit: with a message of its own, or
// as one that nobody needs.
func (q *Queue) stored(ref retry.BodyRef, inserted bool) {
	_, ok := q.staged.End(ref.ID, inserted)
	switch {
	case inserted:
		q.usage.Add(ref.Size)
	case ok:
		q.discardObject(ref)
	}
}

func (e *enqueue) run(ctx context.Context, tx pgx.Tx) error {
	e.res, e.inserted, e.ours = retry.Result{}, false, false
	n, err := e.message(ctx, tx)
	if err != nil {
		return err
	}
	live, dead, err := e.q.deliverAll(ctx, tx, n, e.ds, engine.Past{Expires: engine.Millis(e.q.now().Add(e.m.Life))})
	if err != nil {
		return err
	}
	e.res.Stored, e.res.Duplicates = live+dead, len(e.ds)-live-dead
	if e.inserted && e.res.Stored == 0 && e.keep <= 0 {
		return errNothing
	}
	return e.count(ctx, tx, n, live, dead)
}

// message finds or stores the message's row; 0 when a message that isn't there
// is to be kept no longer.
func (e *enqueue) message(ctx context.Context, tx pgx.Tx) (n int64, err error) {
	find := func() error {
		var object *string
		err := tx.QueryRow(ctx, "SELECT n, body FROM postern.message WHERE id = $1 FOR UPDATE", e.m.ID).Scan(&n, &object)
		mine := objectOf(e.m.Body)
		e.ours = err == nil && object != nil && mine != nil && *object == *mine
		return err
	}
	if err := find(); !errors.Is(err, pgx.ErrNoRows) {
		return n, err
	}
	if len(e.ds) == 0 && e.keep <= 0 {
		return 0, errNothing
	}
	if over, err := e.over(ctx, tx); over || err != nil {
		return 0, cmp.Or(err, errOver)
	}
	m := e.m
	if m.Envelope == nil {
		m.Envelope = []byte{}
	}
	err = tx.QueryRow(ctx, `INSERT INTO postern.message (id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope, keep_ms, live, dead, sum, body)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,0,0,$11,$12) ON CONFLICT (id) DO NOTHING RETURNING n`,
		m.ID, m.Key, engine.Millis(m.Received), engine.Millis(m.Received.Add(m.Life)), valid(m.From), valid(text.Clip(m.Subject, engine.SubjectMax)), m.Body.Size, m.Body.SHA256[:],
		m.Envelope, engine.Until(e.q.now(), e.keep), engine.SealMessage(m.ID, m.Key, m.Body.SHA256[:], m.Envelope), objectOf(m.Body)).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) { // another replica was first
		return n, find()
	}
	if err != nil {
		return 0, err
	}
	e.inserted = true
	return n, e.q.writeBody(ctx, tx, n, m.Body)
}

// over says that the message was stored by a try whose commit was in doubt, and is
// gone already: its object has a name that no other has, and is about to go.
func (e *enqueue) over(ctx context.Context, tx pgx.Tx) (over bool, err error) {
	if object := objectOf(e.m.Body); object != nil {
		err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM postern.dropped WHERE name = $1)", object).Scan(&over)
	}
	return over, err
}

// count adds the new deliveries to the message's counters and sets its time.
func (e *enqueue) count(ctx context.Context, tx pgx.Tx, n int64, live, dead int) error {
	_, err := tx.Exec(ctx, "UPDATE postern.message SET live = live + $2, dead = dead + $3, keep_ms = greatest(keep_ms, $4) WHERE n = $1",
		n, live, dead, engine.Until(e.q.now(), e.keep))
	return err
}

// deliverAll counts what it stored.
func (q *Queue) deliverAll(ctx context.Context, tx pgx.Tx, message int64, ds []retry.NewDelivery, p engine.Past) (live, dead int, err error) {
	for _, d := range ds {
		stored, err := q.deliver(ctx, tx, message, d, p)
		switch {
		case err != nil:
			return 0, 0, err
		case !stored:
		case d.Dead != "":
			dead++
		default:
			live++
		}
	}
	return live, dead, nil
}

// deliver stores a delivery, revives a dead letter with its id, or leaves an
// open one as it is. Counting is left to the caller, but for revived ones' old
// message.
func (q *Queue) deliver(ctx context.Context, tx pgx.Tx, message int64, d retry.NewDelivery, p engine.Past) (stored bool, err error) {
	r, err := engine.NewRowOf(d, p, q.now())
	if err != nil {
		return false, err
	}
	var n int64
	err = tx.QueryRow(ctx, `INSERT INTO postern.delivery (id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base,
		lease_until_ms, token, reason, last_status, last_error, sum) VALUES ($1,$2,$3,$4,$5,0,$6,$7,$8,$9,0,$10,$11,$12,$13,$14)
		ON CONFLICT (id) DO NOTHING RETURNING n`,
		d.ID, message, d.Endpoint, r.Recipients, r.State, r.Due, r.Expires, r.Attempts, p.Base, r.Token, r.DeadCause, r.LastStatus, valid(r.LastError), r.Sum).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := tx.Exec(ctx, "UPDATE postern.delivery SET "+engine.Lapse+" WHERE id = $1 AND state = 1 AND lease_until_ms <= $2",
			d.ID, engine.Millis(q.now())); err != nil {
			return false, err
		}
		return q.revive(ctx, tx, message, d, p)
	}
	if err != nil {
		return false, err
	}
	if err := q.nameEndpoint(ctx, tx, d.Endpoint); err != nil {
		return false, err
	}
	if err := copyHistory(ctx, tx, p.History, n); err != nil || d.First == nil {
		return err == nil, err
	}
	return true, recordAttempt(ctx, tx, n, r.Attempts, *d.First)
}

// copyHistory gives a delivery another's attempts.
func copyHistory(ctx context.Context, tx pgx.Tx, from, to int64) error {
	if from == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO postern.attempt (delivery, n, at_ms, status, took_ns, reason, error)
		SELECT $2, n, at_ms, status, took_ns, reason, error FROM postern.attempt WHERE delivery = $1`, from, to)
	return err
}

// revive gives a dead letter a new life with the new message.
func (q *Queue) revive(ctx context.Context, tx pgx.Tx, message int64, d retry.NewDelivery, p engine.Past) (bool, error) {
	var n, old int64
	var state, attempts int
	err := tx.QueryRow(ctx, "SELECT n, message, state, attempts FROM postern.delivery WHERE id = $1 FOR UPDATE", d.ID).Scan(&n, &old, &state, &attempts)
	if errors.Is(err, pgx.ErrNoRows) { // settled since the insert met it
		return false, fmt.Errorf("the delivery %s ended this very moment: try again", d.ID)
	}
	if err != nil || state != engine.StateDead || d.Dead != "" {
		return false, err
	}
	base, status, why := attempts, 0, ""
	if d.First != nil {
		attempts, status, why = attempts+1, d.First.Status, text.Clip(d.First.Error, engine.ErrorMax)
		if err := recordAttempt(ctx, tx, n, attempts, *d.First); err != nil {
			return false, err
		}
	}
	// The trigger moves a count from dead to live on the new message; the caller
	// adds the live one itself, so both are taken back here.
	_, err = tx.Exec(ctx, `UPDATE postern.delivery SET message = $2, state = 0, due_ms = $3, expires_ms = $4, attempts = $5, base = $6, reason = '',
		token = token + 1, last_status = $7, last_error = $8 WHERE n = $1`,
		n, message, engine.Millis(q.now().Add(d.Wait)), p.End(d, q.now()), attempts, base, status, valid(why))
	if err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "UPDATE postern.message SET live = live - 1 WHERE n = $1", message); err != nil {
		return false, err
	}
	if old == message {
		return true, nil
	}
	if _, err := tx.Exec(ctx, "UPDATE postern.message SET dead = dead + 1 WHERE n = $1", message); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "UPDATE postern.message SET dead = dead - 1 WHERE n = $1", old); err != nil {
		return false, err
	}
	return true, q.dropMessage(ctx, tx, old)
}

// nameEndpoint makes sure that the endpoint has a row: Lease goes by them.
func (q *Queue) nameEndpoint(ctx context.Context, tx pgx.Tx, name string) error {
	if _, ok := q.names.Load(name); ok {
		return nil
	}
	_, err := tx.Exec(ctx, "INSERT INTO postern.endpoint (name) VALUES ($1) ON CONFLICT DO NOTHING", name)
	return err
}

// dropMessage removes a message that nothing needs any more.
func (q *Queue) dropMessage(ctx context.Context, tx pgx.Tx, n int64) error {
	_, err := tx.Exec(ctx, "DELETE FROM postern.message WHERE n = $1 AND live = 0 AND dead = 0 AND keep_ms <= $2", n, engine.Millis(q.now()))
	return err
}

func recordAttempt(ctx context.Context, tx pgx.Tx, delivery int64, n int, a retry.Attempt) error {
	_, err := tx.Exec(ctx, `INSERT INTO postern.attempt (delivery, n, at_ms, status, took_ns, reason, error) VALUES ($1,$2,$3,$4,$5,$6,$7)
		ON CONFLICT (delivery, n) DO UPDATE SET at_ms = excluded.at_ms, status = excluded.status, took_ns = excluded.took_ns, reason = excluded.reason, error = excluded.error`,
		delivery, n, engine.Millis(a.At), a.Status, int64(a.Took), valid(a.Reason), valid(text.Clip(a.Error, engine.ErrorMax)))
	if err != nil || n <= engine.AttemptsKept {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM postern.attempt WHERE delivery = $1 AND n <= $2", delivery, n-engine.AttemptsKept)
	return err
}
