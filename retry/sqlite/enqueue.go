package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// Enqueue implements retry.Queue.
func (q *Queue) Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error) {
	var res retry.Result
	e := enqueue{q: q, m: m, ds: ds, res: &res}
	err := q.w.do(ctx, true, int64(len(m.Body.Inline)), e.run)
	if err != nil {
		q.discardUnless(err, m.Body)
		return retry.Result{}, fmt.Errorf("queueing %s: %w", m.ID, err)
	}
	q.hint()
	return res, nil
}

// Keep implements retry.Keeper.
func (q *Queue) Keep(ctx context.Context, m retry.Message, d time.Duration) error {
	e := enqueue{q: q, m: m, keep: d, res: new(retry.Result)}
	if err := q.w.do(ctx, true, int64(len(m.Body.Inline)), e.run); err != nil {
		q.discardUnless(err, m.Body)
		return fmt.Errorf("keeping %s: %w", m.ID, err)
	}
	return nil
}

// Drop implements retry.Keeper.
func (q *Queue) Drop(ctx context.Context, messageID string) error {
	err := q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		var n int64
		err := t.queryRow(ctx, "UPDATE message SET keep_ms = 0 WHERE id = ? RETURNING n", messageID).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return q.dropMessage(ctx, t, n)
	})
	if err != nil {
		return fmt.Errorf("dropping %s: %w", messageID, err)
	}
	return nil
}

// discardUnless lets go of a staged body that isn't stored: a full disk must
// not fill up with them. It stays where the outcome is unknown.
func (q *Queue) discardUnless(err error, ref retry.BodyRef) {
	if errors.Is(err, retry.ErrUnhealthy) || errors.Is(err, errUnknown) || errors.Is(err, errClosed) {
		return
	}
	if err := q.Discard(context.Background(), ref); err != nil {
		q.o.Logger.Warn("a body that nobody needs stays until the next start", "err", err)
	}
}

// enqueue stores a message, its deliveries, and how long it is kept.
type enqueue struct {
	q    *Queue
	m    retry.Message
	ds   []retry.NewDelivery
	keep time.Duration // 0: no longer than its deliveries
	res  *retry.Result
}

// old is a delivery that has the new one's id.
type old struct {
	n, message int64
	state      int
	attempts   int
	lease      int64
}

func (e *enqueue) run(ctx context.Context, t *tx) error {
	*e.res = retry.Result{}
	if err := t.checkPlace(); err != nil {
		return err
	}
	fresh, revived, err := e.q.sort(ctx, t, e.ds)
	if err != nil {
		return err
	}
	n, inserted, err := e.message(ctx, t, fresh, len(revived) > 0)
	if err != nil {
		return err
	}
	p := engine.Past{Expires: engine.Millis(e.q.now().Add(e.m.Life))}
	for _, d := range fresh {
		if err := e.q.insert(ctx, t, n, d, p); err != nil {
			return err
		}
	}
	for _, r := range revived {
		if err := e.q.revive(ctx, t, n, r, p); err != nil {
			return err
		}
	}
	e.res.Stored = len(fresh) + len(revived)
	e.res.Duplicates = len(e.ds) - e.res.Stored
	t.onCommit(func() { e.settleBody(inserted) })
	return nil
}

type revival struct {
	old old
	d   retry.NewDelivery
}

// sort tells new deliveries from those that are open already (left as they
// are) and dead letters that come back to life.
func (q *Queue) sort(ctx context.Context, t *tx, ds []retry.NewDelivery) (fresh []retry.NewDelivery, revived []revival, err error) {
	for _, d := range ds {
		var o old
		find := func() error {
			return t.queryRow(ctx, "SELECT n, message, state, attempts, lease_until_ms FROM delivery WHERE id = ?", d.ID).
				Scan(&o.n, &o.message, &o.state, &o.attempts, &o.lease)
		}
		err := find()
		if err == nil && o.state == engine.StateLeased && o.lease <= engine.Millis(q.now()) {
			if err = q.endLeases(ctx, t); err == nil {
				err = find()
			}
		}
		switch {
		case errors.Is(err, sql.ErrNoRows):
			fresh = append(fresh, d)
		case err != nil:
			return nil, nil, err
		case o.state == engine.StateDead && d.Dead == "":
			revived = append(revived, revival{o, d})
		}
	}
	return fresh, revived, nil
}

