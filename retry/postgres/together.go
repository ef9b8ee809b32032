package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// lanes are how many batches are under way at once: while one waits for the
// disk, the next is sent.
const lanes = 2

// insertAll stores messages whose id nobody has, with bodies, deliveries and
// attempts, and returns their ids. A message one of whose deliveries is stored
// already is left out. The lookups by LATERAL and LIMIT make the server use the
// index for each.
const insertAll = `WITH item AS MATERIALIZED (
	SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bigint[], $11::int[], $12::int[], $13::bigint[], $14::text[])
		AS i (id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope, keep_ms, live, dead, sum, body)
), part AS MATERIALIZED (
	SELECT * FROM unnest($16::text[], $17::text[], $18::text[], $19::text[], $20::int[], $21::bigint[], $22::bigint[], $23::int[], $24::bigint[], $25::text[], $26::int[], $27::text[], $28::bigint[], $29::bigint[])
		AS p (message, id, endpoint, recipients, state, due_ms, expires_ms, attempts, token, reason, last_status, last_error, sum, lease_ms)
), stored AS MATERIALIZED (
	SELECT p.message FROM part p, LATERAL (SELECT FROM postern.delivery WHERE id = p.id LIMIT 1) d
), fresh AS (
	INSERT INTO postern.message (id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope, keep_ms, live, dead, sum, body)
		SELECT * FROM item WHERE id NOT IN (SELECT message FROM stored) ON CONFLICT (id) DO NOTHING RETURNING n, id
), bodies AS (
	INSERT INTO postern.chunk (message, i, bytes)
		SELECT f.n, 0, b.bytes FROM fresh f JOIN unnest($1::text[], $15::bytea[]) AS b (id, bytes) USING (id) WHERE b.bytes IS NOT NULL
), deliveries AS (
	INSERT INTO postern.delivery (id, message, endpoint, recipients, state, leased_from, due_ms, expires_ms, attempts, base, lease_until_ms, token, reason, last_status, last_error, sum)
		SELECT p.id, f.n, p.endpoint, p.recipients, p.state, 0, p.due_ms, p.expires_ms, p.attempts, 0, p.lease_ms, p.token, p.reason, p.last_status, p.last_error, p.sum
		FROM part p JOIN fresh f ON f.id = p.message RETURNING n, id
), attempts AS (
	INSERT INTO postern.attempt (delivery, n, at_ms, status, took_ns, reason, error)
		SELECT d.n, 1, a.at_ms, a.status, a.took_ns, a.reason, a.error
		FROM unnest($30::text[], $31::bigint[], $32::int[], $33::bigint[], $34::text[], $35::text[]) AS a (id, at_ms, status, took_ns, reason, error) JOIN deliveries d USING (id)
)
SELECT id, n FROM fresh`

// storeTogether stores what several callers brought, in one round trip. Whose
// message or deliveries are known already, or come twice in the batch, goes
// alone; so do all when something spoils the transaction.
func (q *Queue) storeTogether(ctx context.Context, batch []*op[*enqueue]) {
	company := together(batch)
	if len(company) == 0 {
		return
	}
	stored, now := map[string]int64{}, q.now()
	p, leases, err := q.insertion(company, stored, now)
	if err == nil {
		err = q.send(ctx, p)
	}
	switch {
	case isInDoubt(err):
		stored, err = q.readBack(ctx, company)
	case refused(err):
		stored, err = nil, nil // each finds out what is wrong with its own
	}
	for i, o := range company {
		q.handOver(o.It, leases[i], stored[o.It.m.ID], q.now())
		switch e := o.It; {
		case err != nil:
			o.Err = err
		case stored[e.m.ID] > 0:
			e.res.Stored, e.inserted = len(e.ds), true
		default:
			o.Err = errAlone
		}
	}
}

// together picks whose ids nobody else in the batch has.
func together(batch []*op[*enqueue]) (company []*op[*enqueue]) {
	taken := map[string]bool{}
	for _, o := range batch {
		ids := make([]string, 0, len(o.It.ds)+1)
		ids = append(ids, "message "+o.It.m.ID)
		for _, d := range o.It.ds {
			ids = append(ids, "delivery "+d.ID)
		}
		alone := false
		for _, id := range ids {
			alone = alone || taken[id]
			taken[id] = true
		}
		if alone {
			o.Err = errAlone
			continue
		}
		company = append(company, o)
	}
	return company
}

