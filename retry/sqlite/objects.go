package sqlite

import (
	"context"
	"encoding/json"

	"postern/retry/engine"
)

// sweepObjects deletes the objects that nothing needs until ctx ends. A database
// of which files were set aside may not name all mail that there is.
func (q *Queue) sweepObjects(ctx context.Context) {
	if q.o.Bodies == nil {
		return
	}
	s := &engine.Sweeper{Objects: &q.objects, Index: objectIndex{q}, Log: q.o.Logger, Whole: func() bool { return q.aside() == 0 }}
	q.wg.Go(func() { s.Run(ctx) })
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
	found, err := x.names(ctx, `SELECT file FROM message WHERE file >= 'object:' AND file IN (SELECT value FROM json_each(?1))
		UNION ALL SELECT file FROM dropped WHERE file IN (SELECT value FROM json_each(?1))`, ids(names))
	return engine.NameSet(found), err
}

// names reads the objects that a query finds.
func (x objectIndex) names(ctx context.Context, query string, arg any) (names []string, err error) {
	var id string
	err = x.q.eachRow(ctx, query, []any{&id}, func() {
		name, _ := engine.ObjectName(id)
		names = append(names, name)
	}, arg)
	return names, err
}

// ids are the names as the database has them, as a JSON array.
func ids(names []string) string {
	list, _ := json.Marshal(engine.ObjectIDs(names)) // strings always marshal
	return string(list)
}
