package postgres

import (
	"testing"
	"time"

	"postern/retry"
)

// TestServerClockIsSet: a step of the server's clock while we run neither holds back
// what is due nor brings forward or ends what isn't.
func TestServerClockIsSet(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, -2 * time.Hour, 2 * time.Hour, 24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			q := open(t, shared.Database(t), Options{})
			ctx := t.Context()
			put := func(id string, wait time.Duration) {
				ref, err := q.Stage(ctx, nil, body(id))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := q.Enqueue(ctx, retry.Message{ID: id, Received: time.Now(), Life: 12 * time.Hour, Body: ref}, []retry.NewDelivery{{ID: id, Endpoint: "a", Wait: wait}}); err != nil {
					t.Fatal(err)
				}
			}
			put("now", 0)
			put("in an hour", time.Hour)
			before, began := q.now(), time.Now()
			q.offset.Add(int64(step)) // as a look at the server's clock would find it
			if moved := q.now().Sub(before) - time.Since(began); moved.Abs() > time.Second {
				t.Errorf("the queue's time moved by %v", moved)
			}
			ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
			if err != nil || len(ls) != 1 || ls[0].ID != "now" {
				t.Fatalf("leased %+v, %v", ls, err)
			}
			if left := ls[0].Left; left < 11*time.Hour || left > 12*time.Hour {
				t.Errorf("%v of its life are left", left)
			}
			if err := q.Ack(ctx, ls[0], retry.Attempt{}); err != nil {
				t.Fatal(err)
			}
			if wait, some, err := q.NextDue(ctx, retry.LeaseRequest{Max: 10}); err != nil || !some || wait < 58*time.Minute || wait > time.Hour {
				t.Errorf("the next is due in %v, %v, %v", wait, some, err)
			}
		})
	}
}