// handOver gives the leases of a message that was stored to the worker; n is the
// message's row, 0 where it wasn't.
func (q *Queue) handOver(e *enqueue, leases []early, n int64, now time.Time) {
	e.early = n > 0 && len(leases) == len(e.ds)
	for _, l := range leases {
		if n == 0 {
			q.ahead.drop(l.Endpoint)
			continue
		}
		l.Body = storedRef(n, e.m.Body.Size, e.m.Body.SHA256[:], objectOf(e.m.Body))
		if len(e.m.Body.Inline) <= inlineAhead {
			l.Body.Inline = e.m.Body.Inline
		}
		q.ahead.hand(l, now)
	}
}

// insertion is the statement for a batch; it fills stored with the messages'
// rows by id; leases are those that it gives with each.
func (q *Queue) insertion(company []*op[*enqueue], stored map[string]int64, now time.Time) (p *pipeline, leases [][]early, err error) {
	p, leases = q.begin(durable), make([][]early, len(company))
	var rows newRows
	for i, o := range company {
		if leases[i], err = rows.add(o.It, q.ahead, now); err != nil {
			return nil, leases, err
		}
	}
	if names := q.unnamed(rows.parts.endpoint); len(names) > 0 {
		p.exec(nameAll, names)
	}
	p.query(func(r pgx.Rows) error {
		var id string
		var n int64
		_, err := pgx.ForEachRow(r, []any{&id, &n}, func() error { stored[id] = n; return nil })
		return err
	}, insertAll, rows.args()...)
	return p, leases, nil
}

// nameAll makes sure that endpoints have a row: Lease goes by them. In order,
// so that two transactions don't wait for one another.
const nameAll = "INSERT INTO postern.endpoint (name) SELECT DISTINCT x FROM unnest($1::text[]) x ORDER BY x ON CONFLICT DO NOTHING"

// unnamed are those of the endpoints that may have no row yet.
func (q *Queue) unnamed(endpoints []string) (names []string) {
	for _, e := range endpoints {
		if _, ok := q.names.Load(e); !ok {
			names = append(names, e)
		}
	}
	return names
}

// readBack finds out which messages of a transaction in doubt are stored with
// all their deliveries; its own commit makes sure that they are durable, as
// theirs would have. The others may be stored a moment later, or be stored and
// delivered already: storing them again alone waits for that.
func (q *Queue) readBack(ctx context.Context, company []*op[*enqueue]) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, hangLimit)
	defer cancel()
	var ids []string
	for _, o := range company {
		for _, d := range o.It.ds {
			ids = append(ids, d.ID)
		}
	}
	found, rows := map[string]int{}, map[string]int64{}
	p := q.begin(durable)
	p.query(func(r pgx.Rows) error {
		var message string
		var n int64
		_, err := pgx.ForEachRow(r, []any{&message, &n}, func() error { found[message], rows[message] = found[message]+1, n; return nil })
		return err
	}, "SELECT m.id, m.n FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.id = ANY($1) FOR NO KEY UPDATE OF m", ids)
	if err := q.send(ctx, p); err != nil {
		return nil, fmt.Errorf("%w, and reading back failed: %w", errInDoubt, err)
	}
	stored := map[string]int64{}
	for _, o := range company {
		if n := len(o.It.ds); n > 0 && found[o.It.m.ID] == n {
			stored[o.It.m.ID] = rows[o.It.m.ID]
		}
	}
	return stored, nil
}

// newRows are the columns of insertAll.
type newRows struct {
	messages messageColumns
	parts    partColumns
	attempts attemptColumns
}

type messageColumns struct {
	id, key, sender, subject []string
	received, expires, size  []int64
	keep, sum                []int64
	live, dead               []int
	sha256, envelope, bytes  [][]byte
	object                   []*string
}

type partColumns struct {
	message, id, endpoint, recipients, reason, lastError []string
	state, attempts, lastStatus                          []int
	due, expires, token, sum, lease                      []int64
}

