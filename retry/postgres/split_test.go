package postgres

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"postern/retry"
)

// TestSplitOnceTheServerIsBack has the connection cut around the commit of a split,
// with the server there again at once or later: it is done once, and its caller is
// told so, who reports the parts that are dead.
func TestSplitOnceTheServerIsBack(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	direct := open(t, dsn, Options{})
	p := newProxy(t, dsn)
	through := open(t, p.dsn, Options{Conns: 2})
	for name, c := range map[string]struct {
		cut  int32
		deaf bool
	}{
		"away": {cutNothing, true}, "request": {cutRequest, false}, "answer": {cutAnswer, false}, "answer, away": {cutAnswer, true},
	} {
		for _, own := range []bool{false, true} { // whether a part has the delivery's id
			id := fmt.Sprint(name, "-", own, "-1")
			if _, err := enqueue1(ctx, direct, id); err != nil {
				t.Fatal(err)
			}
			l, err := direct.LeaseID(ctx, id, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			parts := []retry.NewDelivery{{ID: id + "-dead", Endpoint: l.Endpoint, Dead: "rejected"}, {ID: id + "-later", Endpoint: l.Endpoint, Wait: time.Hour}}
			if own {
				parts[1].ID = id
			}
			p.arm("commit\x00", c.cut)
			p.deaf.Store(c.deaf)
			if c.cut == cutNothing {
				p.others()
			}
			back := time.AfterFunc(2*settleAgain, func() { p.deaf.Store(false) })
			if err := through.Split(ctx, l, parts); err != nil || p.cut.Load() != cutNothing {
				t.Errorf("%s: %v", id, err)
			}
			back.Stop()
			p.deaf.Store(false)
			for _, d := range parts {
				if info, _, err := direct.Get(ctx, d.ID); err != nil || info.MessageID != l.MessageID || (d.Dead != "") != (info.State == retry.Dead) {
					t.Errorf("%s: %+v, %v", d.ID, info, err)
				}
			}
			if _, _, err := direct.Get(ctx, id); !own && !errors.Is(err, retry.ErrNotFound) {
				t.Errorf("%s is still there: %v", id, err)
			}
			if err := through.Split(ctx, l, parts); !errors.Is(err, retry.ErrLeaseLost) {
				t.Errorf("%s once more: %v", id, err)
			}
		}
	}
}
