package postgres

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where replicas tell one another that there is something to do; the
// payload is who says so.
const channel = "postern"

// Times of telling and hearing.
const (
	tellEvery   = 50 * time.Millisecond // between two notices of a replica at least
	tellLimit   = 2 * time.Second       // for one
	listenAgain = 2 * time.Second       // after the connection was lost
)

// teller tells the other replicas what this one has just stored.
type teller struct {
	name  string        // this replica's
	wants chan struct{} // a hint that there is something to tell
}

func newTeller() teller { return teller{name: rand.Text(), wants: make(chan struct{}, 1)} }

// want asks for a notice; it never waits.
func (t teller) want() {
	select {
	case t.wants <- struct{}{}:
	default:
	}
}

// tell gives the notices that are wanted, until ctx ends. They are no part of
// the transactions that they tell of: a notice takes a lock of the whole server
// until its commit is on the disk, and all commits would go one by one. One that is
// wanted at the end is Close's to give.
func (q *Queue) tell(ctx context.Context) {
	for {
		select {
		case <-q.teller.wants:
			q.tellOnce(context.WithoutCancel(ctx)) // an end doesn't cut it short
		case <-ctx.Done():
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(tellEvery):
		}
	}
}

func (q *Queue) tellOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	p := q.begin(relaxed)
	p.exec("SELECT pg_notify($1, $2)", channel, q.teller.name)
	_ = q.send(ctx, p) // who doesn't hear of it looks after a while
}

// listen hears the other replicas' notices until ctx ends. Behind a pooler there
// is nothing to hear: a connection is somebody else's after each transaction.
func (q *Queue) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if q.reached.Load() && !q.pooled.Load() {
			q.listenOnce(ctx)
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// listenOnce hears notices until its connection is lost.
func (q *Queue) listenOnce(ctx context.Context) {
	c, err := pgx.ConnectConfig(ctx, q.pool.Config().ConnConfig)
	if err != nil {
		return // a server that is away is told of elsewhere
	}
	defer c.Close(context.WithoutCancel(ctx))
	if pooled, err := behindPooler(ctx, c); err != nil || pooled {
		return
	}
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	for {
		q.heard(ctx) // what came before it listened
		n, err := c.WaitForNotification(ctx)
		for err == nil && n.Payload == q.teller.name {
			n, err = c.WaitForNotification(ctx)
		}
		if err != nil {
			return
		}
	}
}

// heard looks at what another replica did.
func (q *Queue) heard(ctx context.Context) {
	q.endpoints.forget()
	q.ahead.revoke()
	if q.readUsage(ctx) == nil {
		q.hint()
	}
}