type attemptColumns struct {
	id, reason, text []string
	at, took         []int64
	status           []int
}

// add adds a message with its deliveries, and returns the leases of those that are
// leased at once.
func (r *newRows) add(e *enqueue, a *ahead, now time.Time) (leases []early, err error) {
	r.messages.add(e.m, e.ds, engine.Until(now, e.keep))
	past := engine.Past{Expires: engine.Millis(now.Add(e.m.Life))}
	for _, d := range e.ds {
		row, err := engine.NewRowOf(d, past, now)
		if err != nil {
			return leases, err
		}
		until := time.Time{}
		if ttl, ok := a.take(d, e.m.Body.Size, now); ok {
			until = engine.LeaseEnd(now, ttl)
			l := engine.NewLease(e.m, d, &row, past, now)
			l.From, l.Subject, l.LastError = valid(l.From), valid(l.Subject), valid(l.LastError)
			leases = append(leases, early{l, now.Add(until.Sub(now) / fetchShare)})
		}
		r.parts.add(e.m.ID, d, row, until)
		if d.First != nil {
			r.attempts.add(d.ID, *d.First)
		}
	}
	return leases, nil
}

func (c *messageColumns) add(m retry.Message, ds []retry.NewDelivery, keep int64) {
	if m.Envelope == nil {
		m.Envelope = []byte{}
	}
	live, dead := engine.CountNew(ds)
	c.id, c.key = append(c.id, m.ID), append(c.key, m.Key)
	c.received, c.expires = append(c.received, engine.Millis(m.Received)), append(c.expires, engine.Millis(m.Received.Add(m.Life)))
	c.sender, c.subject = append(c.sender, valid(m.From)), append(c.subject, valid(text.Clip(m.Subject, engine.SubjectMax)))
	c.size, c.sha256 = append(c.size, m.Body.Size), append(c.sha256, m.Body.SHA256[:])
	c.envelope, c.keep = append(c.envelope, m.Envelope), append(c.keep, keep)
	c.live, c.dead = append(c.live, live), append(c.dead, dead)
	c.sum = append(c.sum, engine.SealMessage(m.ID, m.Key, m.Body.SHA256[:], m.Envelope))
	c.object, c.bytes = append(c.object, objectOf(m.Body)), append(c.bytes, m.Body.Inline)
}

func (c *partColumns) add(message string, d retry.NewDelivery, r engine.NewRow, leased time.Time) {
	c.message, c.id, c.endpoint = append(c.message, message), append(c.id, d.ID), append(c.endpoint, d.Endpoint)
	c.recipients, c.reason, c.lastError = append(c.recipients, r.Recipients), append(c.reason, r.DeadCause), append(c.lastError, valid(r.LastError))
	c.state, c.attempts, c.lastStatus = append(c.state, r.State), append(c.attempts, r.Attempts), append(c.lastStatus, r.LastStatus)
	c.due, c.expires = append(c.due, r.Due), append(c.expires, r.Expires)
	c.token, c.sum, c.lease = append(c.token, r.Token), append(c.sum, r.Sum), append(c.lease, engine.Millis(leased))
}

func (c *attemptColumns) add(id string, a retry.Attempt) {
	c.id, c.at, c.status, c.took = append(c.id, id), append(c.at, engine.Millis(a.At)), append(c.status, a.Status), append(c.took, int64(a.Took))
	c.reason, c.text = append(c.reason, valid(a.Reason)), append(c.text, valid(text.Clip(a.Error, engine.ErrorMax)))
}

// args are insertAll's.
func (r *newRows) args() []any {
	m, p, a := &r.messages, &r.parts, &r.attempts
	return []any{m.id, m.key, m.received, m.expires, m.sender, m.subject, m.size, m.sha256, m.envelope, m.keep, m.live, m.dead, m.sum, m.object, m.bytes,
		p.message, p.id, p.endpoint, p.recipients, p.state, p.due, p.expires, p.attempts, p.token, p.reason, p.lastStatus, p.lastError, p.sum, p.lease,
		a.id, a.at, a.status, a.took, a.reason, a.text}
}
