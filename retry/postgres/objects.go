package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// objectOf is the object that a body is, nil for one in the database.
func objectOf(ref retry.BodyRef) *string {
	if name, ok := engine.ObjectName(ref.ID); ok {
		return &name
	}
	return nil
}

// storedRef names a stored body: the object that it is, or its message's row.
func storedRef(n, size int64, sha []byte, object *string) retry.BodyRef {
	if object != nil {
		return engine.Ref(engine.ObjectID(*object), size, sha)
	}
	return engine.Ref(rowPrefix+strconv.FormatInt(n, 10), size, sha)
}

// discardObject lets go of an object that no message names.
func (q *Queue) discardObject(ref retry.BodyRef) {
	if name, ok := engine.ObjectName(ref.ID); ok && !q.objects.Discard(name) {
		q.o.Logger.Warn("a body that nobody needs stays in its store until it is swept", "object", name)
	}
}

// sweepObjects has the objects removed that nothing needs, until ctx ends.
func (q *Queue) sweepObjects(ctx context.Context) {
	if q.o.Bodies == nil {
		return
	}
	s := q.sweeper()
	q.wg.Go(func() { s.Run(ctx) })
}

func (q *Queue) sweeper() *engine.Sweeper {
	return &engine.Sweeper{Objects: &q.objects, Index: objectIndex{q}, Log: q.o.Logger}
}

// objectIndex is what the database knows of its objects.
type objectIndex struct{ q *Queue }

// Dropped implements engine.ObjectIndex.
func (x objectIndex) Dropped(ctx context.Context, limit int) ([]string, error) {
	return x.names(ctx, "SELECT name FROM postern.dropped LIMIT $1", limit)
}

// Forget implements engine.ObjectIndex.
func (x objectIndex) Forget(ctx context.Context, names []string) error {
	_, err := x.q.pool.Exec(ctx, "DELETE FROM postern.dropped WHERE name = ANY($1)", names)
	return err
}

// Known implements engine.ObjectIndex.
func (x objectIndex) Known(ctx context.Context, names []string) (map[string]bool, error) {
	found, err := x.names(ctx, "SELECT body FROM postern.message WHERE body = ANY($1) UNION SELECT name FROM postern.dropped WHERE name = ANY($1)", names)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(found))
	for _, n := range found {
		known[n] = true
	}
	return known, nil
}

// PrependMeta implements engine.ObjectIndex.
func (x objectIndex) PrependMeta(ctx context.Context, key string, v []byte, keep int) error {
	return x.q.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO postern.meta AS m (k, v) VALUES ($1, $2)
			ON CONFLICT (k) DO UPDATE SET v = substring(excluded.v || m.v FROM 1 FOR $3)`, key, v, keep)
		return err
	})
}

func (x objectIndex) names(ctx context.Context, sql string, arg any) ([]string, error) {
	rows, err := x.q.pool.Query(ctx, sql, arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
