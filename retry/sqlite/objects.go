package sqlite

import (
	"context"
	"encoding/json"
	"strings"

	"postern/retry/engine"
)

// sweepObjects deletes the objects that nothing needs until ctx ends.
func (q *Queue) sweepObjects(ctx context.Context) {
	if q.o.Bodies != nil {
		q.wg.Go(func() { q.sweeper().Run(ctx) })
	}
}

// sweeper knows that where files were set aside not all mail is named.
func (q *Queue) sweeper() *engine.Sweeper {
	return &engine.Sweeper{Objects: &q.objects, Index: objectIndex{q}, Log: q.o.Logger, Whole: func() bool { return q.aside() == 0 }}
}

// objectIndex is what the database knows of objects.
type objectIndex struct{ q *Queue }

// Dropped implements engine.ObjectIndex.
func (x objectIndex) Dropped(ctx context.Context, limit int) ([]string, error) {
	return x.names(ctx, "SELECT file FROM dropped WHERE file >= 'object:' LIMIT ?", limit)
}

// Forget implements engine.ObjectIndex.
func (x objectIndex) Forget(ctx context.Context, names []string) error {
	return x.q.w.do(ctx, false, 0, func(ctx context.Context, t *tx) error {
		return t.exec(ctx, "DELETE FROM dropped WHERE file IN (SELECT value FROM json_each(?))", ids(names))
	})
}

// Known implements engine.ObjectIndex.
func (x objectIndex) Known(ctx context.Context, names []string) (map[string]bool, error) {
	found, err := x.names(ctx, "SELECT file FROM message WHERE file >= 'object:' AND file IN (SELECT value FROM json_each(?1)) UNION ALL SELECT file FROM dropped WHERE file IN (SELECT value FROM json_each(?1))", ids(names))
	return engine.NameSet(found), err
}

// PrependMeta implements engine.ObjectIndex.
func (x objectIndex) PrependMeta(ctx context.Context, key string, v []byte, keep int) error {
	return x.q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		return t.exec(ctx, "INSERT INTO meta (k, v) VALUES (?,?) ON CONFLICT (k) DO UPDATE SET v = substr(CAST(excluded.v || meta.v AS BLOB), 1, ?)", key, v, keep)
	})
}

func (x objectIndex) names(ctx context.Context, query string, arg any) (names []string, err error) {
	var id string
	err = x.q.eachRow(ctx, query, []any{&id}, func() {
		names = append(names, strings.TrimPrefix(id, engine.ObjectID("")))
	}, arg)
	return names, err
}

// ids are the names as the database has them, as a JSON array.
func ids(names []string) string {
	list, _ := json.Marshal(engine.ObjectIDs(names)) // strings always marshal
	return string(list)
}