// message stores the message's row, or finds it. Without anything to deliver or to
// keep there is none.
func (e *enqueue) message(ctx context.Context, t *tx, fresh []retry.NewDelivery, revived bool) (n int64, inserted bool, err error) {
	if len(fresh) > 0 || revived || e.keep > 0 {
		if n, err = e.insertMessage(ctx, t, fresh); n > 0 || err != nil {
			return n, true, err
		}
	}
	err = t.queryRow(ctx, "SELECT n FROM message WHERE id = ?", e.m.ID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) && len(fresh) == 0 && !revived && e.keep <= 0 {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return n, false, e.extend(ctx, t, n, fresh)
}

// insertMessage stores the row; n is 0 where there was one.
func (e *enqueue) insertMessage(ctx context.Context, t *tx, fresh []retry.NewDelivery) (n int64, err error) {
	m := e.m
	var file any
	if m.Body.Inline == nil {
		file = m.Body.ID
	}
	live, dead := engine.CountNew(fresh)
	n, err = t.insert(ctx, `INSERT OR IGNORE INTO message (id, key, received_ms, expires_ms, sender, subject, size, sha256, file, envelope, keep_ms, live, dead, sum)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		m.ID, m.Key, engine.Millis(m.Received), engine.Millis(m.Received.Add(m.Life)), m.From, text.Clip(m.Subject, engine.SubjectMax), m.Body.Size, m.Body.SHA256[:], file,
		nonNil(m.Envelope), engine.Until(e.q.now(), e.keep), live, dead, engine.SealMessage(m.ID, m.Key, m.Body.SHA256[:], m.Envelope))
	if n == 0 || err != nil || m.Body.Inline == nil {
		return n, err
	}
	return n, t.exec(ctx, "INSERT INTO body (message, bytes) VALUES (?,?)", n, m.Body.Inline)
}

// extend adds deliveries and time to a message that is stored already.
func (e *enqueue) extend(ctx context.Context, t *tx, n int64, fresh []retry.NewDelivery) error {
	live, dead := engine.CountNew(fresh)
	if live+dead > 0 {
		if err := t.exec(ctx, "UPDATE message SET live = live + ?, dead = dead + ? WHERE n = ?", live, dead, n); err != nil {
			return err
		}
	}
	if e.keep <= 0 {
		return nil
	}
	return t.exec(ctx, "UPDATE message SET keep_ms = max(keep_ms, ?) WHERE n = ?", engine.Until(e.q.now(), e.keep), n)
}

func (q *Queue) insert(ctx context.Context, t *tx, message int64, d retry.NewDelivery, p engine.Past) error {
	r, err := engine.NewRowOf(d, p, q.now())
	if err != nil {
		return err
	}
	n, err := t.insert(ctx, `INSERT INTO delivery (id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base,
		lease_until_ms, token, reason, last_status, last_error, sum) VALUES (?,?,?,?,?,0,?,?,?,?,0,?,?,?,?,?)`,
		d.ID, message, d.Endpoint, r.Recipients, r.State, r.Due, r.Expires, r.Attempts, p.Base, r.Token, r.DeadCause, r.LastStatus, r.LastError, r.Sum)
	if err != nil {
		return err
	}
	if err := q.nameEndpoint(ctx, t, d.Endpoint); err != nil {
		return err
	}
	if err := copyHistory(ctx, t, p.History, n); err != nil || d.First == nil {
		return err
	}
	return recordAttempt(ctx, t, n, r.Attempts, *d.First)
}

// copyHistory gives a delivery another's attempts.
func copyHistory(ctx context.Context, t *tx, from, to int64) error {
	if from == 0 {
		return nil
	}
	return t.exec(ctx, `INSERT OR REPLACE INTO attempt (delivery, n, at_ms, status, took_ns, reason, error)
		SELECT ?, n, at_ms, status, took_ns, reason, error FROM attempt WHERE delivery = ?`, to, from)
}

// revive gives a dead letter a new life with the new message.
func (q *Queue) revive(ctx context.Context, t *tx, message int64, r revival, p engine.Past) error {
	o, d := r.old, r.d
	if o.message != message {
		// The trigger counts with the row's message: move it while it is dead.
		if err := t.exec(ctx, "UPDATE message SET dead = dead - 1 WHERE n = ?", o.message); err != nil {
			return err
		}
		if err := t.exec(ctx, "UPDATE message SET dead = dead + 1 WHERE n = ?", message); err != nil {
			return err
		}
	}
	attempts, status, why := o.attempts, 0, ""
	if d.First != nil {
		attempts, status, why = attempts+1, d.First.Status, text.Clip(d.First.Error, engine.ErrorMax)
		if err := recordAttempt(ctx, t, o.n, attempts, *d.First); err != nil {
			return err
		}
	}
	err := t.exec(ctx, `UPDATE delivery SET message = ?, state = 0, due_ms = ?, expires_ms = ?, attempts = ?, base = ?, reason = '', token = token + 1,
		last_status = ?, last_error = ? WHERE n = ?`, message, engine.Millis(q.now().Add(d.Wait)), p.End(d, q.now()), attempts, o.attempts, status, why, o.n)
	if err != nil || o.message == message {
		return err
	}
	return q.dropMessage(ctx, t, o.message)
}

// settleBody ends the staging once the transaction is durable.
func (e *enqueue) settleBody(stored bool) {
	b, ok := e.q.staged.End(e.m.Body.ID, stored) // its account counts it now
	if stored || !ok {
		return
	}
	if name, ok := engine.ObjectName(e.m.Body.ID); ok {
		e.q.wg.Go(func() { e.q.objects.Discard(name) })
	}
	if b.File {
		e.q.unlink(e.m.Body.ID)
	}
}

// nameEndpoint makes sure that the endpoint has a row: Lease goes by them.
func (q *Queue) nameEndpoint(ctx context.Context, t *tx, name string) error {
	if q.names.has(name) {
		return nil
	}
	if err := t.exec(ctx, "INSERT INTO endpoint (name) VALUES (?) ON CONFLICT DO NOTHING", name); err != nil {
		return err
	}
	t.onCommit(func() { q.names.add(name) })
	return nil
}

func recordAttempt(ctx context.Context, t *tx, delivery int64, n int, a retry.Attempt) error {
	err := t.exec(ctx, "INSERT OR REPLACE INTO attempt (delivery, n, at_ms, status, took_ns, reason, error) VALUES (?,?,?,?,?,?,?)",
		delivery, n, engine.Millis(a.At), a.Status, int64(a.Took), a.Reason, text.Clip(a.Error, engine.ErrorMax))
	if err != nil || n <= engine.AttemptsKept {
		return err
	}
	return t.exec(ctx, "DELETE FROM attempt WHERE delivery = ? AND n <= ?", delivery, n-engine.AttemptsKept)
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
